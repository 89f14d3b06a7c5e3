//! Many events in one request, as the client of this project sends them after an outage.

use std::io::Write;

use crate::common::app::{TestApp, spawn_app};
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use serde_json::{Value, json};

fn event(id: &str, status: &str) -> Value {
    json!({"random_id": id, "nsapp": "jellyfin", "type": "lxc", "status": status, "exit_code": 0})
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

async fn send(app: &TestApp, encoding: Option<&str>, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let mut request = app.request(Method::POST, "/api/v1/events").body(body);
    if let Some(encoding) = encoding {
        request = request.header("content-encoding", encoding);
    }
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, response.json().await.expect("a JSON answer"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_of_a_batch_has_its_own_result() {
    let app = spawn_app().await;
    let lines = [
        event("a", "installing").to_string(),
        r#"{"status":"success"}"#.to_owned(),
        event("b", "success").to_string(),
        "{broken".to_owned(),
        r#"{"random_id":"c","nsapp":"x","disk_size": 32G}"#.to_owned(),
        event("a", "success").to_string(),
    ]
    .join("\n");
    let (status, answer) = send(&app, None, lines).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(4), &json!(2)));
    let results = answer["results"].as_array().expect("a list");
    let read: Vec<_> =
        results.iter().map(|result| (result["status"].as_str(), result["error"].as_str())).collect();
    let stored = (Some("accepted"), None);
    let refused = |code| (None, Some(code));
    assert_eq!(read, [stored, refused("missing_field"), stored, refused("unreadable"), stored, stored]);
    assert_eq!(results[1]["field"], "random_id");
    assert_eq!(app.executions().await, 3);
    let run = app.get_json("/api/runs/a").await;
    assert_eq!(run["executions"][0]["status"], "success");
    assert_eq!(app.get_json("/api/runs/c").await["executions"][0]["disk_size"], 32);
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_stores_ten_thousand_events_in_every_encoding() {
    let app = spawn_app().await;
    let events: Vec<_> = (0..10_000).map(|number| event(&format!("run-{number}"), "success")).collect();
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    let array = Value::Array(events).to_string();
    for (encoding, body) in [
        (None, array.clone().into_bytes()),
        (Some("gzip"), gzip(&lines)),
        (Some("zstd"), zstd::encode_all(array.as_bytes(), 3).expect("memory")),
    ] {
        let (status, answer) = send(&app, encoding, body).await;
        assert_eq!((status, &answer["accepted"]), (200, &json!(10_000)), "{encoding:?}");
    }
    assert_eq!(app.executions().await, 10_000, "sending them again changes nothing");
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_batch_is_rejected_as_a_whole() {
    let app = spawn_app().await;
    let too_many = "{}\n".repeat(10_001);
    let bomb = gzip(&"0".repeat(17 << 20));
    for (encoding, body, status, code) in [
        (None, b"hello".to_vec(), 400, "unreadable_batch"),
        (None, b"[{]".to_vec(), 400, "unreadable_batch"),
        (None, too_many.into_bytes(), 413, "too_many_events"),
        (None, vec![b' '; (16 << 20) + 1], 413, "body_too_large"),
        (Some("gzip"), bomb, 413, "batch_too_long"),
        (Some("gzip"), b"{}".to_vec(), 400, "broken_compression"),
        (Some("br"), b"{}".to_vec(), 415, "unsupported_encoding"),
    ] {
        let answer = send(&app, encoding, body).await;
        assert_eq!((answer.0, answer.1["error"].as_str()), (status, Some(code)), "{}", answer.1);
    }
    let long = json!({"random_id": "x", "nsapp": "x", "error": "e".repeat(300_000)}).to_string();
    let (status, answer) = send(&app, None, long).await;
    assert_eq!((status, &answer["results"][0]["error"]), (200, &json!("body_too_large")));
    assert_eq!(send(&app, None, "").await.1["results"], json!([]));
    assert_eq!(app.executions().await, 0);
    app.stop().await;
}
