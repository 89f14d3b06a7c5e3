//! Connections to a PostgreSQL that a distribution runs: with and without TLS, and through a connection pooler.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::common::deployment::{Cluster, PgBouncer, folder_for_clusters};
use crate::common::server::{Server, run};
use crate::common::{DataDir, http};

/// A certificate authority and a certificate of it for `localhost`.
struct Certificates(TempDir);

impl Certificates {
    fn new() -> Self {
        let own = Self(tempfile::tempdir().expect("a temporary folder"));
        std::fs::write(own.file("extensions"), "subjectAltName = DNS:localhost\n").expect("it is ours");
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        for command in [
            format!("req -x509 {key} -keyout ca.key -out ca.crt -days 2 -subj /CN=authority"),
            format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"),
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile extensions \
             -out server.crt"
                .to_owned(),
        ] {
            let done = Command::new("openssl").args(command.split(' ')).current_dir(own.0.path()).output();
            let done = done.expect("openssl is installed: scripts/setup test");
            assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
        }
        own
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn root(&self) -> String {
        format!("sslrootcert={}", self.file("ca.crt").display())
    }
}

fn url(host: &str, port: u16, parameters: &str) -> String {
    format!("postgres://postgres@{host}:{port}/postgres?{parameters}")
}

/// What a command says that a database refuses or that refuses a database; `None` if it succeeds.
fn refusal(url: &str) -> Option<String> {
    let ended = run(&["migrate"], &[("DATABASE_URL", url), ("CONNECT_SECONDS", "60")]);
    (ended.code != Some(0)).then_some(ended.stderr)
}

#[track_caller]
fn assert_refused(url: &str, reason: &str) {
    let said = refusal(url).unwrap_or_else(|| panic!("{url} is accepted"));
    assert!(said.contains(reason), "{url}: {said}");
}

fn server(folder: &Path, variables: &[(&str, &str)]) -> Server {
    let spool = folder.join("spool");
    Server::start_with(&[&[("SPOOL_DIR", &*spool.to_string_lossy())], variables].concat())
}

#[test]
fn the_connection_uses_tls_as_the_address_says() {
    let data = DataDir::new();
    let folder = folder_for_clusters(&data);
    let cluster = Cluster::primary(&folder);
    let (certificates, others) = (Certificates::new(), Certificates::new());
    let at = |host: &str, parameters: &str| url(host, cluster.port, parameters);

    for mode in ["", "sslmode=disable", "sslmode=allow", "sslmode=prefer"] {
        assert_eq!(refusal(&at("localhost", mode)), None, "{mode}");
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        assert_refused(&at("localhost", &format!("sslmode={mode}")), "server does not support TLS");
    }

    cluster.offer_tls(&certificates.file("server.crt"), &certificates.file("server.key"));
    cluster.admit("hostssl all all 127.0.0.1/32 trust\n");
    let (root, other_root) = (certificates.root(), others.root());
    let verified = format!("sslmode=verify-full&{root}");
    for (host, parameters) in [
        ("127.0.0.1", ""),
        ("127.0.0.1", "sslmode=allow"),
        ("127.0.0.1", "sslmode=prefer"),
        ("127.0.0.1", "sslmode=require"),
        ("127.0.0.1", &format!("sslmode=require&{root}")),
        ("127.0.0.1", &format!("sslmode=verify-ca&{root}")),
        ("localhost", &verified),
    ] {
        assert_eq!(refusal(&at(host, parameters)), None, "{host} {parameters}");
    }
    assert_refused(&at("127.0.0.1", "sslmode=disable"), "no encryption");
    assert_refused(&at("127.0.0.1", &verified), "not valid for name");
    assert_refused(&at("localhost", "sslmode=verify-full"), "UnknownIssuer");
    for mode in ["require", "verify-ca", "verify-full"] {
        assert_refused(&at("localhost", &format!("sslmode={mode}&{other_root}")), "invalid peer certificate");
    }
}

#[test]
fn every_connection_of_a_server_uses_tls() {
    let data = DataDir::new();
    let folder = folder_for_clusters(&data);
    let cluster = Cluster::primary(&folder);
    let certificates = Certificates::new();
    cluster.offer_tls(&certificates.file("server.crt"), &certificates.file("server.key"));
    let verified = format!("sslmode=verify-full&{}", certificates.root());
    let (right, wrong) =
        (url("localhost", cluster.port, &verified), url("127.0.0.1", cluster.port, &verified));

    let refused = run(
        &["serve"],
        &[
            ("DATABASE_URL", &right),
            ("READ_DATABASE_URL", &wrong),
            ("LISTEN_ADDR", "127.0.0.1:0"),
            ("SPOOL_MAX_BYTES", "0"),
        ],
    );
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    assert!(refused.stderr.contains("READ_DATABASE_URL"), "{}", refused.stderr);
    assert!(refused.stderr.contains("not valid for name"), "{}", refused.stderr);

    let server = server(&folder, &[("DATABASE_URL", &right), ("READ_DATABASE_URL", &right)]);
    let body = br#"{"random_id":"a-1","nsapp":"jellyfin","type":"lxc","status":"success"}"#;
    assert_eq!(http::post(server.address, "/telemetry", body).expect("an answer").status, 200);
    for path in ["/api/runs/a-1", "/api/dashboard", "/readyz"] {
        assert_eq!(http::get(server.address, path).expect("an answer").status, 200, "{path}");
    }
    assert_eq!(http::delete(server.address, "/api/runs/a-1").expect("an answer").status, 204);
    let connections = |encrypted: bool| {
        cluster.sql(&format!(
            "select count(*) >= 4 from pg_stat_ssl join pg_stat_activity using (pid)
             where application_name like 'telemetry %' and ssl = {encrypted}"
        ))
    };
    assert_eq!([true, false].map(connections), ["t", "f"]);
}

/// It would drop the settings of the sessions, and in transaction mode also their locks and statements.
#[test]
fn a_connection_pooler_is_refused_with_a_sentence_that_says_so() {
    const SENTENCE: &str = "the database is behind a connection pooler such as PgBouncer";
    let data = DataDir::new();
    let folder = folder_for_clusters(&data);
    let cluster = Cluster::primary(&folder);
    let direct = url("127.0.0.1", cluster.port, "");
    for mode in ["pool_mode = transaction", "pool_mode = session", "pool_mode = statement"] {
        for ignored in ["", "ignore_startup_parameters = extra_float_digits, options"] {
            let pooler = PgBouncer::start(&folder, &cluster, &format!("{mode}\n{ignored}"));
            let pooled = url("127.0.0.1", pooler.port, "");
            assert_refused(&pooled, SENTENCE);
            let variables = [
                ("DATABASE_URL", direct.as_str()),
                ("READ_DATABASE_URL", &pooled),
                ("LISTEN_ADDR", "127.0.0.1:0"),
                ("SPOOL_MAX_BYTES", "0"),
            ];
            let refused = run(&["serve"], &variables);
            assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
            assert!(refused.stderr.contains(SENTENCE), "{}", refused.stderr);
        }
    }
}
