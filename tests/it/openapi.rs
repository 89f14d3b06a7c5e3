//! schemathesis sends valid and invalid requests generated from the description of the API to a server. Every response
//! must be described, and none may be a server error.

use std::path::PathBuf;
use std::process::Command;

use crate::common::app::{spawn_app_set, unlimited};
use crate::common::history::History;
use telemetry_seed::{Plan, seed};
use telemetry_server::config::Variables;

/// Number of random requests for each path and method, besides the examples and boundary values.
const EXAMPLES: &str = "30";
/// The checks. Invalid requests need not be refused, because unknown parameters are ignored.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance";

/// Path at which `scripts/setup test` installs it.
fn program() -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    target.parent().expect("the target folder").join("tools/schemathesis/bin/schemathesis")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_described() {
    let program = program();
    assert!(program.exists(), "{} is missing: run `scripts/setup test`", program.display());
    // A high time limit, so that nothing is refused on a busy machine.
    let slow =
        Variables { read_seconds: Some("60".to_owned()), protection: unlimited(), ..Variables::default() };
    let app = spawn_app_set(slow).await;
    History::write(&mut app.connection().await, 300).await;
    let plan = Plan { executions: 500, days: 40, seed: 1, until: chrono::Utc::now(), plants: Vec::new() };
    seed(app.pool(), &plan, |_| ()).await.expect("it is written");
    // One worker: with several, the parser of CPython 3.11 fails now and then.
    let mut schemathesis = Command::new(program);
    schemathesis
        .arg("run")
        .arg(format!("{}/openapi.json", app.url))
        .args(["--checks", CHECKS, "--max-examples", EXAMPLES, "--seed", "1"])
        .args(["--phases", "examples,coverage,fuzzing", "--no-shrink", "--workers", "1", "--warnings", "off"])
        .args(["--request-timeout", "30"])
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
        .env("NO_PROXY", "127.0.0.1")
        .env("NO_COLOR", "1");
    let output = tokio::task::spawn_blocking(move || schemathesis.output());
    let output = output.await.expect("it ends").expect("it runs");
    let (text, trouble) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{trouble}");
    app.verify().await;
    app.stop().await;
}
