//! The documents for operators: every command of `docs/OPERATING.md` runs, every metric that a document names exists, and
//! the proxies of `deploy/` work.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::common::DataDir;
use crate::common::app::{spawn_app_set, unlimited};
use crate::common::deployment::{Cluster, deployed, folder_for_clusters, free_port, pg_bin};
use crate::common::http;
use crate::common::server::until;
use telemetry_server::config::Variables;
use telemetry_server::config::protection::ProtectionVariables;

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    fs::read_to_string(path).expect("it is there")
}

/// The blocks of code in this language, in order.
fn blocks(document: &str, language: &str) -> String {
    let mut code = String::new();
    let mut is_inside = false;
    for line in document.lines() {
        match line.strip_prefix("```") {
            Some(name) => is_inside = name == language,
            None if is_inside => code.extend([line, "\n"]),
            None => {}
        }
    }
    code
}

/// `systemctl` for one service, which clients report to all the time.
const SYSTEMCTL: &str = r#"#!/bin/bash
set -eu
case $1 in
    start)
        telemetry-server serve >>"$state/log" 2>&1 &
        echo $! >"$state/pid"
        for ((attempt = 0; attempt < 600; attempt++)); do
            curl -sf "$url/healthz" >/dev/null && exit
            sleep 0.1
        done
        echo "the server does not start" >&2
        exit 1
        ;;
    stop)
        # A commit after every moment that the document names.
        curl -s -m 5 "$url/telemetry" -d '{"random_id":"stop-'$RANDOM'","nsapp":"jellyfin","status":"success"}' >/dev/null || true
        kill "$(cat "$state/pid")"
        tail --pid="$(cat "$state/pid")" -f /dev/null
        rm "$state/pid"
        ;;
    restart) "$0" stop && "$0" start ;;
esac
"#;

/// What comes before the commands of the document. However the script ends, nothing of it keeps running.
const BEFORE: &str = r#"
set -euo pipefail
finish() {
    kill "$clients" 2>/dev/null || true
    [[ ! -e $state/pid ]] || systemctl stop
}
trap finish EXIT
trap 'exit 143' TERM
systemctl start
number=0
(
    while sleep 0.1; do
        run='{"random_id":"run-'$((number += 1))'","nsapp":"jellyfin","type":"lxc","status":"success"}'
        curl -s -m 5 "$url/telemetry" -d "$run" >/dev/null || true
    done
) &
clients=$!
until curl -sf "$url/api/runs/run-5" >/dev/null; do sleep 0.1; done
set -x
"#;

#[test]
fn every_command_of_the_document_runs() {
    let text = document("OPERATING.md");
    let (data, databases) = (DataDir::new(), DataDir::new());
    let cluster = Cluster::primary(&folder_for_clusters(&databases));
    for statement in blocks(&text, "sql").split_inclusive(";\n") {
        cluster.sql(statement);
    }
    cluster
        .admit("host all postgres 127.0.0.1/32 trust\nhost telemetry telemetry 127.0.0.1/32 scram-sha-256\n");
    let external = format!("postgres://telemetry:secret@127.0.0.1:{}/telemetry", cluster.port);

    let folder = data.path().with_file_name("operator");
    let (programs, backups) = (folder.join("bin"), folder.join("backups"));
    for path in [&folder, &programs, &backups] {
        fs::create_dir(path).expect("it is new");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    fs::write(programs.join("systemctl"), SYSTEMCTL).expect("it is ours");
    fs::set_permissions(programs.join("systemctl"), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let script = folder.join("script");
    fs::write(&script, format!("{BEFORE}{}", blocks(&text, "sh"))).expect("it is ours");

    let port = free_port();
    let server = Path::new(env!("CARGO_BIN_EXE_telemetry-server")).parent().expect("its folder");
    let path = [&programs, server, &pg_bin()].map(|folder| folder.display().to_string()).join(":");
    let done = Command::new("setpriv")
        .args(["--pdeathsig", "TERM", "--", "timeout", "400", "bash"])
        .arg(&script)
        .env_clear()
        .env("PATH", format!("{path}:/usr/sbin:/usr/bin:/sbin:/bin"))
        .env("state", &folder)
        .env("backups", &backups)
        .env("DATA_DIR", data.path())
        .env("LISTEN_ADDR", format!("127.0.0.1:{port}"))
        .env("ADDRESS_LIMIT_BURST", "0")
        .env("url", format!("http://127.0.0.1:{port}"))
        .env("external", external)
        .env("ADMIN_TOKEN", "a-token-of-the-operator")
        .env("id", "0000000000000000")
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&done.stderr);
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    assert!(done.status.success(), "{said}\n{log}");
    let output = String::from_utf8_lossy(&done.stdout);
    assert!(output.matches(": 0 differences").count() >= 5, "{output}");
    let cluster = data.path().join("postgres");
    assert!(cluster.join("PG_VERSION").exists() && !cluster.join("recovery.signal").exists(), "{output}");
    assert!(data.path().join("postgres-before").exists(), "{output}");
}

#[test]
fn every_metric_in_a_document_exists() {
    let sources = ["mod", "domain", "regressed", "stages"].map(|name| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/metrics").join(name).with_extension("rs");
        fs::read_to_string(path).expect("it is there")
    });
    let is_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let mut seen = 0;
    for name in ["OPERATING.md", "RUNBOOKS.md"] {
        let text = document(name);
        for metric in text.split(|char| !is_name(char)).filter(|word| word.starts_with("telemetry_")) {
            if metric != "telemetry_" {
                assert!(sources.concat().contains(&format!("\"{metric}\"")), "{name}: {metric}");
                seen += 1;
            }
        }
    }
    assert!(seen > 20);
}

/// A proxy in front of a server. It ends with the value.
struct Proxy(Child);

impl Proxy {
    fn start(program: &str, arguments: &[&str], home: &Path, port: u16) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", program]).args(arguments);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", home);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let proxy = Self(child.unwrap_or_else(|error| panic!("{program}: {error} (scripts/setup test)")));
        let address = ([127, 0, 0, 1], port).into();
        until("the proxy answers", || http::get(address, "/").is_ok());
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Checks that a file is valid as it is, as far as a certificate is not needed.
fn succeeds(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output();
    let done = done.unwrap_or_else(|error| panic!("{program}: {error} (scripts/setup test)"));
    assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
}

async fn serves_through(start: impl FnOnce(u16, u16, &Path) -> Proxy) {
    let folder = DataDir::new();
    fs::create_dir(folder.path()).expect("it is new");
    let protection = ProtectionVariables {
        address_limit_burst: Some("4".to_owned()),
        address_limit_per_minute: Some("1".to_owned()),
        trusted_proxies: Some("127.0.0.1,::1".to_owned()),
        ..unlimited()
    };
    let app = spawn_app_set(Variables { protection, ..Variables::default() }).await;
    let port = free_port();
    tokio::task::block_in_place(|| {
        let _proxy = start(port, app.address().port(), &folder.path());
        let address = ([127, 0, 0, 1], port).into();
        for path in ["/metrics", "/readyz", "/healthz"] {
            assert_eq!(http::get(address, path).expect("an answer").status, 404, "{path}");
        }
        let body = br#"{"random_id":"proxy-1","nsapp":"jellyfin","type":"lxc","status":"success"}"#;
        let mut statuses = Vec::new();
        for number in 0..6 {
            let head = http::head(
                "POST",
                "/telemetry",
                &[&format!("X-Forwarded-For: 192.0.2.{number}"), &format!("Forwarded: for=192.0.2.{number}")],
                body.len(),
            );
            let mut connection = http::open(address).expect("it listens");
            std::io::Write::write_all(&mut connection, &[head.as_bytes(), body].concat()).expect("it reads");
            statuses.push(http::answer(connection).expect("an answer").status);
        }
        assert_eq!(statuses[0], 200, "{statuses:?}");
        assert_eq!(statuses[5], 429, "a forged address does not avoid the limit: {statuses:?}");
    });
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_serves_what_is_public_and_replaces_the_address() {
    serves_through(|port, server, folder| {
        let site = deployed("nginx/telemetry.conf");
        let (listens, plain) = ("listen 443 ssl http2;", format!("listen 127.0.0.1:{port};"));
        assert!(site.contains(listens) && site.contains("server 127.0.0.1:8080;"));
        let lines = site.lines().filter(|line| {
            !["listen [", "listen 80", "ssl_certificate"].iter().any(|word| line.trim().starts_with(word))
        });
        // The server without TLS, which redirects, listens elsewhere.
        let site = lines.collect::<Vec<_>>().join("\n").replacen(
            "server_name",
            &format!("listen 127.0.0.1:{};\n    server_name", free_port()),
            1,
        );
        let site = site.replace(listens, &plain).replace(":8080", &format!(":{server}"));
        let folder = folder.display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {folder}/{kind};"))
            .join("\n");
        let file = format!("{folder}/nginx.conf");
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n\
             http {{\n{temporary}\n{site}\n}}\n"
        );
        fs::write(&file, configuration).expect("it is ours");
        succeeds("nginx", &["-t", "-c", &file]);
        Proxy::start("nginx", &["-c", &file], Path::new("/"), port)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_serves_what_is_public_and_replaces_the_address() {
    serves_through(|port, server, folder| {
        let original: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/caddy/Caddyfile");
        succeeds("caddy", &["validate", "--adapter", "caddyfile", "--config", &original.to_string_lossy()]);
        let site = deployed("caddy/Caddyfile")
            .replace("\ntelemetry.example.org {", &format!("\nhttp://:{port} {{\n\tbind 127.0.0.1"))
            .replace(":8080", &format!(":{server}"));
        let file = folder.join("Caddyfile");
        fs::write(&file, format!("{{\n\tadmin off\n}}\n{site}")).expect("it is ours");
        let file = file.to_string_lossy();
        Proxy::start("caddy", &["run", "--adapter", "caddyfile", "--config", &file], folder, port)
    })
    .await;
}
