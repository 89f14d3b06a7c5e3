//! Delivery of events by the command: retries, batches, pauses and concurrent reports.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use support::{Host, Listener, Mode, events, paths, statuses};

/// The address of a server that has stopped.
fn unreachable_url() -> String {
    Listener::start(Mode::Up).url()
}

#[test]
fn each_report_of_an_install_is_sent_at_once() {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url());
    for report in ["start lxc", "progress validation", "progress", "finish --status done --exit-code 0"] {
        host.report(report);
    }
    let events = events(&server);
    assert_eq!(statuses(&events), ["installing", "validation", "configuring", "success"]);
    assert_eq!(paths(&server), ["POST /telemetry"; 4]);
    for event in &events {
        assert_eq!((&event["random_id"], &event["nsapp"]), (&"550e8400-e29b".into(), &"jellyfin".into()));
        assert_eq!(event["payload_version"], 3);
    }
    assert!(host.unsent().is_empty());
}

#[test]
fn unsent_events_go_in_one_batch_with_the_next_report() {
    let host = Host::new(&unreachable_url());
    host.report("start");
    host.report("progress validation");
    host.report("finish --status failed --exit-code 100");
    assert_eq!(statuses(&host.unsent()), ["installing", "validation", "failed"]);

    let server = Listener::start(Mode::Up);
    let host = host.with(&[("TELEMETRY_URL", &server.url()), ("EXECUTION_ID", "attempt-2")]);
    host.report("finish --status done");
    assert_eq!(paths(&server), ["POST /api/v1/events"]);
    assert_eq!(statuses(&events(&server)), ["installing", "validation", "failed", "success"]);
    assert_eq!(server.requests()[0].header("Content-Type"), Some("application/x-ndjson"));
    assert!(host.unsent().is_empty());
}

#[test]
fn a_server_without_batches_gets_the_events_one_by_one() {
    let host = Host::new(&unreachable_url());
    host.report("start");
    host.report("finish --status failed --exit-code 1");
    let server = Listener::start(Mode::WithoutBatches);
    let host = host.with(&[("TELEMETRY_URL", &server.url())]);
    host.report("finish --status done");
    let sent = paths(&server);
    assert_eq!(sent, ["POST /api/v1/events", "POST /telemetry", "POST /telemetry", "POST /telemetry"]);
    assert_eq!(statuses(&events(&server)[3..]), ["success", "failed", "installing"], "the newest first");
    assert!(host.unsent().is_empty());
}

#[test]
fn a_server_without_batches_is_sent_only_one_batch() {
    let server = Listener::start(Mode::WithoutBatches);
    let host = Host::new(&server.url());
    for number in 0..20 {
        let event = format!("{{\"random_id\":\"r{number}\",\"error\":\"{}\"}}", "x".repeat(16_000));
        host.write(&format!("var/lib/community-scripts/telemetry/9999999{number:06}-1-0.json"), event);
    }
    host.report("flush");
    assert!(host.unsent().is_empty());
    let batches = paths(&server).iter().filter(|path| path.ends_with("/api/v1/events")).count();
    assert_eq!((batches, server.requests().len()), (1, 21));
}

#[test]
fn events_are_kept_if_the_server_refuses_for_now_or_does_not_answer() {
    for mode in [
        Mode::Status(500, None),
        Mode::Status(503, Some(7)),
        Mode::Status(429, Some(30)),
        Mode::Status(404, None),
        Mode::Status(301, None),
        Mode::Status(401, None),
        Mode::BlackHole,
    ] {
        let server = Listener::start(mode.clone());
        let host = Host::new(&server.url()).with(&[("TELEMETRY_BUDGET_MS", "400")]);
        host.report("start");
        host.report("finish --status done");
        assert_eq!(host.unsent().len(), 2, "{mode:?}");
    }
}

#[test]
fn a_single_event_needs_only_the_status_but_a_batch_needs_the_body() {
    let server = Listener::start(Mode::Slow);
    let host = Host::new(&server.url()).with(&[("TELEMETRY_BUDGET_MS", "60000")]);
    host.report("start");
    assert!(host.unsent().is_empty(), "the body is not read");
    let host = host.with(&[("TELEMETRY_BUDGET_MS", "400")]);
    for name in ["9999999000001-1-0.json", "9999999000002-1-0.json"] {
        host.write(&format!("var/lib/community-scripts/telemetry/{name}"), "{}");
    }
    host.report("flush");
    assert_eq!(host.unsent().len(), 2);
}

#[test]
fn an_event_that_the_server_rejects_is_removed() {
    let server = Listener::start(Mode::Status(400, None));
    let host = Host::new(&server.url());
    host.report("start");
    assert!(host.unsent().is_empty());
}

#[test]
fn after_a_failure_steps_are_not_sent_for_a_while_but_the_end_is() {
    let server = Listener::start(Mode::Status(503, Some(60)));
    let host = Host::new(&server.url());
    for report in ["start", "progress validation", "progress"] {
        host.report(report);
    }
    assert_eq!(server.requests().len(), 1);
    server.answer(Mode::Up);
    host.report("finish --status done");
    assert_eq!(paths(&server)[1..], ["POST /api/v1/events"]);
    assert!(host.unsent().is_empty());
    let again = host.with(&[("RANDOM_UUID", "next-run")]);
    again.report("start");
    assert_eq!(server.requests().len(), 3, "the pause is over");
}

#[test]
fn attempts_tools_and_addons_are_separate_runs() {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url());
    host.write("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    host.report("finish --status failed --exit-code 137");
    let host = host.with(&[("EXECUTION_ID", "attempt-2"), ("CORE_COUNT", "4")]);
    host.report("start");
    host.report("tool microcode --status failed --exit-code 130");
    host.report("addon netdata --status done");
    let events = events(&server);
    assert_eq!(events[0]["execution_id"], "550e8400-e29b");
    assert_eq!((&events[1]["execution_id"], &events[1]["core_count"]), (&"attempt-2".into(), &4.into()));
    assert_eq!((&events[2]["type"], &events[2]["status"]), (&"pve".into(), &"aborted".into()));
    assert_eq!((&events[3]["type"], &events[3]["os_version"]), (&"addon".into(), &"12".into()));
    assert_ne!(events[2]["random_id"], events[3]["random_id"]);
}

#[test]
fn later_reports_of_a_virtual_machine_keep_its_type() {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url()).with(&[("DISK_SIZE", "32G"), ("VM_CORES", "4")]);
    host.report("start vm");
    let host = host.with(&[("TELEMETRY_TYPE", "vm")]);
    host.report("finish --status done");
    host.report("finish --status done --type turnkey");
    let events = events(&server);
    for event in &events[..2] {
        assert_eq!(
            (&event["type"], &event["ct_type"], &event["disk_size"]),
            (&"vm".into(), &2.into(), &32.into())
        );
        assert_eq!(event["core_count"], 4);
    }
    assert_eq!((&events[2]["type"], &events[2]["ct_type"]), (&"turnkey".into(), &1.into()));
}

#[test]
fn a_large_backlog_is_one_compressed_request() {
    for mode in [Mode::Up, Mode::WithoutCompression] {
        let server = Listener::start(mode.clone());
        let host = Host::new(&server.url());
        for number in 0..1000 {
            let event = format!("{{\"random_id\":\"r{number}\",\"status\":\"installing\"}}");
            host.write(&format!("var/lib/community-scripts/telemetry/9999999{number:06}-1-0.json"), event);
        }
        let output = host.run(["flush", "--strict"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let requests = server.requests();
        let last = requests.last().unwrap();
        assert_eq!(last.text().lines().count(), 1000);
        let compressed = last.header("Content-Encoding").is_some();
        assert_eq!((compressed, requests.len()), if mode == Mode::Up { (true, 1) } else { (false, 2) });
        assert!(host.unsent().is_empty());
    }
}

#[test]
fn over_a_slow_link_the_newest_event_is_sent_first_and_each_report_shrinks_the_backlog() {
    const LARGEST: usize = 256 * 1024;
    let server = Listener::start(Mode::SlowLink(200_000));
    let mut host = Host::new(&server.url()).with(&[("TELEMETRY_BUDGET_MS", "3000")]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let mut noise = 1_u64;
    for number in 0..250 {
        // A log that hardly compresses.
        let words = (0..1000).map(|_| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("{noise:016x}")
        });
        let log: String = words.collect();
        let event = format!("{{\"random_id\":\"r{number}\",\"status\":\"failed\",\"error\":\"{log}\"}}");
        let name = format!("{}-1-0.json", now - 1000 + number);
        host.write(&format!("var/lib/community-scripts/telemetry/{name}"), event);
    }
    let mut waiting = host.unsent().len();
    assert_eq!(waiting, 250);
    for attempt in ["first", "second"] {
        let before = server.requests().len();
        server.answer(Mode::SlowLink(200_000));
        host = host.with(&[("EXECUTION_ID", attempt)]);
        host.report("finish --status done");
        let requests = server.requests().split_off(before);
        assert!(requests[0].text().contains(attempt), "{attempt}: the newest first");
        assert!(requests.iter().all(|request| request.body.len() <= LARGEST));
        let left = host.unsent().len();
        let arrived: usize = requests[1..].iter().map(|request| request.text().lines().count()).sum();
        assert!(arrived > 1 && left == waiting - arrived, "{attempt}: {arrived} arrived, {left} are left");
        waiting = left;
    }
    server.answer(Mode::Up);
    assert_eq!(host.run(["flush", "--strict"]).status.code(), Some(0));
    assert!(host.unsent().is_empty());
    let id = |event: &Value| format!("{} {}", event["random_id"], event["execution_id"]);
    let ids: BTreeSet<String> = events(&server).iter().map(id).collect();
    assert_eq!(ids.len(), 252, "all of them arrived");
}

#[test]
fn concurrent_reports_all_arrive() {
    let host = Host::new(&unreachable_url());
    let report = |server: &str, id: &str| {
        let mut command = host.command(env!("CARGO_BIN_EXE_telemetry"));
        command.env("TELEMETRY_URL", server).env("RANDOM_UUID", id).args(["finish", "--status", "done"]);
        command.spawn().unwrap()
    };
    let down = unreachable_url();
    let children: Vec<_> = (0..12).map(|number| report(&down, &format!("down-{number}"))).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(host.unsent().len(), 12);
    let server = Listener::start(Mode::Up);
    let children: Vec<_> = (0..12).map(|number| report(&server.url(), &format!("up-{number}"))).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    host.report("flush");
    let mut ids: Vec<String> = events(&server).iter().map(|event| event["random_id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 24);
    assert!(host.unsent().is_empty());
}

#[test]
fn a_client_that_is_killed_while_waiting_keeps_the_event() {
    let server = Listener::start(Mode::BlackHole);
    let host = Host::new(&server.url());
    let mut child = host.command(env!("CARGO_BIN_EXE_telemetry")).args(["finish"]).spawn().unwrap();
    server.wait_for(1);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(statuses(&host.unsent()), ["success"]);
}
