//! No secret from a log leaves the host or is written to its disk.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use support::scripts::{assert_no_secret, curl_transports, log_with_secrets, run};
use support::{Host, Listener, Mode, events, recorded};

/// Runs `telemetry`, optionally with `show`, to report a failure with this log.
fn report_failure(host: &Host, show: bool, log: &Path) -> Output {
    let show = if show { vec!["show"] } else { Vec::new() };
    let finish = ["finish", "--status", "failed", "--exit-code", "1", "--line", "42"];
    let command = ["--command", "mysql -u root --password=hunter2 -h 10.20.30.40"];
    let log = ["--log", log.to_str().unwrap()];
    let output = host.run([&show[..], &finish, &command, &log].concat());
    assert!(output.status.success());
    output
}

#[test]
fn a_log_is_scrubbed_before_it_is_sent_and_before_it_is_written() {
    let server = Listener::start(Mode::Status(500, None));
    let host = Host::new(&server.url());
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("install.log");
    fs::write(&log, log_with_secrets()).unwrap();
    report_failure(&host, false, &log);
    assert_no_secret(&host.all_files(), "the disk");
    server.answer(Mode::Up);
    host.report("flush");
    for request in server.requests() {
        assert_no_secret(&request.text(), "a request");
    }
    let event: &Value = &events(&server)[1];
    let error = event["error"].as_str().unwrap();
    for kept in ["exit_code=1 | ", "nodejs (22.11.0)", "K\u{f6}ln", "ends in a backslash \\"] {
        assert!(error.contains(kept), "{kept}: {error}");
    }
    assert_eq!(event["failed_line"], 42);
}

#[test]
fn secrets_planted_in_recorded_logs_are_scrubbed() {
    let planted = recorded::planted_secrets(&recorded::fixtures());
    let host = Host::new("http://127.0.0.1:9");
    let mut checked = 0;
    for request in recorded::requests(&recorded::fixtures()) {
        let id = recorded::run_id(&request);
        let Ok(body) = serde_json::from_slice::<Value>(&recorded::body(&request)) else { continue };
        let (Some(error), secrets) = (body["error"].as_str(), &planted[id]) else { continue };
        if secrets.is_empty() {
            continue;
        }
        let log = host.write("tmp/install.log", error);
        let shown = String::from_utf8(report_failure(&host, true, &log).stdout).unwrap();
        for secret in secrets {
            assert!(!shown.contains(secret), "{id} shows {secret}: {shown}");
        }
        for transport in curl_transports() {
            let server = Listener::start(Mode::Up);
            let host = Host::new(&server.url());
            run(&host, transport, &format!("BUILD_LOG={}; post_update_to_api failed 1", log.display()));
            let sent = server.requests()[0].text();
            for secret in secrets {
                assert!(!sent.contains(secret), "{id}, {transport:?}: {secret}: {sent}");
            }
        }
        checked += 1;
    }
    assert!(checked >= 4, "{checked} bodies with planted secrets");
}
