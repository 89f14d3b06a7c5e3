//! `GET /admin/issues/{signature}`: the link to GitHub's form carries the evidence, and only the operator gets it.

use crate::common::app::{TestApp, spawn_app_set, unlimited};
use reqwest::{Method, Response, StatusCode, Url};
use serde_json::{Value, json};
use telemetry_server::config::Variables;
use telemetry_server::config::outgoing::OutgoingVariables;
use telemetry_server::config::protection::ProtectionVariables;

const TOKEN: &str = "correct-horse-battery";

/// A server with three failures of one signature, two of them of one script.
async fn spawn_with_failures(error: &str) -> TestApp {
    let outgoing = OutgoingVariables {
        github_repository: Some("owner/name".to_owned()),
        ..OutgoingVariables::default()
    };
    let protection = ProtectionVariables { admin_token: TOKEN.parse().ok(), ..unlimited() };
    let app = spawn_app_set(Variables { protection, outgoing, ..Variables::default() }).await;
    for (id, script) in [("a", "jellyfin"), ("b", "jellyfin"), ("c", "docker")] {
        let failed = json!({
            "random_id": id, "nsapp": script, "type": "lxc", "status": "failed", "exit_code": 100, "error": error
        });
        app.report("/telemetry", &failed).await;
    }
    app
}

async fn signature(app: &TestApp) -> String {
    let id = sqlx::query_scalar("select lpad(to_hex(id), 16, '0') from signature limit 1");
    id.fetch_one(app.pool()).await.expect("there is one")
}

async fn get(app: &TestApp, signature: &str) -> Response {
    let request = app.request(Method::GET, &format!("/admin/issues/{signature}"));
    request.header("authorization", format!("Bearer {TOKEN}")).send().await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_carries_the_evidence_of_a_signature() {
    for (error, start) in [
        ("E: Unable to locate package ffmpeg7", "A package does not exist: ffmpeg7"),
        ("E: \"a\" & 'b' #c %41\n+\u{1f4a5}=?</script>", ""),
    ] {
        let app = spawn_with_failures(error).await;
        let response = get(&app, &signature(&app).await).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["cache-control"], "no-store");
        let issue: Value = response.json().await.expect("JSON");
        let link = Url::parse(issue["link"].as_str().expect("a text")).expect("a URL");
        assert_eq!((link.host_str(), link.path()), (Some("github.com"), "/owner/name/issues/new"));
        let sent: Vec<_> = link.query_pairs().into_owned().collect();
        let [title, body] = ["title", "body"].map(|name| issue[name].as_str().expect("a text").to_owned());
        assert_eq!(sent, [("title".to_owned(), title.clone()), ("body".to_owned(), body.clone())]);
        assert!(title.starts_with(&format!("jellyfin and 1 more: {start}")), "{title}");
        assert!(body.contains("3 runs") && body.contains("| `jellyfin` | 2 |"), "{body}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_operator_gets_the_link_of_a_known_signature() {
    let app = spawn_with_failures("E: Unable to locate package ffmpeg7").await;
    assert_eq!(get(&app, "00000000000000ff").await.status(), StatusCode::NOT_FOUND);
    for invalid in ["xyz", "00000000000000FF", "0", "%00"] {
        assert_eq!(get(&app, invalid).await.status(), StatusCode::BAD_REQUEST, "{invalid}");
    }
    let path = format!("/admin/issues/{}", signature(&app).await);
    let denied = app.request(Method::GET, &path).send().await.expect("an answer");
    assert_eq!(denied.status(), StatusCode::UNAUTHORIZED);
    let post = app.request(Method::POST, &path).send().await.expect("an answer");
    assert_eq!(
        (post.status(), &post.headers()["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"GET".parse().expect("a value"))
    );
    app.stop().await;
}
