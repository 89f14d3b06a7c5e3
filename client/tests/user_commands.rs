//! The interactive commands: consent, status, show, explain, runs and forget.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs::File;
use std::process::Output;

use support::{Host, Listener, Mode, events, json, paths};

/// The standard output of a command that succeeded.
fn out(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

const REPORTS: [&str; 6] =
    ["start", "progress", "finish --status failed --exit-code 1", "tool microcode", "addon netdata", "flush"];

#[test]
fn without_a_yes_nothing_is_sent_or_written() {
    let server = Listener::start(Mode::Up);
    for answer in ["no", "", "YES", "true", "1", "yes "] {
        for in_file in [false, true] {
            let host = Host::new(&server.url());
            let host = if in_file {
                host.write("usr/local/community-scripts/diagnostics", format!("DIAGNOSTICS={answer}x\n"));
                host
            } else {
                host.with(&[("DIAGNOSTICS", answer)])
            };
            let before = host.all_files();
            for report in REPORTS {
                host.report(report);
            }
            assert_eq!(host.all_files(), before, "{answer:?}");
        }
    }
    assert_eq!(paths(&server), [""; 0]);
}

#[test]
fn a_host_that_was_never_asked_sends_nothing() {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url());
    std::fs::remove_file(host.root.path().join("usr/local/community-scripts/diagnostics")).unwrap();
    let mut command = host.command(env!("CARGO_BIN_EXE_telemetry"));
    assert!(command.env_remove("DIAGNOSTICS").arg("start").status().unwrap().success());
    assert_eq!(paths(&server), [""; 0]);
}

#[test]
fn opting_out_deletes_unsent_events_and_opting_in_resumes_reports() {
    let server = Listener::start(Mode::Status(500, None));
    let host = Host::new(&server.url());
    host.report("finish --status done");
    assert_eq!(host.unsent().len(), 1);
    out(&host.run(["opt-out"]));
    assert!(host.unsent().is_empty());
    server.answer(Mode::Up);
    host.report("start");
    assert_eq!(server.requests().len(), 1, "only the report before opting out");
    out(&host.run(["opt-in"]));
    host.report("start");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn opting_in_warns_if_the_environment_forbids_reports() {
    let host = Host::new("http://127.0.0.1:1").with(&[("DIAGNOSTICS", "no")]);
    assert!(out(&host.run(["opt-in"])).contains("still forbids them"));
    let host = host.with(&[("DIAGNOSTICS", "yes")]);
    assert!(!out(&host.run(["opt-in"])).contains("still forbids"));
}

#[test]
fn the_first_report_caches_the_facts_in_a_private_folder() {
    use std::os::unix::fs::PermissionsExt;
    let host = Host::new(&Listener::start(Mode::Up).url());
    host.report("start");
    assert!(host.outbox().join("facts.json").is_file());
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&host.outbox()), 0o700);
    let above = host.outbox().parent().unwrap().to_owned();
    assert_eq!(mode(&above), mode(above.parent().unwrap()), "created with the default mode");
    assert_ne!(mode(&above), 0o700);
}

#[test]
fn show_prints_the_event_without_sending_or_writing_it() {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url()).with(&[("DIAGNOSTICS", "no")]);
    let before = host.all_files();
    let shown = json(&out(&host.run(["show", "finish", "--status", "failed", "--exit-code", "100"])));
    assert_eq!((&shown["status"], &shown["exit_code"]), (&"failed".into(), &100.into()));
    assert_eq!(host.all_files(), before);
    assert_eq!(paths(&server), [""; 0]);
    let host = host.with(&[("DIAGNOSTICS", "yes")]);
    host.report("finish --status failed --exit-code 100");
    assert_eq!(events(&server)[0], shown);
    assert_eq!(json(&out(&host.run(["show"])))["status"], "installing");
}

#[test]
fn status_prints_consent_and_unsent_events() {
    let host = Host::new(&Listener::start(Mode::Up).url());
    host.report("start");
    let status = out(&host.run(["status"]));
    for line in ["consent: given", "waiting: 1 events, 4096 bytes", "runs:    1 reported"] {
        assert!(status.contains(line), "{line}: {status}");
    }
    let host = host.with(&[("DIAGNOSTICS", "nope")]);
    assert!(out(&host.run(["status"])).contains("refused by the variable DIAGNOSTICS"));
}

#[test]
fn explain_prints_the_entry_of_the_catalogue() {
    let host = Host::new("http://127.0.0.1:1");
    let text = out(&host.run(["explain", "137"]));
    assert!(text.contains("category: resource") && text.starts_with("Killed"), "{text}");
    let wrong = host.run(["explain", "x"]);
    assert_eq!(wrong.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("is not an exit code"));
}

#[test]
fn explain_prints_the_reason_of_a_log_from_a_file_or_the_standard_input() {
    let host = Host::new("http://127.0.0.1:1");
    let log = host.write("install.log", "Reading package lists...\nE: Unable to locate package libfoo9\n");
    let from_file = out(&host.run(["explain", "--log", log.to_str().unwrap()]));
    assert!(from_file.starts_with("reason: ") && from_file.contains(": libfoo9\nline:   E: "), "{from_file}");
    assert!(from_file.contains("\nfault:  ") && from_file.contains("\ndo:     "), "{from_file}");
    let mut command = host.command(env!("CARGO_BIN_EXE_telemetry"));
    let command = command.args(["explain", "100", "--log", "-"]).stdin(File::open(log).unwrap());
    assert_eq!(out(&command.output().unwrap()), from_file);
}

#[test]
fn explain_scrubs_the_line_of_a_log_and_names_a_file_that_is_missing() {
    let host = Host::new("http://127.0.0.1:1");
    let log = host.write("install.log", "wobbler: cannot mail to alice@example.net\n");
    let text = out(&host.run(["explain", "--log", log.to_str().unwrap()]));
    assert!(text.contains("line:   wobbler: cannot mail to <email>"), "{text}");
    let missing = host.run(["explain", "--log", "/nowhere"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nowhere"));
}

#[test]
fn runs_shows_and_forget_erases_the_runs_of_the_host() {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url());
    host.report("start");
    host.report("finish --status done");
    let host = host.with(&[("EXECUTION_ID", "attempt-2")]);
    host.report("start");
    out(&host.run(["runs"]));
    assert_eq!(paths(&server)[3..], ["GET /api/runs/550e8400-e29b", "GET /api/runs/attempt-2"]);

    server.answer(Mode::Status(500, None));
    host.report("finish --status done");
    assert!(String::from_utf8_lossy(&host.run(["forget"]).stderr).contains("0 of 2 runs erased"));
    server.answer(Mode::Up);
    assert_eq!(out(&host.run(["forget"])), "2 runs erased\n");
    assert_eq!(paths(&server)[7..], ["DELETE /api/runs/550e8400-e29b", "DELETE /api/runs/attempt-2"]);
    assert!(host.unsent().is_empty(), "unsent events are deleted too");
    assert_eq!(out(&host.run(["forget"])), "0 runs erased\n");
}

#[test]
fn without_consent_runs_is_refused_and_forget_works() {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url());
    host.report("start");
    out(&host.run(["opt-out"]));
    let host = host.with(&[("DIAGNOSTICS", "no")]);
    let refused = host.run(["runs"]);
    assert_eq!((refused.status.code(), refused.stdout.as_slice()), (Some(0), &b""[..]));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("has not consented"), "{refused:?}");
    assert_eq!(host.run(["runs", "--strict"]).status.code(), Some(1));
    assert_eq!(server.requests().len(), 1, "only the start");
    assert_eq!(out(&host.run(["forget"])), "1 runs erased\n");
    assert_eq!(paths(&server)[1..], ["DELETE /api/runs/550e8400-e29b"]);
}

#[test]
fn an_invalid_id_is_not_sent() {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url());
    assert!(!host.run(["forget", "../../admin"]).stderr.is_empty());
    assert_eq!(paths(&server), [""; 0]);
}
