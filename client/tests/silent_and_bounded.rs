//! The command stays within its time budget, prints nothing and exits with status 0, whatever the state of the
//! host and the server.
//!
//! These tests look at the clock, because the budget is a promise. They allow two extra seconds for a busy
//! machine.
#![allow(clippy::unwrap_used)]

mod support;

use std::ffi::OsStr;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::time::{Duration, Instant};

use support::{Host, Listener, Mode, assert_silent, events};

const SLACK: Duration = Duration::from_secs(2);

fn assert_within(mut command: Command, budget: Duration) {
    let start = Instant::now();
    assert_silent(&command.output().unwrap(), &format!("{command:?}"));
    assert!(start.elapsed() < budget + SLACK, "{:?}", start.elapsed());
}

fn telemetry(host: &Host, arguments: &[&str]) -> Command {
    let mut command = host.command(env!("CARGO_BIN_EXE_telemetry"));
    command.args(arguments);
    command
}

/// Whether this user may create a mount namespace.
fn can_mount() -> bool {
    Command::new("unshare").args(["-m", "true"]).output().is_ok_and(|output| output.status.success())
}

/// A command that runs a shell script in its own mount namespace.
fn with_own_mounts(host: &Host, script: &str) -> Command {
    let mut command = host.command("unshare");
    command.args(["-m", "sh", "-c", script]).env("TELEMETRY", env!("CARGO_BIN_EXE_telemetry"));
    command
}

#[test]
fn a_silent_server_does_not_exceed_the_budget() {
    for mode in [Mode::BlackHole, Mode::Slow] {
        let server = Listener::start(mode);
        let host = Host::new(&server.url());
        assert_within(telemetry(&host, &["start"]), Duration::from_secs(2));
        assert_within(telemetry(&host, &["finish", "--status", "done"]), Duration::from_secs(4));
    }
}

#[test]
fn a_silent_resolver_does_not_exceed_the_budget() {
    // Port 53 and a separate resolv.conf require root.
    let (Ok(_resolver), true) = (UdpSocket::bind("127.9.9.9:53"), can_mount()) else { return };
    let host = Host::new("http://telemetry.example.org");
    let resolv = host.write("resolv.conf", "nameserver 127.9.9.9\noptions timeout:30\n");
    let script = format!("mount --bind {} /etc/resolv.conf && exec \"$TELEMETRY\" start", resolv.display());
    assert_within(with_own_mounts(&host, &script), Duration::from_secs(2));
    assert_eq!(host.unsent().len(), 1);
}

#[test]
fn a_full_or_read_only_disk_does_not_prevent_the_report() {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url());
    // Not even root can create a folder below a file.
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
        assert_silent(&with_own_mounts(&host, &script).output().unwrap(), options);
    }
    assert_eq!(events(&server).len(), 3);
}

#[test]
fn a_host_without_proc_and_sys_can_report() {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url());
    host.report("start");
    assert_eq!(events(&server)[0]["kernel_version"], serde_json::Value::Null);
    if can_mount() {
        let script = "umount -l /proc && exec \"$TELEMETRY\" finish --status done";
        assert_silent(&with_own_mounts(&host, script).output().unwrap(), script);
        assert_eq!(events(&server).len(), 2);
    }
}

#[test]
fn wrong_arguments_print_nothing_and_exit_with_0() {
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
        let arguments: Vec<&OsStr> = call.iter().map(|word| OsStr::from_bytes(word)).collect();
        assert_silent(&host.run(&arguments), &format!("{arguments:?}"));
    }
    let strict = host.run(["tool", "--strict"]);
    assert_eq!(strict.status.code(), Some(1));
    assert!(!strict.stderr.is_empty());
}

#[test]
fn a_log_that_is_a_pipe_is_not_read() {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url());
    let pipe = host.root.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    host.report(&format!("finish --status failed --exit-code 1 --log {}", pipe.display()));
    assert_eq!(events(&server)[0]["exit_code"], 1);
}

#[test]
fn an_invalid_address_keeps_the_event() {
    for url in ["http://", "ftp://127.0.0.1", "http://127.0.0.1:99999", "http://[::1", "::"] {
        let host = Host::new(url);
        host.report("start");
        assert_eq!(host.unsent().len(), 1, "{url}");
    }
}

#[test]
fn strict_prints_the_result_and_exits_with_1() {
    let server = Listener::start(Mode::Status(500, None));
    let host = Host::new(&server.url());
    let output = host.run(["finish", "--strict"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "telemetry: 0 sent, 1 kept, 0 lost\n");
    server.answer(Mode::Up);
    assert_eq!(host.run(["flush", "--strict"]).status.code(), Some(0));
}
