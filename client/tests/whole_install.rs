//! A whole install with both transports and a server in every state. The tests inspect everything that is sent
//! and everything that is written to disk.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::scripts::{Transport, assert_no_secret, log_with_secrets, run, transports};
use support::{Host, Listener, Mode, events, paths, statuses};

/// A start, two steps, a failure that is reported twice, and a second attempt that succeeds.
const INSTALL: &str = "start_install_timer; post_to_api; post_progress_to_api validation; post_progress_to_api\n\
     BUILD_LOG={log} FAILED_COMMAND='mysql -u root --password=hunter2 -h 192.168.178.42' FAILED_LINE=42\n\
     post_update_to_api failed 100; post_update_to_api failed 100\n\
     telemetry_new_attempt; CORE_COUNT=4; post_to_api; post_progress_to_api; post_update_to_api done 0";
const STATUSES: [&str; 7] =
    ["installing", "validation", "configuring", "failed", "installing", "configuring", "success"];
/// Each of the two attempts has one end.
const ENDS: usize = 2;

/// All states of the server; `None` if it is down.
fn servers() -> Vec<Option<Mode>> {
    let states = [Mode::Up, Mode::Status(500, None), Mode::Status(429, Some(60)), Mode::BlackHole];
    states.into_iter().map(Some).chain([None]).collect()
}

/// The contents of all files that the client wrote.
fn written(host: &Host) -> String {
    let Ok(entries) = fs::read_dir(host.outbox()) else { return String::new() };
    entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap() + "\n").collect()
}

#[test]
fn an_install_sends_no_secret_and_ends_in_time_in_every_state_of_the_server() {
    for transport in transports() {
        for mode in servers() {
            let what = format!("{transport:?} {mode:?}");
            let server = Listener::start(mode.clone().unwrap_or(Mode::Up));
            let url = server.url();
            let server = mode.as_ref().map(|_| server);
            let budget = if mode == Some(Mode::BlackHole) { "700" } else { "" };
            let host = Host::new(&url).with(&[("TELEMETRY_BUDGET_MS", budget)]);
            let log = host.write("tmp/install.log", log_with_secrets());
            let start = Instant::now();
            run(&host, transport, &INSTALL.replace("{log}", &log.display().to_string()));
            if mode == Some(Mode::BlackHole) {
                // The start and both ends wait for the server. Allows five extra seconds for a busy machine.
                assert!(
                    start.elapsed() < Duration::from_millis(3 * 700 + 5000),
                    "{what}: {:?}",
                    start.elapsed()
                );
            }
            assert_no_secret(&written(&host), &what);
            let Some(server) = server else {
                assert_eq!(
                    host.unsent().len(),
                    if transport == Transport::Command { STATUSES.len() } else { 0 },
                    "{what}"
                );
                continue;
            };
            for request in server.requests() {
                assert_no_secret(&request.text(), &what);
            }
            if mode == Some(Mode::Up) {
                assert_is_the_install(&events(&server), &what);
            }
            let expected = match (transport, mode.unwrap()) {
                (_, Mode::Up) => STATUSES.len(),
                // After a failure, steps are not sent, but ends are.
                (Transport::Command, _) | (Transport::Curl(_), Mode::BlackHole) => 1 + ENDS,
                // A refusal costs no time, so every report is sent.
                (Transport::Curl(_), _) => STATUSES.len(),
            };
            assert_eq!(server.requests().len(), expected, "{what}");
        }
    }
}

#[test]
fn events_that_the_command_could_not_send_arrive_complete_later() {
    for mode in servers().into_iter().filter(|mode| *mode != Some(Mode::Up)) {
        let what = format!("{mode:?}");
        let server = Listener::start(mode.clone().unwrap_or(Mode::Up));
        let host = Host::new(&server.url()).with(&[("TELEMETRY_BUDGET_MS", "700")]);
        let server = mode.map(|_| server);
        let log = host.write("tmp/install.log", log_with_secrets());
        run(&host, Transport::Command, &INSTALL.replace("{log}", &log.display().to_string()));
        assert_eq!(statuses(&host.unsent()), STATUSES, "{what}");
        drop(server);

        let server = Listener::start(Mode::Up);
        let host = host.with(&[("TELEMETRY_URL", &server.url()), ("TELEMETRY_BUDGET_MS", "")]);
        host.report("flush");
        assert_eq!(paths(&server), ["POST /api/v1/events"], "{what}");
        assert_is_the_install(&events(&server), &what);
        assert_no_secret(&server.requests()[0].text(), &what);
        assert!(host.unsent().is_empty(), "{what}");
    }
}

fn assert_is_the_install(events: &[Value], what: &str) {
    assert_eq!(statuses(events), STATUSES, "{what}");
    let (first, second) = events.split_at(4);
    assert!(first.iter().all(|event| event["execution_id"] == "550e8400-e29b"), "{what}");
    assert!(second.iter().all(|event| event["execution_id"] == second[0]["execution_id"]), "{what}");
    assert!(events.iter().all(|event| event["random_id"] == "550e8400-e29b"), "{what}");
    let failure = &first[3];
    assert_eq!((&failure["exit_code"], &failure["failed_line"]), (&100.into(), &42.into()), "{what}");
    assert_eq!(failure["failed_command"], "mysql -u root --password=<secret> -h <ip>", "{what}");
    assert!(
        failure["error"].as_str().unwrap().ends_with("E: the last line ends in a backslash \\"),
        "{what}"
    );
    assert_eq!((&second[2]["exit_code"], &second[2]["core_count"]), (&0.into(), &4.into()), "{what}");
    assert_eq!(second[2]["error"], Value::Null, "{what}");
}
