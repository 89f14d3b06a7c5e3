//! Rate limits of runs and addresses, and clients that forge their address.

use crate::common::app::{TestApp, spawn_app_with, unlimited};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use telemetry_server::config::protection::ProtectionVariables;

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// A burst of three requests from one address, then one per minute.
fn few_from_an_address() -> ProtectionVariables {
    ProtectionVariables {
        address_limit_burst: text("3"),
        address_limit_per_minute: text("1"),
        ..ProtectionVariables::default()
    }
}

async fn get_as(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> StatusCode {
    let request = app.request(Method::GET, path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.send().await.expect("an answer").status()
}

/// Asserts that a response is a complete 429, and returns the seconds to wait.
async fn assert_limited(response: Response, said: &str) -> u64 {
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["content-type"], "application/json");
    let wait = response.headers()["retry-after"].to_str().expect("a number").parse().expect("a number");
    let body: Value = response.json().await.expect("a JSON answer");
    assert_eq!((&body["error"], &body["field"]), (&json!("rate_limited"), &Value::Null));
    assert!(body["message"].as_str().expect("a text").contains(said), "{body}");
    wait
}

async fn metric(app: &TestApp, line: &str) -> bool {
    let metrics = app.request(Method::GET, "/metrics").send().await.expect("an answer");
    metrics.text().await.expect("a text").lines().any(|found| found == line)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_one_run_are_limited_and_other_runs_are_not() {
    let app = spawn_app_with(ProtectionVariables {
        run_limit_burst: text("30"),
        run_limit_per_minute: text("1"),
        ..unlimited()
    })
    .await;
    let event = json!({"random_id": "session", "execution_id": "replayed", "nsapp": "x", "status": "failed"});
    for _ in 0..30 {
        app.report("/telemetry", &event).await;
    }
    let wait = assert_limited(app.post("/telemetry", event.to_string()).await, "run reports too often").await;
    assert!((1..=60).contains(&wait), "{wait}");
    let other = json!({"random_id": "session", "execution_id": "another", "nsapp": "x", "status": "failed"});
    app.report("/telemetry", &other).await;
    // Each event without an id is a run of its own.
    for _ in 0..40 {
        app.report("/telemetry", &json!({"nsapp": "x", "ct_type": 1})).await;
    }
    assert_eq!(app.executions().await, 42);
    assert!(metric(&app, r#"telemetry_limited_total{kind="run"} 1"#).await);
    assert!(metric(&app, r#"telemetry_limiter_keys{kind="run"} 2"#).await);
    assert!(metric(&app, r#"telemetry_events_rejected_total{reason="rate_limited"} 1"#).await);
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_limited_on_every_path_before_the_body_is_read() {
    let app = spawn_app_with(few_from_an_address()).await;
    for path in ["/", "/nothing", "/api/exit-codes"] {
        assert_ne!(get_as(&app, path, &[]).await, StatusCode::TOO_MANY_REQUESTS, "{path}");
    }
    for path in ["/telemetry", "/nothing"] {
        let wait = assert_limited(app.post(path, "no event").await, "this address").await;
        assert!((1..=60).contains(&wait), "{wait}");
    }
    assert_eq!(get_as(&app, "/api/dashboard", &[]).await, StatusCode::TOO_MANY_REQUESTS);
    // The declared body of 1 GB is not awaited.
    let huge = app.request(Method::POST, "/telemetry").header("content-length", "1000000000").body("{");
    let status = tokio::time::timeout(std::time::Duration::from_secs(20), huge.send()).await;
    assert!(status.expect("at once").is_ok_and(|answer| answer.status() == StatusCode::TOO_MANY_REQUESTS));

    for _ in 0..50 {
        assert_eq!(get_as(&app, "/healthz", &[]).await, StatusCode::OK);
    }
    assert_eq!(get_as(&app, "/readyz", &[]).await, StatusCode::OK);
    assert!(metric(&app, r#"telemetry_limited_total{kind="address"} 4"#).await);
    let head = app.request(Method::HEAD, "/telemetry").send().await.expect("an answer");
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(get_as(&app, "/readyz", &[]).await, StatusCode::TOO_MANY_REQUESTS, "probes are limited, too");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_peer_cannot_forge_its_address() {
    let app = spawn_app_with(few_from_an_address()).await;
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        let headers = [("x-forwarded-for", address), ("forwarded", "for=192.0.2.9")];
        assert_eq!(get_as(&app, "/", &headers).await, StatusCode::OK);
    }
    let headers = [("x-forwarded-for", "192.0.2.4")];
    assert_eq!(get_as(&app, "/", &headers).await, StatusCode::TOO_MANY_REQUESTS);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_each_client_has_its_own_limit() {
    let proxies = ProtectionVariables { trusted_proxies: text("127.0.0.0/8"), ..few_from_an_address() };
    let app = spawn_app_with(proxies).await;
    for (name, client, claim) in [
        ("x-forwarded-for", "192.0.2.1", "192.0.2.1"),
        ("forwarded", "for=192.0.2.2", "for=192.0.2.2"),
        ("x-forwarded-for", "2001:db8:1:2::1", "2001:db8:1:2:9::1"),
    ] {
        for number in 0..3 {
            // The forged address is to the left of the one that the proxy adds.
            let spoofed = format!("{number}.1.1.1, {client}");
            assert_eq!(get_as(&app, "/", &[(name, &spoofed)]).await, StatusCode::OK, "{client}");
        }
        assert_eq!(get_as(&app, "/", &[(name, claim)]).await, StatusCode::TOO_MANY_REQUESTS, "{client}");
    }
    assert_eq!(get_as(&app, "/", &[]).await, StatusCode::OK, "the proxy has its own limit");
    let both = [("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=192.0.2.8")];
    assert_eq!(get_as(&app, "/", &both).await, StatusCode::OK);
    assert_eq!(get_as(&app, "/", &both).await, StatusCode::OK);
    assert_eq!(
        get_as(&app, "/", &both).await,
        StatusCode::TOO_MANY_REQUESTS,
        "contradicting headers count for the proxy"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn erasures_by_one_address_are_limited_and_reports_are_not() {
    let app = spawn_app_with(ProtectionVariables::default()).await;
    let erase = async |id: usize| {
        app.request(Method::DELETE, &format!("/api/runs/guess-{id}")).send().await.expect("an answer")
    };
    for id in 0..30 {
        assert_eq!(erase(id).await.status(), StatusCode::NO_CONTENT, "{id}");
    }
    let wait = assert_limited(erase(30).await, "erases too many runs").await;
    assert!((1..=60).contains(&wait), "{wait}");
    app.report("/telemetry", &json!({"random_id": "r", "nsapp": "x"})).await;
    assert!(metric(&app, r#"telemetry_limited_total{kind="erasure"} 1"#).await);
    app.stop().await;
}
