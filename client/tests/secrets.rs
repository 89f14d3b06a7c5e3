//! Nothing secret leaves the host or is written on it, whatever stands in a log.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::scripts::{self, Transport, transports};
use support::{Host, Listener, Mode, events, json};

const PLANTED: [&str; 14] = [
    "192.168.178.42",
    "2001:db8:85a3::8a2e:370:7334",
    "bc:24:11:3c:9a:01",
    "alice.mueller@example-mail.de",
    "pve-node7.home.lan",
    "hunter2",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlMTIzNDU2",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "s3cr3tpw",
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQy",
    "/home/alice",
    "10.20.30.40",
    "token=abcdef",
    "\\u001b",
];

fn nasty_log() -> Vec<u8> {
    let mut log = b"\x1b[31mSetting up\x1b[0m nodejs (22.11.0)\r\n".to_vec();
    log.extend(
        "eth0: inet 192.168.178.42/24 ether bc:24:11:3c:9a:01 inet6 2001:db8:85a3::8a2e:370:7334/64\n\
         mail: alice.mueller@example-mail.de\nConnecting to pve-node7.home.lan:8006\nDB_USER=x password=hunter2\n\
         Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlMTIzNDU2\n\
         GITHUB_TOKEN=ghp_16C7e42F292c6912E7710c838347Ae178B4a\n\
         fatal: unable to access 'https://user:s3cr3tpw@git.example.org/repo.git?token=abcdef': 403\n\
         -----BEGIN OPENSSH PRIVATE KEY-----\n\
         b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQy\n\
         -----END OPENSSH PRIVATE KEY-----\ncp: cannot stat '/home/alice/.ssh/id_rsa': No such file\n\
         \"quoted \\\"inner\\\"\" C:\\temp\\new \\_foo \\x1b[0m K\u{f6}ln \u{1f680} caf"
            .as_bytes(),
    );
    log.extend(b"\xe9 bad \xc3( bytes\x07\x00\nE: the last line ends in a backslash \\");
    log
}

fn assert_clean(text: &str, what: &str) {
    for secret in PLANTED {
        assert!(!text.contains(secret), "{what} holds {secret}: {text}");
    }
}

#[test]
fn a_nasty_log_arrives_without_its_secrets_and_without_a_trace_on_the_disk() {
    let server = Listener::start(Mode::Status(500, None));
    let host = Host::new(&server.url());
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("install.log");
    fs::write(&log, nasty_log()).unwrap();
    let finish = [
        "finish",
        "--status",
        "failed",
        "--exit-code",
        "1",
        "--log",
        log.to_str().unwrap(),
        "--command",
        "mysql -u root --password=hunter2 -h 10.20.30.40",
        "--line",
        "42",
    ];
    assert!(host.run(finish).status.success());
    assert_clean(&host.everything(), "the disk");
    server.answer(Mode::Up);
    host.report("flush");
    for request in server.requests() {
        assert_clean(&request.text(), "a request");
    }
    let event: &Value = &events(&server)[1];
    let error = event["error"].as_str().unwrap();
    for kept in ["exit_code=1 | ", "nodejs (22.11.0)", "K\u{f6}ln", "ends in a backslash \\"] {
        assert!(error.contains(kept), "{kept}: {error}");
    }
    assert_eq!(event["failed_line"], 42);
}

/// What real clients sent, with the secrets that were planted in it.
#[test]
fn the_logs_of_the_recorded_clients_lose_their_planted_secrets() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/wire/truth.jsonl");
    let truth = fs::read_to_string(fixtures).unwrap();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/wire/corpus.jsonl");
    let corpus = fs::read_to_string(corpus).unwrap();
    let host = Host::new("http://127.0.0.1:9");
    let mut checked = 0;
    for run in truth.lines().map(json) {
        let secrets: Vec<&str> =
            run["must_not_contain"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if secrets.is_empty() {
            continue;
        }
        let id = run["run_id"].as_str().unwrap();
        let bodies = corpus.lines().filter(|line| line.contains(&format!("\"{id}\""))).map(json);
        for body in bodies {
            let bytes = support::decode_base64(body["body_b64"].as_str().unwrap());
            let Some(error) = serde_json::from_slice::<Value>(&bytes)
                .ok()
                .and_then(|b| b["error"].as_str().map(str::to_owned))
            else {
                continue;
            };
            let log = host.write("tmp/install.log", error);
            let shown = host.run([
                "show",
                "finish",
                "--status",
                "failed",
                "--exit-code",
                "1",
                "--log",
                log.to_str().unwrap(),
            ]);
            let shown = String::from_utf8(shown.stdout).unwrap();
            for secret in &secrets {
                assert!(!shown.contains(secret), "{id} shows {secret}: {shown}");
            }
            for transport in transports().into_iter().filter(|transport| *transport != Transport::Command) {
                let server = Listener::start(Mode::Up);
                let host = Host::new(&server.url());
                scripts::run(
                    &host,
                    transport,
                    &format!("BUILD_LOG={}; post_update_to_api failed 1", log.display()),
                );
                let sent = server.requests()[0].text();
                for secret in &secrets {
                    assert!(!sent.contains(secret), "{id}, {transport:?}: {secret}: {sent}");
                }
            }
            checked += 1;
        }
    }
    assert!(checked >= 4, "{checked} bodies with planted secrets");
}
