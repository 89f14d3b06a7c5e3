//! A whole install as scripts report it, by the program and by curl, with a server in every state: what is
//! sent is caught, and what is kept is looked through.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::scripts::{SECRETS, Transport, nasty_log, run, transports};
use support::{Host, Listener, Mode, events, paths};

/// A start, two steps, a failure that is told twice, and a second attempt that succeeds.
const INSTALL: &str = "start_install_timer; post_to_api; post_progress_to_api validation; post_progress_to_api\n\
     BUILD_LOG={log} FAILED_COMMAND='mysql -u root --password=hunter2 -h 192.168.178.42' FAILED_LINE=42\n\
     post_update_to_api failed 100; post_update_to_api failed 100\n\
     telemetry_new_attempt; CORE_COUNT=4; post_to_api; post_progress_to_api; post_update_to_api done 0";
const STATUSES: [&str; 7] =
    ["installing", "validation", "configuring", "failed", "installing", "configuring", "success"];
/// The end of an attempt, and the end of the other.
const ENDS: usize = 2;

/// `None` is a server that is down.
fn servers() -> Vec<Option<Mode>> {
    let states = [Mode::Up, Mode::Status(500, None), Mode::Status(429, Some(60)), Mode::BlackHole];
    states.into_iter().map(Some).chain([None]).collect()
}

fn statuses(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["status"].as_str().unwrap()).collect()
}

fn assert_no_secret(text: &str, what: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{what}: {secret}: {text}");
    }
}

/// All that the client wrote on the host.
fn kept(host: &Host) -> String {
    let Ok(entries) = fs::read_dir(host.outbox()) else { return String::new() };
    entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap() + "\n").collect()
}

#[test]
fn a_whole_install_gives_no_secret_away_and_ends_in_time_whatever_the_server_does() {
    for transport in transports() {
        for mode in servers() {
            let what = format!("{transport:?} {mode:?}");
            let server = Listener::start(mode.clone().unwrap_or(Mode::Up));
            let url = server.url();
            let server = mode.as_ref().map(|_| server);
            let budget = if mode == Some(Mode::BlackHole) { "700" } else { "" };
            let host = Host::new(&url).with(&[("TELEMETRY_BUDGET_MS", budget)]);
            let log = nasty_log(&host);
            let start = Instant::now();
            run(&host, transport, &INSTALL.replace("{log}", &log.display().to_string()));
            if mode == Some(Mode::BlackHole) {
                // The start and both ends wait, and a busy machine gets five seconds more.
                assert!(
                    start.elapsed() < Duration::from_millis(3 * 700 + 5000),
                    "{what}: {:?}",
                    start.elapsed()
                );
            }
            assert_no_secret(&kept(&host), &what);
            let Some(server) = server else {
                assert_eq!(
                    host.waiting().len(),
                    if transport == Transport::Command { STATUSES.len() } else { 0 },
                    "{what}"
                );
                continue;
            };
            for request in server.requests() {
                assert_no_secret(&request.text(), &what);
            }
            if mode == Some(Mode::Up) {
                assert_the_install_is_told(&events(&server), &what);
            }
            let asked = match (transport, mode.unwrap()) {
                (_, Mode::Up) => STATUSES.len(),
                // Steps are left out after an answer that says later; ends are not.
                (Transport::Command, _) | (Transport::Curl(_), Mode::BlackHole) => 1 + ENDS,
                // No answer costs time, one that refuses does not.
                (Transport::Curl(_), _) => STATUSES.len(),
            };
            assert_eq!(server.requests().len(), asked, "{what}");
        }
    }
}

#[test]
fn what_the_program_could_not_send_arrives_later_as_if_nothing_had_been() {
    for mode in servers().into_iter().filter(|mode| *mode != Some(Mode::Up)) {
        let what = format!("{mode:?}");
        let server = Listener::start(mode.clone().unwrap_or(Mode::Up));
        let host = Host::new(&server.url()).with(&[("TELEMETRY_BUDGET_MS", "700")]);
        let server = mode.map(|_| server);
        let log = nasty_log(&host);
        run(&host, Transport::Command, &INSTALL.replace("{log}", &log.display().to_string()));
        assert_eq!(statuses(&host.waiting()), STATUSES, "{what}");
        drop(server);

        let server = Listener::start(Mode::Up);
        let host = host.with(&[("TELEMETRY_URL", &server.url()), ("TELEMETRY_BUDGET_MS", "")]);
        host.report("flush");
        assert_eq!(paths(&server), ["POST /api/v1/events"], "{what}");
        assert_the_install_is_told(&events(&server), &what);
        assert_no_secret(&server.requests()[0].text(), &what);
        assert!(host.waiting().is_empty(), "{what}");
    }
}

fn assert_the_install_is_told(events: &[Value], what: &str) {
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
