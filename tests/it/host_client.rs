//! Our own client against the server: what scripts call on a host, and the rows that come of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::app::{TestApp, spawn_app};
use serde_json::{Value, json};
use tempfile::TempDir;

const SECRETS: [&str; 6] = ["hunter2", "192.168.178.42", "alice", "ghp_", "bc:24:11", "s3cr3tpw"];
const LOG: &str = "Get:1 http://deb.debian.org bookworm InRelease\nether bc:24:11:3c:9a:01 inet 192.168.178.42/24\n\
     GITHUB_TOKEN=ghp_16C7e42F292c6912E7710c838347Ae178B4a\ncp: cannot stat '/home/alice/.netrc'\n\
     E: Failed to fetch https://user:s3cr3tpw@mirror.example.org/pool/x.deb?a=b  403  Forbidden \"x\" \\\n";
/// A failure with a log, then an attempt that succeeds.
const INSTALL: &str = "start_install_timer; post_to_api; post_progress_to_api validation; post_progress_to_api\n\
     BUILD_LOG=$LOG FAILED_COMMAND='apt-get install -y immich --password=hunter2' FAILED_LINE=42\n\
     post_update_to_api failed 100; telemetry_new_attempt; CORE_COUNT=4\n\
     post_to_api; post_progress_to_api; post_update_to_api done 0";

/// The program as this build makes it; a test of one package alone has not built it yet.
fn program() -> PathBuf {
    let deps = std::env::current_exe().expect("the test has a path");
    let folder = deps.ancestors().nth(2).expect("it lies two folders below its profile");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--package", "telemetry-client", "--bin", "telemetry"]);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    build.env("CARGO_TARGET_DIR", folder.parent().expect("profiles lie in the target folder"));
    assert!(build.status().expect("cargo runs").success());
    folder.join("telemetry")
}

/// Runs a script of a host that consented, with the run `id`.
fn run_script(host: &TempDir, program: &Path, url: &str, id: &str, script: &str) {
    let log = host.path().join("install.log");
    std::fs::write(&log, LOG).expect("a log");
    let output = Command::new("bash")
        .args(["-c", &format!("set -Eeuo pipefail; source \"$API_FUNC\"; {script}")])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/bin")
        .env("API_FUNC", concat!(env!("CARGO_MANIFEST_DIR"), "/client/api.func"))
        .envs([("TELEMETRY_URL", url), ("DIAGNOSTICS", "yes"), ("RANDOM_UUID", id)])
        .env("TELEMETRY_ROOT", host.path())
        .env("TELEMETRY_BIN", program)
        .env("LOG", log)
        .envs([("NSAPP", "immich"), ("DISK_SIZE", "20G"), ("CORE_COUNT", "2"), ("RAM_SIZE", "2048")])
        .envs([("var_os", "debian"), ("var_version", "12"), ("CT_TYPE", "1"), ("PLATFORM", "pve")])
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

async fn executions(app: &TestApp, id: &str) -> Vec<Value> {
    let mut answer = app.get_json(&format!("/api/runs/{id}")).await;
    let mut executions: Vec<Value> = serde_json::from_value(answer["executions"].take()).expect("a list");
    executions.sort_by_key(|execution| execution["status"].to_string());
    executions
}

fn assert_is_the_install(executions: &[Value], what: &str) {
    let [failed, succeeded] = executions else { panic!("{what}: {executions:?}") };
    for execution in executions {
        let facts =
            ["app", "type", "disk_size", "ram_size", "os_type", "os_version", "platform", "generation"];
        let facts = facts.map(|name| execution[name].clone());
        let expected = json!(["immich", "lxc", 20, 2048, "debian", "12", "pve", 3]);
        assert_eq!(json!(facts), expected, "{what}");
        for secret in SECRETS {
            assert!(!execution.to_string().contains(secret), "{what}: {secret}: {execution}");
        }
    }
    assert_eq!((&failed["outcome"], &failed["exit_code"]), (&json!("failed"), &json!(100)), "{what}");
    assert_eq!(
        (&failed["error_category"], &failed["failed_line"]),
        (&json!("dependency"), &json!(42)),
        "{what}"
    );
    assert_eq!(failed["failed_command"], "apt-get install -y immich --password=<secret>", "{what}");
    assert_eq!(failed["steps"].as_array().map(Vec::len), Some(4), "{what}: {failed}");
    assert!(
        failed["error"].as_str().is_some_and(|error| error.contains("403  Forbidden \"x\" \\")),
        "{what}"
    );
    assert_eq!((&succeeded["outcome"], &succeeded["exit_code"]), (&json!("success"), &json!(0)), "{what}");
    assert_eq!((&failed["core_count"], &succeeded["core_count"]), (&json!(2), &json!(4)), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_install_is_the_same_rows_by_the_program_by_curl_and_late() {
    let app = spawn_app().await;
    let program = program();
    let host = tempfile::tempdir().expect("a folder");
    let nobody = "http://127.0.0.1:1";
    run_script(&host, &program, &app.url, "by-program", INSTALL);
    run_script(&host, Path::new("none"), &app.url, "by-curl", INSTALL);
    run_script(&host, &program, nobody, "late", INSTALL);
    assert_eq!(app.executions().await, 4);
    run_script(&host, &program, &app.url, "late", "$TELEMETRY_BIN flush");
    assert_eq!(app.executions().await, 6);

    let mut signatures = Vec::new();
    for id in ["by-program", "by-curl", "late"] {
        let executions = executions(&app, id).await;
        assert_is_the_install(&executions, id);
        signatures.push(executions[0]["signature"].clone());
    }
    assert!(signatures[0].is_string(), "{signatures:?}");
    assert!(signatures.iter().all(|signature| *signature == signatures[0]), "{signatures:?}");
    app.verify().await;
    app.stop().await;
}
