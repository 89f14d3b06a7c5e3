//! Snapshots of whole answers, without times. Any change to an answer that other programs read fails here.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::app::{TestApp, spawn_app};
use insta::assert_json_snapshot;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use telemetry_protocol::wire::FIELDS;

/// Replaces every time, date, id and version with a placeholder.
fn timeless(mut answer: Value) -> Value {
    match &mut answer {
        Value::Object(fields) => {
            for (name, value) in fields {
                *value = match name.as_str() {
                    "as_of" | "first_seen" | "last_seen" | "finished_at" | "at" if value.is_string() => {
                        let time = value.as_str().map(chrono::DateTime::parse_from_rfc3339);
                        assert!(matches!(time, Some(Ok(_))), "{name}: {value}");
                        json!("[time]")
                    }
                    "created" | "created_at" => json!("[time]"),
                    "id" => json!("[id]"),
                    "pipeline" => {
                        let steps: Value =
                            serde_json::from_str(value.as_str().expect("a text")).expect("a JSON text");
                        let steps = steps.as_array().expect("a list").iter();
                        json!(steps.map(|step| step["s"].clone()).collect::<Vec<_>>())
                    }
                    "next_cursor" if value.is_string() => json!("[cursor]"),
                    "date" => json!("[date]"),
                    "version" if value == env!("CARGO_PKG_VERSION") => json!("[version]"),
                    _ => timeless(value.take()),
                };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = timeless(item.take())),
        _ => {}
    }
    answer
}

/// An event of the newest generation.
fn event(id: &str, status: &str, more: Value) -> Value {
    let mut event = json!({
        "random_id": id, "execution_id": format!("{id}-1"), "payload_version": 3, "type": "lxc",
        "nsapp": "Jellyfin", "status": status, "ct_type": 1, "disk_size": 16, "core_count": 2, "ram_size": 2048,
        "os_type": "Debian", "os_version": "13", "pve_version": "9.0.3", "method": "default", "exit_code": 0,
        "error": "", "error_category": "", "install_duration": 0, "cpu_vendor": "intel",
        "cpu_model": "Intel(R) N100", "gpu_vendor": "intel", "gpu_model": "UHD Graphics",
        "gpu_passthrough": "yes", "ram_speed": 4800, "arch": "amd64", "platform": "pve", "has_arm": false,
        "repo_source": "ProxmoxVE", "repo_slug": "community-scripts/ProxmoxVE", "failed_command": "",
        "failed_line": 0, "kernel_version": "6.14.8-2-pve", "app_version": "10.10.7"
    });
    let fields = event.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    event
}

fn failure(exit_code: i32, error: &str) -> Value {
    json!({"exit_code": exit_code, "error": error, "install_duration": 90})
}

async fn report_all(app: &TestApp, events: &[Value]) {
    for event in events {
        app.report("/telemetry", event).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_of_the_newest_generation() {
    let app = spawn_app().await;
    let end = json!({
        "exit_code": 231, "error": "exit_code=231 | stack\n---\nE: Sub-process returned an error code",
        "error_category": "proxmox", "install_duration": 187, "failed_command": "pct create 105 local:vztmpl/x",
        "failed_line": 412
    });
    let steps = ["installing", "validation", "configuring"].map(|status| event("run", status, json!({})));
    report_all(&app, &steps).await;
    app.report("/telemetry", &event("run", "failed", end)).await;
    assert_json_snapshot!("failed_run", timeless(app.get_json("/api/runs/run").await));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_holder_of_the_id_sees_every_reported_fact() {
    // Ids are never shown, the payload version appears as the generation, and the others are aliases.
    const ELSEWHERE: [&str; 12] = [
        "random_id",
        "execution_id",
        "payload_version",
        "nsapp",
        "error_explanation",
        "duration",
        "vm_app",
        "vm_disk",
        "vm_cores",
        "vm_ram",
        "vm_os",
        "vm_version",
    ];
    let app = spawn_app().await;
    let reported = json!({
        "exit_code": 1, "error": "E: no space left on device", "error_category": "storage",
        "install_duration": 9, "failed_command": "dd", "failed_line": 7, "disableip6": "yes",
        "template_kind": "oci", "custom_entrypoint": true, "host_managed_network": false,
        "runtime_source": "pinned", "runtime_ref": "v1.2.3"
    });
    app.report("/telemetry", &event("all", "failed", reported)).await;
    let run = app.get_json("/api/runs/all").await["executions"][0].clone();
    let missing = FIELDS.iter().filter(|field| !ELSEWHERE.contains(field) && run[**field].is_null());
    assert_eq!(missing.collect::<Vec<_>>(), [&""; 0], "{run:#}");
    assert_eq!(
        ["template_kind", "custom_entrypoint", "host_managed_network", "runtime_source", "runtime_ref"]
            .map(|field| run[field].clone()),
        [json!("oci"), json!(true), json!(false), json!("pinned"), json!("v1.2.3")]
    );
    app.stop().await;
}

/// Reports runs with every outcome and of several types.
async fn report_a_few_runs(app: &TestApp) {
    let success = |seconds: i32| json!({"install_duration": seconds});
    let docker = |more: Value| {
        let mut fields =
            json!({"nsapp": "docker", "os_type": "rockylinux", "os_version": "9", "gpu_vendor": ""});
        fields.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        fields
    };
    report_all(
        app,
        &[
            event("a", "success", success(100)),
            event("b", "success", success(300)),
            event("c", "installing", json!({})),
            event("c", "failed", failure(100, "E: Unable to fetch some archives")),
            event("d", "failed", docker(failure(1, "general"))),
            event("e", "failed", docker(failure(130, "interrupted"))),
            event("f", "aborted", docker(failure(130, "interrupted"))),
            event("g", "failed", docker(failure(105, "wrong version of Proxmox VE"))),
            event("h", "installing", json!({"type": "vm", "nsapp": "haos-vm", "ct_type": 2})),
            event(
                "i",
                "success",
                json!({"type": "tool", "nsapp": "post-pve-install", "repo_slug": "me/fork"}),
            ),
            event("j", "success", json!({"type": "addon", "nsapp": "netdata", "platform": "incus"})),
            event("k", "unknown", json!({"type": "addon", "nsapp": "netdata"})),
        ],
    )
    .await;
    app.report("/upload/updatestatus", &json!({"random_id": "l", "status": "done", "error": ""})).await;
    app.report("/dev/upload", &json!({"random_id": "m", "nsapp": "in-development", "ct_type": 1})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_of_a_few_runs() {
    let app = spawn_app().await;
    report_a_few_runs(&app).await;
    let mut dashboard = app.get_all("/api/dashboard?days=0").await;
    // If midnight has passed meanwhile, the last day has no runs.
    let days = dashboard["daily_stats"].as_array_mut().expect("a list");
    days.retain(|day| day["success"] != 0 || day["failed"] != 0);
    // Another test covers the fields of a record. Here the list of runs is enough.
    let records = dashboard["recent_records"].as_array_mut().expect("a list");
    let mut newest = app.get_json("/api/runs/k").await["executions"][0].clone();
    newest["created"] = newest["first_seen"].clone();
    newest["pipeline"] = records[0]["pipeline"].clone();
    assert_eq!(records[0], newest);
    for record in records {
        *record = json!([record["app"], record["status"], record["outcome"], record["exit_code"]]);
    }
    assert_json_snapshot!("dashboard", timeless(dashboard));

    for (filter, runs) in [("repo=all", 12), ("type=addon", 2), ("slug=me/fork", 1), ("platform=incus", 1)] {
        let filtered = app.get_json(&format!("/api/dashboard?days=0&{filter}")).await;
        assert_eq!(filtered["total_installs"], runs, "{filter}");
    }
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_aggregates_and_lists_of_a_few_runs() {
    let app = spawn_app().await;
    report_a_few_runs(&app).await;
    for (name, path) in [
        ("errors", "/api/errors"),
        ("scripts", "/api/scripts?type=lxc"),
        ("repo_slugs", "/api/repo-slugs"),
        ("records", "/api/records?limit=2&status=failed"),
        ("data_summary", "/data/summary"),
        ("data_paginated", "/data/paginated?limit=2"),
        ("data_errors", "/data/errors"),
    ] {
        let mut answer = app.get_all(path).await;
        // Midnight may pass meanwhile, so days without reports are removed.
        if let Some(days) = answer.get_mut("error_timeline").and_then(Value::as_array_mut) {
            days.retain(|day| day["failed"] != 0 || day["aborted"] != 0);
        }
        assert_json_snapshot!(name, timeless(answer));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_meaning_of_an_exit_code_and_the_index() {
    let app = spawn_app().await;
    assert_json_snapshot!("exit_code_231", app.get_json("/api/exit-codes/231").await);
    assert_json_snapshot!(
        "exit_code_231_generation_1",
        app.get_json("/api/exit-codes/231?generation=1").await
    );
    assert_json_snapshot!("index", timeless(app.get_json("/").await));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_with_their_types_and_labels() {
    let app = spawn_app().await;
    app.report("/telemetry", &event("a", "success", json!({}))).await;
    assert_eq!(app.post("/telemetry", r#"{"random_id":"b","nsapp":x}"#).await.status(), StatusCode::OK);
    assert_eq!(app.post("/telemetry", "").await.status(), StatusCode::BAD_REQUEST);
    let text = app.request(Method::GET, "/metrics").send().await.expect("an answer").text().await;
    let text = text.expect("a text");
    assert_json_snapshot!("metrics", families(&text));

    for line in [
        r#"telemetry_http_requests_total{route="/telemetry",status="200"} 2"#,
        r#"telemetry_http_requests_total{route="/telemetry",status="400"} 1"#,
        r#"telemetry_events_accepted_total{generation="3"} 1"#,
        r#"telemetry_events_rejected_total{reason="empty_body"} 1"#,
        "telemetry_batch_events_count 2",
        "telemetry_batch_events_sum 2",
        "telemetry_queue_events 0",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} in\n{text}");
    }
    app.stop().await;
}

/// Each metric with its type and the names of its labels.
fn families(text: &str) -> BTreeMap<&str, Value> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let labels = |name: &str| {
        let samples = text.lines().filter_map(|line| line.strip_prefix(name)?.split_once('{'));
        let samples = samples.filter(|(suffix, _)| matches!(*suffix, "" | "_bucket"));
        samples
            .flat_map(|(_, labels)| labels.split('}').next().unwrap_or_default().split("\","))
            .filter_map(|label| Some(label.split_once('=')?.0))
            .collect::<BTreeSet<_>>()
    };
    types.map(|(name, kind)| (name, json!({"type": kind, "labels": labels(name)}))).collect()
}
