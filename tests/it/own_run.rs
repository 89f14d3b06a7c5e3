//! `/my-run`: everything that is stored about one's own run, without its id in any address, and how to erase it.

use crate::common::app::{TestApp, spawn_app, spawn_app_with};
use crate::common::http;
use crate::common::server::Server;
use crate::common::visitor::Visitor;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use telemetry_server::config::protection::ProtectionVariables;

const ID: &str = "0a1b2c3d-my-own-run";

/// A failed run with a value in every field.
fn event() -> Value {
    json!({
        "random_id": "my-session", "execution_id": ID, "payload_version": 3, "type": "lxc", "nsapp": "myapp",
        "status": "failed", "exit_code": 100, "repo_source": "external", "repo_slug": "owner/scripts",
        "platform": "pve", "os_type": "debian", "os_version": "12.7", "pve_version": "9.0.3", "method": "advanced",
        "arch": "arm64", "cpu_vendor": "intel", "cpu_model": "N100 model", "gpu_vendor": "nvidia",
        "gpu_model": "RTX model", "gpu_passthrough": "yes", "ram_speed": "4800", "kernel_version": "6.8.12-1-pve",
        "app_version": "10.9.11", "error_category": "dependency", "error": "E: Unable to locate package my-ffmpeg",
        "failed_command": "apt-get install my-ffmpeg", "failed_line": 4711, "runtime_source": "remote",
        "runtime_ref": "deadbeefcafe0123", "template_kind": "oci", "core_count": 3, "ram_size": 2049,
        "disk_size": 17, "ct_type": 1, "install_duration": 125, "has_arm": true, "custom_entrypoint": true,
        "host_managed_network": false,
    })
}

fn assert_private(response: &Response) {
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["referrer-policy"], "no-referrer");
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}

async fn text(response: Response) -> String {
    response.text().await.expect("a text")
}

async fn stored(app: &TestApp) -> StatusCode {
    app.get(&format!("/api/runs/{ID}")).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_everything_that_is_stored_and_erases_it_once_confirmed() {
    let app = spawn_app().await;
    app.report("/telemetry", &event()).await;
    let visitor = Visitor::of(&app);
    let form = visitor.page("/my-run").await;
    assert!(form.contains(r#"action="/my-run" method="post""#), "{form}");

    let response = visitor.post("/my-run", &[("id", &format!(" {ID} "))]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_private(&response);
    let page = text(response).await;
    let run = &app.get_json(&format!("/api/runs/{ID}")).await["executions"][0];
    for (name, value) in run.as_object().expect("a run") {
        match (name.as_str(), value) {
            // These are shown in words, or with another format.
            (
                "type" | "ct_type" | "install_duration" | "disableip6" | "signature" | "steps"
                | "failed_line",
                _,
            ) => {}
            (name, Value::String(value)) if !name.ends_with("_seen") && name != "finished_at" => {
                assert!(
                    page.contains(&value.replace('_', " ")) || page.contains(value.as_str()),
                    "{name}: {value}"
                );
            }
            (name, Value::Number(value)) => assert!(page.contains(&value.to_string()), "{name}: {value}"),
            _ => {}
        }
    }
    for shown in ["container", "2 min 5 s", "4711", "17 GB", "2049 MB", "failed: "] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(
        !page.contains("<a href=\"/my-run?") && !page.contains(&format!("/{ID}")),
        "no address has the id"
    );

    let response = visitor.post("/my-run/erase", &[("id", ID)]).await;
    assert_private(&response);
    let question = text(response).await;
    assert!(question.contains("Erase this run?") && question.contains(r#"name="confirmed""#), "{question}");
    assert_eq!(stored(&app).await, StatusCode::OK, "only asked");

    let response = visitor.post("/my-run/erase", &[("id", ID), ("confirmed", "yes")]).await;
    assert_private(&response);
    assert!(text(response).await.contains("1 run is erased"));
    assert_eq!(stored(&app).await, StatusCode::NOT_FOUND);
    for path in ["/my-run", "/my-run/erase"] {
        assert!(
            text(visitor.post(path, &[("id", ID)]).await).await.contains("Nothing is stored under this id")
        );
    }
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_that_are_not_valid_are_refused() {
    let app = spawn_app().await;
    let visitor = Visitor::of(&app);
    for path in ["/my-run", "/my-run/erase"] {
        for fields in [&[][..], &[("id", " ")], &[("id", "a"), ("id", "b")]] {
            let response = visitor.post(path, fields).await;
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{path} {fields:?}");
        }
        let long = "x".repeat(20_000);
        assert_eq!(visitor.post(path, &[("id", &long)]).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(visitor.post(path, &[("id", "\0<script>")]).await.status(), StatusCode::OK);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_on_the_page_is_limited_as_in_the_api() {
    let app = spawn_app_with(ProtectionVariables::default()).await;
    let visitor = Visitor::of(&app);
    for id in 0..30 {
        let id = format!("guess-{id}");
        let response = visitor.post("/my-run/erase", &[("id", &id), ("confirmed", "yes")]).await;
        assert_eq!(response.status(), StatusCode::OK);
    }
    let response = visitor.post("/my-run/erase", &[("id", "guess"), ("confirmed", "yes")]).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    app.stop().await;
}

#[test]
fn the_id_is_in_no_log() {
    let data = crate::common::DataDir::new();
    let folder = data.path().to_string_lossy().into_owned();
    let server = Server::start_with(&[("DATA_DIR", &folder), ("LOG", "trace")]);
    assert_eq!(
        http::post(server.address, "/telemetry", event().to_string().as_bytes()).expect("an answer").status,
        200
    );
    let body = format!("id={ID}&confirmed=yes");
    for path in ["/my-run", "/my-run/erase"] {
        assert_eq!(http::post(server.address, path, body.as_bytes()).expect("an answer").status, 200);
    }
    let log = server.stderr();
    assert!(log.contains("/my-run"), "the log is verbose");
    assert!(!log.contains(ID), "{}", log.lines().find(|line| line.contains(ID)).unwrap_or_default());
}
