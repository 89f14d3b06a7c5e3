//! The HTTP contract: responses to invalid input, the result of valid input, and an unavailable database.

use std::time::{Duration, Instant};

use crate::common::DataDir;
use crate::common::app::{TestApp, spawn_app, spawn_app_on, spawn_unlimited};
use crate::common::http;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use telemetry_server::config::Variables;
use telemetry_server::store::database::connect::embedded_options;
use telemetry_server::store::database::embedded::Embedded;

const INGEST_PATHS: [&str; 5] =
    ["/telemetry", "/upload", "/upload/updatestatus", "/dev/upload", "/dev/upload/updatestatus"];

/// Asserts that a response is an error of the documented shape, and returns its field.
async fn field_of(response: Response, status: u16, code: &str, case: &str) -> Value {
    assert_eq!(response.status(), status, "{case}");
    assert_eq!(response.headers()["content-type"], "application/json", "{case}");
    let body: Value = response.json().await.expect("a JSON answer");
    let keys: Vec<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["error", "field", "message"], "{case}");
    assert_eq!(body["error"], code, "{case}: {body}");
    let message = body["message"].as_str().expect("a text");
    assert!(message.len() > 10 && message.ends_with('.'), "{case}: {message}");
    body["field"].clone()
}

/// The one execution with this id.
async fn execution(app: &TestApp, id: &str) -> Value {
    let answer = app.get_json(&format!("/api/runs/{id}")).await;
    assert_eq!(answer["executions"].as_array().map(Vec::len), Some(1), "{answer}");
    answer["executions"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_bodies_are_refused_with_a_reason() {
    let app = spawn_app().await;
    let deep = "[".repeat(100_000);
    let deep_field = format!(r#"{{"a":{}"#, r#"{"a":"#.repeat(50_000));
    let long_id = format!(r#"{{"random_id":"{}","nsapp":"x","status":"done"}}"#, "a".repeat(129));
    let cases: [(&str, &[u8], u16, &str, Value); 18] = [
        ("nothing", b"", 400, "empty_body", Value::Null),
        ("white space", b" \r\n\t", 400, "empty_body", Value::Null),
        ("no JSON", b"hello", 400, "not_an_object", Value::Null),
        ("a form", b"status=done&random_id=a-1", 400, "not_an_object", Value::Null),
        ("an array", br#"[{"random_id":"a-1","nsapp":"x"}]"#, 400, "not_an_object", Value::Null),
        ("a text", br#""random_id""#, 400, "not_an_object", Value::Null),
        ("null", b"null", 400, "not_an_object", Value::Null),
        ("nested arrays", deep.as_bytes(), 400, "not_an_object", Value::Null),
        ("nested objects", deep_field.as_bytes(), 400, "unreadable", Value::Null),
        ("zeros", b"\0\0\0\0", 400, "not_an_object", Value::Null),
        ("bad bytes", b"{\xff\xfe\x80", 400, "unreadable", Value::Null),
        ("a brace", b"{", 400, "unreadable", Value::Null),
        ("an empty object", b"{}", 400, "missing_field", json!("random_id")),
        ("nothing of ours", br#"{"test":"payload"}"#, 400, "missing_field", json!("random_id")),
        ("an end of no run", br#"{"status":"done","error":""}"#, 400, "missing_field", json!("random_id")),
        ("no status", br#"{"random_id":"a-1"}"#, 400, "missing_field", json!("status")),
        (
            "a new status",
            br#"{"random_id":"a-1","status":"exploded"}"#,
            400,
            "invalid_field",
            json!("status"),
        ),
        ("a long id", long_id.as_bytes(), 400, "invalid_field", json!("random_id")),
    ];
    for path in INGEST_PATHS {
        for (case, body, status, code, field) in &cases {
            let response = app.post(path, body.to_vec()).await;
            assert_eq!(field_of(response, *status, code, case).await, *field, "{case} to {path}");
        }
    }
    let end = br#"{"nsapp":"x","type":"lxc","status":"failed","exit_code":1}"#;
    let response = app.post("/telemetry", end.to_vec()).await;
    assert_eq!(field_of(response, 400, "missing_field", "an end of an app").await, "random_id");
    assert_eq!(app.executions().await, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_fields_are_dropped_and_their_event_is_stored() {
    let app = spawn_app().await;
    let text = |body: &str| body.as_bytes().to_vec();
    let deep =
        format!(r#"{{"random_id":"deep","a":{}{},"nsapp":"x"}}"#, "[".repeat(50_000), "]".repeat(50_000));
    let cases: [(&str, Vec<u8>, &str, Value); 16] = [
        ("deep", deep.into_bytes(), "app", json!("x")),
        ("big", text(r#"{"random_id":"big","nsapp":"x","disk_size":99999999999}"#), "disk_size", Value::Null),
        ("huge", text(r#"{"random_id":"huge","nsapp":"x","ram_size":1e400}"#), "ram_size", Value::Null),
        (
            "digits",
            text(r#"{"random_id":"digits","nsapp":"x","core_count":99999999999999999999999}"#),
            "core_count",
            Value::Null,
        ),
        ("minus", text(r#"{"random_id":"minus","nsapp":"x","disk_size":-8}"#), "disk_size", Value::Null),
        ("list", text(r#"{"random_id":"list","nsapp":"x","disk_size":[8]}"#), "disk_size", Value::Null),
        (
            "code",
            text(r#"{"random_id":"code","nsapp":"x","status":"failed","exit_code":256}"#),
            "exit_code",
            Value::Null,
        ),
        ("type", text(r#"{"random_id":"type","nsapp":"x","type":"docker"}"#), "type", Value::Null),
        ("start", text(r#"{"random_id":"start","nsapp":"x"}"#), "status", json!("installing")),
        ("unit", text(r#"{"random_id":"unit","nsapp":"x","disk_size": 32G}"#), "disk_size", json!(32)),
        ("escaped", text("{\"random_id\":\"escaped\",\"nsapp\":\"x\\u0000y\"}"), "app", json!("xy")),
        ("raw", text("{\"random_id\":\"raw\",\"nsapp\":\"x\0y\"}"), "app", json!("xy")),
        (
            "bytes",
            b"{\"random_id\":\"bytes\",\"nsapp\":\"x\",\"status\":\"failed\",\"error\":\"caf\xe9\"}".to_vec(),
            "error",
            json!("caf\u{fffd}"),
        ),
        ("cut", text(r#"{"random_id":"cut","nsapp":"x","os_type":"deb"#), "os_type", json!("deb")),
        ("mark", b"\xef\xbb\xbf{\"random_id\":\"mark\",\"nsapp\":\"x\"}".to_vec(), "app", json!("x")),
        ("twice", text(r#"{"random_id":"twice","nsapp":"x","nsapp":"y"}"#), "app", json!("y")),
    ];
    for (id, body, field, expected) in &cases {
        let response = app.post("/telemetry", body.clone()).await;
        assert_eq!(response.status(), StatusCode::OK, "{id}: {:?}", response.text().await);
        assert_eq!(execution(&app, id).await[*field], *expected, "{id}");
    }
    assert_eq!(app.executions().await, cases.len() as i64);
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_an_id_is_an_execution_of_its_own() {
    let app = spawn_app().await;
    let start = json!({"nsapp": "jellyfin", "ct_type": 1, "disk_size": 8});
    for path in ["/upload", "/telemetry", "/dev/upload"] {
        app.report(path, &start).await;
    }
    let generations = sqlx::query_scalar::<_, i16>("select generation from execution").fetch_all(app.pool());
    assert_eq!(generations.await.expect("it runs"), [0, 0, 0]);
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_with_any_framing() {
    let app = spawn_app().await;
    let body = format!(r#"{{"random_id":"a-1","nsapp":"x","error":"{}"}}"#, "e".repeat(1 << 20));
    let response = app.post("/telemetry", body.clone()).await;
    assert_eq!(field_of(response, 413, "body_too_large", "with a length").await, Value::Null);

    let address = app.url["http://".len()..].parse().expect("an address");
    let (expecting, chunked) = tokio::task::block_in_place(|| {
        let mut connection = http::open(address).expect("it listens");
        let head = http::head("POST", "/telemetry", &["Expect: 100-continue"], body.len());
        std::io::Write::write_all(&mut connection, head.as_bytes()).expect("it listens");
        let expecting = http::answer(connection).expect("an answer");
        (expecting, http::post_chunked(address, "/telemetry", body.as_bytes()).expect("an answer"))
    });
    assert_eq!((expecting.status, chunked.status), (413, 413));

    let largest = format!(r#"{{"random_id":"a-2","nsapp":"x","error":"{}"}}"#, "e".repeat((256 << 10) - 45));
    let response = app.post("/telemetry", largest).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(app.executions().await, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_content_type_is_accepted_and_no_content_encoding() {
    let app = spawn_app().await;
    let body = |id: &str| json!({"random_id": id, "nsapp": "x"}).to_string();
    for (id, content_type) in [
        ("form", Some("application/x-www-form-urlencoded")),
        ("text", Some("text/plain; charset=latin1")),
        ("odd", Some("no type at all")),
        ("none", None),
    ] {
        let request = app.request(Method::POST, "/telemetry").body(body(id));
        let request =
            content_type.iter().fold(request, |request, kind| request.header("content-type", *kind));
        assert_eq!(request.send().await.expect("an answer").status(), StatusCode::OK, "{id}");
        assert_eq!(execution(&app, id).await["app"], "x");
    }
    for (encoding, status) in [("gzip", 415), ("zstd", 415), ("br", 415), ("identity", 200)] {
        let request = app.request(Method::POST, "/telemetry").header("content-encoding", encoding);
        let response = request.body(body("a-1")).send().await.expect("an answer");
        if status == 200 {
            assert_eq!(response.status(), StatusCode::OK);
        } else {
            assert_eq!(field_of(response, status, "unsupported_encoding", encoding).await, Value::Null);
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_get_404_and_unsupported_methods_405() {
    let app = spawn_app().await;
    let send = async |method: Method, path: &str| app.request(method, path).send().await.expect("an answer");
    for path in INGEST_PATHS {
        let response = send(Method::HEAD, path).await;
        assert_eq!(response.status(), StatusCode::OK, "HEAD {path}");
        assert!(response.bytes().await.expect("nothing").is_empty());
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let response = send(method.clone(), path).await;
            assert_eq!(response.headers()["allow"], "POST, HEAD", "{method} {path}");
            field_of(response, 405, "method_not_allowed", path).await;
        }
    }
    for path in ["/", "/api/dashboard", "/api/exit-codes", "/healthz", "/readyz", "/metrics"] {
        let response = send(Method::POST, path).await;
        assert_eq!(response.headers()["allow"], "GET, OPTIONS", "POST {path}");
        field_of(response, 405, "method_not_allowed", path).await;
    }
    let response = send(Method::POST, "/api/runs/a-1").await;
    assert_eq!(response.headers()["allow"], "GET, DELETE");
    field_of(response, 405, "method_not_allowed", "a run").await;
    for path in ["/nothing", "/telemetry/", "/upload/more", "/api", "/api/runs", "/api/runs/", "//", "/%00"] {
        for method in [Method::GET, Method::POST] {
            field_of(send(method, path).await, 404, "not_found", path).await;
        }
    }
    field_of(send(Method::GET, "/api/runs/unknown").await, 404, "not_found", "a run").await;
    for (path, field) in [
        ("/api/dashboard?days=x", "days"),
        ("/api/dashboard?days=-1", "days"),
        ("/api/dashboard?days=3661", "days"),
        ("/api/dashboard?from=yesterday", "from"),
        ("/api/dashboard?repo=mine", "repo"),
        ("/api/dashboard?type=docker", "type"),
        ("/api/exit-codes/256", "code"),
        ("/api/exit-codes/1?generation=4", "generation"),
    ] {
        let response = send(Method::GET, path).await;
        assert_eq!(field_of(response, 400, "bad_parameter", path).await, field);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_recovered_is_a_success_in_any_order() {
    let app = spawn_app().await;
    let report = |id: &str, status: &str, exit_code: i32, error: &str| {
        json!({"random_id": id, "execution_id": id, "nsapp": "jellyfin", "type": "lxc", "status": status,
               "exit_code": exit_code, "error": error, "error_category": "network"})
    };
    for (id, order) in [("late", ["failed", "success"]), ("early", ["success", "failed"])] {
        app.report("/telemetry", &report(id, "installing", 0, "")).await;
        for status in order {
            let failed = status == "failed";
            let error = if failed { "cannot resolve the host" } else { "" };
            app.report("/telemetry", &report(id, status, if failed { 6 } else { 0 }, error)).await;
        }
        let found = execution(&app, id).await;
        assert_eq!((&found["status"], &found["outcome"]), (&json!("success"), &json!("success")), "{id}");
        assert_eq!(found["exit_code"], 0, "{id}");
        for field in ["error", "error_category", "exit_code_explanation", "failed_command", "failed_line"] {
            assert_eq!(found[field], Value::Null, "{id}: {field}");
        }
        assert_eq!(found["steps"].as_array().map(Vec::len), Some(3));
    }
    let dashboard = app.get_json("/api/dashboard?days=0").await;
    assert_eq!((&dashboard["success_count"], &dashboard["failed_count"]), (&json!(2), &json!(0)));
    assert_eq!(dashboard["error_categories"], json!([]));
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn development_paths_set_the_repository_unless_the_body_does() {
    let app = spawn_app().await;
    app.report("/dev/upload", &json!({"random_id": "dev", "nsapp": "x"})).await;
    app.report("/dev/upload/updatestatus", &json!({"random_id": "end", "status": "done"})).await;
    app.report("/dev/upload", &json!({"random_id": "said", "nsapp": "x", "repo_source": "ProxmoxVE"})).await;
    app.report("/upload", &json!({"random_id": "plain", "nsapp": "x"})).await;
    for (id, repository) in [
        ("dev", json!("ProxmoxVED")),
        ("end", json!("ProxmoxVED")),
        ("said", json!("ProxmoxVE")),
        ("plain", Value::Null),
    ] {
        assert_eq!(execution(&app, id).await["repo_source"], repository, "{id}");
    }
    let count = async |repo: &str| {
        app.get_json(&format!("/api/dashboard?repo={repo}")).await["total_installs"].clone()
    };
    assert_eq!([count("ProxmoxVE").await, count("ProxmoxVED").await], [json!(2), json!(1)]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lists_its_attempts_newest_first() {
    let app = spawn_app().await;
    for (attempt, status) in [("one", "failed"), ("two", "aborted"), ("three", "success")] {
        let event = json!({"random_id": "session", "execution_id": attempt, "nsapp": "x", "status": status});
        app.report("/telemetry", &event).await;
        assert_eq!(execution(&app, attempt).await["status"], status);
    }
    let answer = app.get_json("/api/runs/session").await;
    let listed: Vec<_> =
        answer["executions"].as_array().expect("a list").iter().map(|run| &run["status"]).collect();
    assert_eq!(listed, ["success", "aborted", "failed"]);
    assert!(!answer.to_string().contains("session"), "no id is shown");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_unavailable_events_are_spooled_and_queries_refused() {
    let folder = DataDir::new();
    let start = || tokio::task::block_in_place(|| Embedded::start(&folder.settings()).expect("it starts"));
    let embedded = start();
    let app = spawn_app_on(embedded_options(embedded.endpoint())).await;
    let event = |id: &str, status: &str| json!({"random_id": id, "nsapp": "x", "status": status});
    app.report("/telemetry", &event("before", "installing")).await;
    assert_eq!(app.get("/readyz").await, (StatusCode::OK, json!({"status": "ready"})));
    tokio::task::block_in_place(|| embedded.stop().expect("a clean stop"));

    for id in ["before", "during", "during"] {
        app.report("/telemetry", &event(id, "success")).await;
    }
    let (status, body) = app.get("/readyz").await;
    assert_eq!((status, &body["status"]), (StatusCode::OK, &json!("degraded")));
    assert!(body["reason"].as_str().is_some_and(|reason| reason.contains("database")), "{body}");
    assert_eq!(app.get("/healthz").await.0, StatusCode::OK);
    for path in ["/api/runs/before", "/api/dashboard"] {
        let response = app.request(Method::GET, path).send().await.expect("an answer");
        assert_eq!(response.headers()["retry-after"], "2", "{path}");
        field_of(response, 503, "database_unavailable", path).await;
    }

    let embedded = start();
    let begun = Instant::now();
    while app.get("/readyz").await.1 != json!({"status": "ready"}) {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not find the database again");
    }
    app.report("/telemetry", &event("after", "success")).await;
    for id in ["before", "during", "after"] {
        assert_eq!(execution(&app, id).await["status"], "success");
    }
    assert_eq!(execution(&app, "before").await["steps"].as_array().map(Vec::len), Some(2));
    assert_eq!(app.executions().await, 3);
    app.verify().await;
    app.stop().await;
    tokio::task::block_in_place(|| embedded.stop().expect("a clean stop"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_spool_an_unavailable_database_is_reported_until_it_is_back() {
    let folder = DataDir::new();
    let start = || tokio::task::block_in_place(|| Embedded::start(&folder.settings()).expect("it starts"));
    let embedded = start();
    let variables = Variables { spool_max_bytes: Some("0".to_owned()), ..Variables::default() };
    let app = spawn_unlimited(embedded_options(embedded.endpoint()), variables).await;
    let event = |id: &str| json!({"random_id": id, "nsapp": "x", "status": "success"});
    app.report("/telemetry", &event("before")).await;
    tokio::task::block_in_place(|| embedded.stop().expect("a clean stop"));

    let response = app.post("/telemetry", event("during").to_string()).await;
    assert_eq!(response.headers()["retry-after"], "2");
    assert_eq!(field_of(response, 503, "database_unavailable", "an event").await, Value::Null);
    let (status, body) = app.get("/readyz").await;
    assert_eq!((status, &body["status"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("unready")));

    let embedded = start();
    let begun = Instant::now();
    while app.post("/telemetry", event("after").to_string()).await.status() != StatusCode::OK {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not find the database again");
    }
    assert_eq!(app.get("/readyz").await, (StatusCode::OK, json!({"status": "ready"})));
    assert_eq!(execution(&app, "after").await["status"], "success");
    assert_eq!(app.get("/api/runs/during").await.0, StatusCode::NOT_FOUND);
    app.verify().await;
    app.stop().await;
    tokio::task::block_in_place(|| embedded.stop().expect("a clean stop"));
}
