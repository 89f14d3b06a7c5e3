//! Never in the transport: time, silence, exit status, whatever the host is like.
//!
//! These are the only tests that look at a clock, because the budget is what is promised. They allow
//! two seconds more than that, for a machine that is busy with other things.
#![allow(clippy::unwrap_used)]

mod support;

use std::ffi::OsStr;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use support::{Host, Listener, Mode, events};

const SLACK: Duration = Duration::from_secs(2);

fn assert_silent_success(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let seen = (output.status.code(), text(&output.stdout), text(&output.stderr));
    assert_eq!(seen, (Some(0), String::new(), String::new()));
}

fn timed(mut command: Command, budget: Duration) {
    let start = Instant::now();
    assert_silent_success(&command.output().unwrap());
    assert!(start.elapsed() < budget + SLACK, "{:?}", start.elapsed());
}

fn telemetry(host: &Host, arguments: &[&str]) -> Command {
    let mut command = host.command(env!("CARGO_BIN_EXE_telemetry"));
    command.args(arguments);
    command
}

/// Runs a script of sh in which the mounts are the caller's own; `false` where that is not allowed.
fn can_mount() -> bool {
    Command::new("unshare").args(["-m", "true"]).output().is_ok_and(|output| output.status.success())
}

fn with_own_mounts(host: &Host, script: &str) -> Command {
    let mut command = host.command("unshare");
    command.args(["-m", "sh", "-c", script]).env("TELEMETRY", env!("CARGO_BIN_EXE_telemetry"));
    command
}

#[test]
fn the_budget_holds_with_a_server_that_never_answers() {
    for mode in [Mode::BlackHole, Mode::Slow] {
        let server = Listener::start(mode);
        let host = Host::new(&server.url());
        timed(telemetry(&host, &["start"]), Duration::from_secs(2));
        timed(telemetry(&host, &["finish", "--status", "done"]), Duration::from_secs(4));
    }
}

#[test]
fn the_budget_holds_with_a_resolver_that_never_answers() {
    // Both need root: port 53, and a resolv.conf of one's own.
    let (Ok(_resolver), true) = (UdpSocket::bind("127.9.9.9:53"), can_mount()) else { return };
    let host = Host::new("http://telemetry.example.org");
    let resolv = host.write("resolv.conf", "nameserver 127.9.9.9\noptions timeout:30\n");
    let script = format!("mount --bind {} /etc/resolv.conf && exec \"$TELEMETRY\" start", resolv.display());
    timed(with_own_mounts(&host, &script), Duration::from_secs(2));
    assert_eq!(host.waiting().len(), 1);
}

#[test]
fn a_disk_that_is_full_or_read_only_does_not_stop_the_report() {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url());
    // No folder can be made below a file; that holds for root as well.
    host.write("var/lib/community-scripts", "");
    host.report("start");
    assert_eq!(events(&server).len(), 1);
    if !can_mount() {
        return;
    }
    fs::remove_file(host.root.path().join("var/lib/community-scripts")).unwrap();
    fs::create_dir_all(host.outbox()).unwrap();
    for options in ["ro", "size=4k,nr_inodes=2"] {
        let folder = host.outbox();
        let mount = format!("mount -t tmpfs -o {options} none {}", folder.display());
        let fill = format!("(head -c 9000 /dev/zero > {}/full) 2>/dev/null", folder.display());
        let script = format!("{mount}; {fill}; exec \"$TELEMETRY\" finish --status done");
        assert_silent_success(&with_own_mounts(&host, &script).output().unwrap());
    }
    assert_eq!(events(&server).len(), 3);
}

#[test]
fn a_host_without_proc_and_sys_reports_what_it_knows() {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url());
    host.report("start");
    assert_eq!(events(&server)[0]["kernel_version"], serde_json::Value::Null);
    if can_mount() {
        let script = "umount -l /proc && exec \"$TELEMETRY\" finish --status done";
        assert_silent_success(&with_own_mounts(&host, script).output().unwrap());
        assert_eq!(events(&server).len(), 2);
    }
}

#[test]
fn whatever_it_is_called_with_it_is_silent_and_succeeds() {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url());
    let calls: [&[&[u8]]; 8] = [
        &[b"start", b"spaceship"],
        &[b"start", b"lxc", b"too", b"many"],
        &[b"finish", b"--status", b"--exit-code", b"-1", b"--line", b"x"],
        &[b"finish", b"--exit-code", b"\xff\xfe", b"--command", b"-rf \xff"],
        &[b"finish", b"--log", b"/dev/zero"],
        &[b"finish", b"--log", b"/", b"--line", b"99999999999999999999"],
        &[b"progress", b"--no-such-thing"],
        &[b"tool"],
    ];
    for call in calls {
        assert_silent_success(&host.run(call.iter().map(|word| OsStr::from_bytes(word))));
    }
    let strict = host.run(["tool", "--strict"]);
    assert_eq!(strict.status.code(), Some(1));
    assert!(!strict.stderr.is_empty());
}

#[test]
fn a_log_that_is_a_pipe_is_not_waited_for() {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url());
    let pipe = host.root.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    host.report(&format!("finish --status failed --exit-code 1 --log {}", pipe.display()));
    assert_eq!(events(&server)[0]["exit_code"], 1);
}

#[test]
fn an_address_that_makes_no_sense_keeps_the_event() {
    for url in ["http://", "ftp://127.0.0.1", "http://127.0.0.1:99999", "http://[::1", "::"] {
        let host = Host::new(url);
        host.report("start");
        assert_eq!(host.waiting().len(), 1, "{url}");
    }
}

#[test]
fn strict_tells_what_happened() {
    let server = Listener::start(Mode::Status(500, None));
    let host = Host::new(&server.url());
    let output = host.run(["finish", "--strict"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "telemetry: 0 sent, 1 kept, 0 lost\n");
    server.answer(Mode::Up);
    assert_eq!(host.run(["flush", "--strict"]).status.code(), Some(0));
}
