//! The configuration of Prometheus and Alertmanager, checked by promtool and amtool: each alert fires when it should and
//! only then, and the metrics are well-formed.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::app::spawn_app;
use reqwest::Method;
use serde_json::json;

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

/// Runs a tool with this input and returns its output; panics if the tool fails.
fn content(program: &str, arguments: &[&str], files: &[PathBuf], input: &str) -> String {
    let mut command = Command::new(program);
    command.args(arguments).args(files).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error} (scripts/setup test)"));
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let done = child.wait_with_output().expect("it ends");
    let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(done.status.success(), "{program} {arguments:?}: {said}");
    said
}

fn tests_of_rules() -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(deploy("prometheus/tests"))
        .expect("it is there")
        .map(|file| file.expect("readable").path())
        .collect();
    files.sort();
    files
}

/// The values of `key` in the lines of these files.
fn values(files: &[PathBuf], key: &str) -> Vec<String> {
    let lines = files.iter().flat_map(|file| {
        let text = fs::read_to_string(file).expect("it is there");
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    lines
        .filter_map(|line| Some(line.trim().trim_start_matches("- ").strip_prefix(key)?.trim().to_owned()))
        .collect()
}

#[test]
fn the_configuration_and_the_rules_are_valid() {
    content("promtool", &["check", "config"], &[deploy("prometheus/prometheus.yml")], "");
    content(
        "promtool",
        &["check", "rules"],
        &["recording.yml", "alerts.yml"].map(|file| deploy("prometheus").join(file)),
        "",
    );
    content("amtool", &["check-config"], &[deploy("alertmanager/alertmanager.yml")], "");
}

#[test]
fn the_tests_of_the_rules_pass() {
    content("promtool", &["test", "rules"], &tests_of_rules(), "");
}

#[test]
fn each_alert_has_tests_for_firing_and_silence_and_a_dashboard() {
    let alerts = values(&[deploy("prometheus/alerts.yml")], "alert:");
    assert!(alerts.len() > 10);
    let names = values(&tests_of_rules(), "alertname:");
    let expected = values(&tests_of_rules(), "exp_alerts:");
    assert_eq!(names.len(), expected.len());
    for alert in &alerts {
        let of_alert = names.iter().zip(&expected).filter(|(name, _)| *name == alert);
        let kinds: BTreeSet<_> = of_alert.map(|(_, expected)| expected == "[]").collect();
        assert_eq!(kinds.len(), 2, "{alert} is tested only one way");
    }
    assert_eq!(values(&[deploy("prometheus/alerts.yml")], "dashboard:").len(), alerts.len());
}

#[test]
fn each_alert_links_to_its_runbook_and_each_runbook_has_an_alert() {
    let file = [deploy("prometheus/alerts.yml")];
    let alerts = values(&file, "alert:");
    let runbooks = [deploy("../docs/RUNBOOKS.md")];
    assert_eq!(values(&runbooks, "## "), alerts, "in the same order");
    let links: Vec<_> =
        alerts.iter().map(|alert| format!("docs/RUNBOOKS.md#{}", alert.to_lowercase())).collect();
    assert_eq!(values(&file, "runbook_url:"), links);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_of_a_server_are_well_formed() {
    let app = spawn_app().await;
    for status in ["installing", "failed"] {
        let event = json!({"random_id": "a", "nsapp": "x", "type": "lxc", "status": status, "exit_code": 1});
        app.report("/telemetry", &event).await;
    }
    let text = app.request(Method::GET, "/metrics").send().await.expect("an answer").text().await;
    let text = text.expect("a text");
    assert!(text.contains("\ntelemetry_runs_recent{"), "{text}");
    let said = tokio::task::block_in_place(|| content("promtool", &["check", "metrics"], &[], &text));
    assert_eq!(said, "", "promtool has something to say");
    app.stop().await;
}
