//! `/admin`: hidden without a configured token, and protected against guessing.

use crate::common::app::{TestApp, spawn_app, spawn_app_with, unlimited};
use crate::common::server::{Server, run};
use crate::common::{DataDir, http};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use telemetry_server::config::protection::ProtectionVariables;

const TOKEN: &str = "correct-horse-battery";

async fn spawn_app_with_token() -> TestApp {
    spawn_app_with(ProtectionVariables { admin_token: TOKEN.parse().ok(), ..unlimited() }).await
}

async fn status(app: &TestApp, authorization: Option<&str>) -> Response {
    let request = app.request(Method::GET, "/admin/status");
    let request =
        authorization.iter().fold(request, |request, value| request.header("authorization", *value));
    request.send().await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_configured_token_the_paths_do_not_exist() {
    let app = spawn_app().await;
    let answer = async |method: Method, path: &str| {
        let request = app.request(method, path).header("authorization", format!("Bearer {TOKEN}"));
        let mut response = request.send().await.expect("an answer");
        response.headers_mut().remove("date");
        (response.status(), response.headers().clone(), response.text().await.expect("a text"))
    };
    for method in [Method::GET, Method::POST, Method::OPTIONS] {
        let unknown = answer(method.clone(), "/no-such-path").await;
        assert_eq!(unknown.0, StatusCode::NOT_FOUND);
        for path in ["/admin/status", "/admin", "/admin/", "/admin/more"] {
            assert_eq!(answer(method.clone(), path).await, unknown, "{method} {path}");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_opens_the_status() {
    let app = spawn_app_with_token().await;
    for authorization in [format!("Bearer {TOKEN}"), format!("bearer  {TOKEN} ")] {
        let response = status(&app, Some(&authorization)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert!(!response.headers().contains_key("access-control-allow-origin"));
        let body: Value = response.json().await.expect("a JSON answer");
        assert_eq!(body["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(body["queue_events"], 0);
        assert!(body["uptime_seconds"].is_u64() && body["started_at"].is_string(), "{body}");
        assert!(body["connections"]["open"].as_u64() >= Some(1) && body["connections"]["max"].is_u64());
        assert!(
            body["limiter_keys"]["run"].is_u64() && body["database_connections"]["read"]["idle"].is_u64()
        );
    }
    let response = app.request(Method::POST, "/admin/status").send().await.expect("an answer");
    assert_eq!(
        (response.status(), &response.headers()["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"GET".parse().expect("a value"))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_limited_and_beyond_the_limit_the_token_is_refused() {
    let app = spawn_app_with_token().await;
    let right = format!("Bearer {TOKEN}");
    let guess = format!("Bearer {TOKEN}X");
    // Requests with the token do not count as guesses.
    for _ in 0..20 {
        assert_eq!(status(&app, Some(&right)).await.status(), StatusCode::OK);
    }
    for authorization in [None, Some("Bearer"), Some("Basic YTpi"), Some(guess.as_str()), Some(&right[1..])] {
        let response = status(&app, authorization).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{authorization:?}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let body: Value = response.json().await.expect("a JSON answer");
        assert_eq!(body["error"], "unauthorized");
    }
    for authorization in [&guess, &right] {
        let response = status(&app, Some(authorization)).await;
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        let wait = response.headers()["retry-after"].to_str().expect("a number").parse::<u64>();
        assert!((1..=6).contains(&wait.expect("a number")), "10 a minute");
    }
    let metrics = app.request(Method::GET, "/metrics").send().await.expect("an answer");
    let metrics = metrics.text().await.expect("a text");
    assert!(metrics.contains("\ntelemetry_admin_denied_total 5\n"));
    assert!(metrics.contains("\ntelemetry_limited_total{kind=\"admin\"} 2\n"));
    app.stop().await;
}

#[test]
fn the_token_is_never_printed() {
    let data = DataDir::new();
    let folder = data.path().to_string_lossy().into_owned();
    let server = Server::start_with(&[("DATA_DIR", &folder), ("ADMIN_TOKEN", TOKEN), ("LOG", "trace")]);
    let mut connection = http::open(server.address).expect("it listens");
    let authorization = format!("Authorization: Bearer {TOKEN}");
    let head = http::head("GET", "/admin/status", &[&authorization], 0);
    std::io::Write::write_all(&mut connection, head.as_bytes()).expect("it listens");
    assert_eq!(http::answer(connection).expect("an answer").status, 200);
    let log = server.stderr();
    assert!(log.contains("/admin/status"), "the log is verbose");
    assert!(!log.contains(TOKEN), "{}", log.lines().find(|line| line.contains(TOKEN)).unwrap_or_default());
    let help = run(&["--help"], &[("ADMIN_TOKEN", TOKEN)]);
    assert!(help.stdout.contains("ADMIN_TOKEN") && !help.stdout.contains(TOKEN));
    let short = run(&["serve"], &[("ADMIN_TOKEN", "fifteen-letters")]);
    assert_eq!(short.code, Some(2));
    assert!(short.stderr.contains("ADMIN_TOKEN must") && !short.stderr.contains("fifteen-letters"));
}
