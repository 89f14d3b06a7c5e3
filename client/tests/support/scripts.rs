//! Runs scripts that source `client/api.func` with either transport. Also a log full of secrets.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::{Host, assert_silent};

pub const API_FUNC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/api.func");
/// The first lines of an install script.
const HEAD: &str = "set -Eeuo pipefail\ntrap 'echo trapped >&2; exit 99' ERR\nsource \"$API_FUNC\"\n";

/// How `api.func` sends a report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Transport {
    /// With the command `telemetry`.
    Command,
    /// With curl and this implementation of awk.
    Curl(&'static str),
}

/// The command, and curl with every installed awk.
pub fn transports() -> Vec<Transport> {
    [vec![Transport::Command], curl_transports()].concat()
}

/// Curl with every installed awk.
pub fn curl_transports() -> Vec<Transport> {
    let awks = ["mawk", "gawk"].into_iter().filter(|awk| is_installed(awk));
    let transports: Vec<Transport> = awks.map(Transport::Curl).collect();
    assert!(!transports.is_empty(), "neither mawk nor gawk is installed");
    transports
}

fn is_installed(program: &str) -> bool {
    Path::new("/usr/bin").join(program).exists()
}

/// A command that runs the script with `api.func` sourced.
pub fn bash(host: &Host, transport: Transport, script: &str) -> Command {
    let mut command = host.command("bash");
    let programs = host.root.path().join("bin");
    fs::create_dir_all(&programs).unwrap();
    if let Transport::Curl(awk) = transport {
        let link = programs.join("awk");
        let _ = fs::remove_file(&link);
        symlink(Path::new("/usr/bin").join(awk), link).unwrap();
    }
    let telemetry = if transport == Transport::Command { env!("CARGO_BIN_EXE_telemetry") } else { "none" };
    command.env("PATH", format!("{}:/usr/sbin:/usr/bin:/bin", programs.display()));
    command.env("API_FUNC", API_FUNC).env("TELEMETRY_BIN", telemetry);
    command.args(["-c", &format!("{HEAD}{script}")]);
    command
}

/// Runs the script. Asserts that it prints nothing and exits with status 0.
pub fn run(host: &Host, transport: Transport, script: &str) {
    assert_silent(&bash(host, transport, script).output().unwrap(), &format!("{transport:?}: {script}"));
}

const SECRETS_LOG: &str = "\x1b[31mSetting up\x1b[0m nodejs (22.11.0)\r\n\
    inet 192.168.178.42/24 ether bc:24:11:3c:9a:01 inet6 2001:db8:85a3::8a2e:370:7334/64\n\
    mail alice.mueller@example-mail.de from pve-node7.home.lan\nDB_USER=x password=hunter2\n\
    Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl\n\
    GITHUB_TOKEN=ghp_16C7e42F292c6912E7710c838347Ae178B4a\n\
    unable to access 'https://user:s3cr3tpw@git.example.org/repo.git?token=abcdef': 403\n\
    -----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n\
    -----END OPENSSH PRIVATE KEY-----\ncp: cannot stat '/home/alice/.ssh/id_rsa'\n\
    \"quoted \\\"inner\\\"\" C:\\temp\\new \\_foo \\x1b[0m K\u{f6}ln \u{1f680}\x07\t.\n\
    E: the last line ends in a backslash \\";

/// Texts that must be scrubbed from the log and from commands.
pub const SECRETS: [&str; 14] = [
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
    "10.20.30.40",
    "\u{1b}",
    "\\u001b",
];

/// A log with secrets, terminal codes, invalid UTF-8 and characters that JSON escapes.
pub fn log_with_secrets() -> Vec<u8> {
    let mut log = SECRETS_LOG.as_bytes().to_vec();
    log.splice(0..0, b"caf\xe9 bad \xc3( bytes \xff\xfe\x00 start\n".iter().copied());
    log
}

pub fn assert_no_secret(text: &str, what: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{what} contains {secret}: {text}");
    }
}
