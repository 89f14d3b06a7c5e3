//! Scripts that source `client/api.func`, as install scripts begin, with what their logs may hold.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::Host;

pub const API_FUNC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/api.func");
/// As an install script begins.
const HEAD: &str = "set -Eeuo pipefail\ntrap 'echo trapped >&2; exit 99' ERR\nsource \"$API_FUNC\"\n";

/// How a report is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Transport {
    Command,
    Curl(&'static str),
}

/// The transports that this machine can try.
pub fn transports() -> Vec<Transport> {
    let mut transports = vec![Transport::Command];
    transports.extend(["mawk", "gawk"].into_iter().filter(|awk| is_installed(awk)).map(Transport::Curl));
    assert!(transports.len() > 1, "neither mawk nor gawk");
    transports
}

fn is_installed(program: &str) -> bool {
    Path::new("/usr/bin").join(program).exists()
}

pub fn bash(host: &Host, transport: Transport, script: &str) -> Command {
    let mut command = host.command("bash");
    let programs = host.root.path().join("bin");
    fs::create_dir_all(&programs).unwrap();
    if let Transport::Curl(awk) = transport {
        let link = programs.join("awk");
        let _ = fs::remove_file(&link);
        symlink(Path::new("/usr/bin").join(awk), link).unwrap();
    }
    let program = if transport == Transport::Command { env!("CARGO_BIN_EXE_telemetry") } else { "none" };
    command.env("PATH", format!("{}:/usr/sbin:/usr/bin:/bin", programs.display()));
    command.env("API_FUNC", API_FUNC).env("TELEMETRY_BIN", program);
    command.args(["-c", &format!("{HEAD}{script}")]);
    command
}

pub fn assert_silent(output: &Output, what: &str) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let seen = (output.status.code(), text(&output.stdout), text(&output.stderr));
    assert_eq!(seen, (Some(0), String::new(), String::new()), "{what}");
}

pub fn run(host: &Host, transport: Transport, script: &str) {
    assert_silent(&bash(host, transport, script).output().unwrap(), &format!("{transport:?}: {script}"));
}

const NASTY: &str = "\x1b[31mSetting up\x1b[0m nodejs (22.11.0)\r\n\
    inet 192.168.178.42/24 ether bc:24:11:3c:9a:01 inet6 2001:db8:85a3::8a2e:370:7334/64\n\
    mail alice.mueller@example-mail.de from pve-node7.home.lan\nDB_USER=x password=hunter2\n\
    Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl\n\
    GITHUB_TOKEN=ghp_16C7e42F292c6912E7710c838347Ae178B4a\n\
    unable to access 'https://user:s3cr3tpw@git.example.org/repo.git?token=abcdef': 403\n\
    -----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n\
    -----END OPENSSH PRIVATE KEY-----\ncp: cannot stat '/home/alice/.ssh/id_rsa'\n\
    \"quoted \\\"inner\\\"\" C:\\temp\\new \\_foo \\x1b[0m K\u{f6}ln \u{1f680}\x07\t.\n\
    E: the last line ends in a backslash \\";

pub const SECRETS: [&str; 12] = [
    "192.168.178.42",
    "2001:db8",
    "bc:24:11",
    "alice",
    "pve-node7",
    "hunter2",
    "eyJ",
    "ghp_",
    "s3cr3tpw",
    "b3BlbnNz",
    "abcdef",
    "\u{1b}",
];

pub fn nasty_log(host: &Host) -> PathBuf {
    let mut log = NASTY.as_bytes().to_vec();
    log.splice(0..0, b"caf\xe9 bad \xc3( bytes \xff\xfe\x00 start\n".iter().copied());
    host.write("tmp/install.log", log)
}
