//! `POST /admin/issues` against a stub of GitHub's API, which is the one thing that cannot be real here.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::common::app::{TestApp, spawn_app_set, unlimited};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use telemetry_server::config::Variables;
use telemetry_server::config::outgoing::OutgoingVariables;
use telemetry_server::config::protection::ProtectionVariables;

const TOKEN: &str = "correct-horse-battery";

/// Answers every request with the next of these, and hands out what was asked: head and body.
fn github(answers: &'static [(u16, &'static str)]) -> (SocketAddr, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for (status, answer) in answers {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).expect("it speaks") > 0 {}
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).expect("the body");
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let length = answer.len();
            let reply = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{answer}"
            );
            stream.write_all(reply.as_bytes()).expect("it listens");
            let _ = sender.send((head, body));
        }
    });
    (address, receiver)
}

async fn spawn_with(github: Option<SocketAddr>) -> TestApp {
    let outgoing = github.map_or_else(OutgoingVariables::default, |address| OutgoingVariables {
        github_token: "a-token-of-github".parse().ok(),
        github_repository: Some("owner/name".to_owned()),
        github_api_url: Some(format!("http://{address}")),
        ..OutgoingVariables::default()
    });
    let protection = ProtectionVariables { admin_token: TOKEN.parse().ok(), ..unlimited() };
    let app = spawn_app_set(Variables { protection, outgoing, ..Variables::default() }).await;
    for (id, script) in [("a", "jellyfin"), ("b", "jellyfin"), ("c", "docker")] {
        let failed = json!({
            "random_id": id, "nsapp": script, "type": "lxc", "status": "failed", "exit_code": 100,
            "error": "E: Unable to locate package ffmpeg7"
        });
        app.report("/telemetry", &failed).await;
    }
    app
}

async fn signature(app: &TestApp) -> String {
    let id = sqlx::query_scalar("select lpad(to_hex(id), 16, '0') from signature limit 1");
    id.fetch_one(app.pool()).await.expect("there is one")
}

async fn post(app: &TestApp, body: String) -> Response {
    let request =
        app.request(Method::POST, "/admin/issues").header("authorization", format!("Bearer {TOKEN}"));
    request.body(body).send().await.expect("an answer")
}

async fn wanted(app: &TestApp) -> (StatusCode, Value) {
    let response = post(app, json!({"signature": signature(app).await}).to_string()).await;
    (response.status(), response.json().await.expect("JSON"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_is_opened_once_with_the_evidence() {
    let issue = r#"{"number": 7, "html_url": "https://github.example/owner/name/issues/7", "title": "x"}"#;
    let (address, asked) = github(vec![(201, issue)].leak());
    let app = spawn_with(Some(address)).await;
    let (status, body) = wanted(&app).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    let url = "https://github.example/owner/name/issues/7";
    assert_eq!(body, json!({"status": "opened", "number": 7, "url": url}));
    let (head, sent) = asked.recv().expect("it was asked");
    assert!(head.starts_with("POST /repos/owner/name/issues "), "{head}");
    assert!(head.to_lowercase().contains("authorization: bearer a-token-of-github"), "it shows the token");
    assert!(sent["title"].as_str().is_some_and(|title| title.starts_with("jellyfin and 1 more: ")), "{sent}");
    let text = sent["body"].as_str().expect("a text");
    assert!(text.contains("3 runs") && text.contains("| `jellyfin` | 2 |"), "{text}");
    // The stub would not answer a second time.
    assert_eq!(wanted(&app).await, (StatusCode::OK, json!({"status": "exists", "number": 7, "url": url})));
    let stored: (Option<i64>, i64) = sqlx::query_as("select max(number), count(*) from signature_issue")
        .fetch_one(app.pool())
        .await
        .expect("it runs");
    assert_eq!(stored, (Some(7), 1));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_gives_the_claim_back_and_silence_keeps_it() {
    let (address, _asked) = github(vec![(403, r#"{"message": "no"}"#), (200, "nonsense")].leak());
    let app = spawn_with(Some(address)).await;
    assert_eq!(wanted(&app).await.0, StatusCode::BAD_GATEWAY);
    // Tried again, and nobody knows what became of it: so not a third time, for a while.
    let (status, body) = wanted(&app).await;
    assert_eq!((status, &body["error"]), (StatusCode::BAD_GATEWAY, &json!("github")));
    let (status, body) = wanted(&app).await;
    assert_eq!((status, &body["error"]), (StatusCode::CONFLICT, &json!("in_progress")));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_of_github_the_issue_is_prepared() {
    let app = spawn_with(None).await;
    let (status, body) = wanted(&app).await;
    assert_eq!((status, &body["status"]), (StatusCode::OK, &json!("prepared")));
    assert!(
        body["title"].is_string() && body["body"].as_str().is_some_and(|text| text.contains("3 runs")),
        "{body}"
    );
    let unknown = post(&app, json!({"signature": "00000000000000ff"}).to_string()).await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    for wrong in [json!({"signature": "xyz"}).to_string(), json!({}).to_string(), "no JSON".to_owned()] {
        assert_eq!(post(&app, wrong.clone()).await.status(), StatusCode::BAD_REQUEST, "{wrong}");
    }
    let denied = app.request(Method::POST, "/admin/issues").body("{}").send().await.expect("an answer");
    assert_eq!(denied.status(), StatusCode::UNAUTHORIZED);
    app.stop().await;
}
