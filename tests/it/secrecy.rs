//! Replays recorded traffic and searches for the secrets planted in it. None may appear in the database, in
//! its files, in an answer, in the metrics, or in the log at its most detailed level.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::common::DataDir;
use crate::common::corpus::{Corpus, Request};
use crate::common::http;
use crate::common::server::Server;
use nix::sys::signal::Signal;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use telemetry_server::store::database::connect::embedded_options;
use telemetry_server::store::database::embedded::{Cluster, start_or_attach};

/// The query that removes every default filter.
const EVERYTHING: &str = "days=0&repo=all&limit=100";
/// Concurrent senders.
const SENDERS: usize = 8;

#[test]
fn planted_secrets_appear_nowhere() {
    let corpus = Corpus::largest();
    let planted = planted(&corpus);
    assert!(planted.len() >= 10, "{planted:?}");
    let sent = corpus.requests.iter().map(|request| String::from_utf8_lossy(&request.body).to_lowercase());
    let sent: Vec<_> = sent.filter(|body| planted.iter().any(|secret| body.contains(secret))).collect();
    assert!(sent.len() >= 10, "the corpus contains the secrets");

    let data = DataDir::new();
    let mut server = Server::start_with(&[
        ("DATA_DIR", &data.path().to_string_lossy()),
        ("LOG", "trace"),
        ("ADDRESS_LIMIT_PER_MINUTE", "0"),
    ]);
    replay(&server, &corpus.requests);

    let found = |place: &str, text: &str| {
        let text = text.to_lowercase();
        let found: Vec<_> = planted.iter().filter(|secret| text.contains(secret.as_str())).collect();
        assert!(found.is_empty(), "{place} contains {found:?}");
    };
    let paths = paths(&server);
    assert!(paths.len() > 100, "{}", paths.len());
    for path in paths {
        // A maintainer sees the texts as well.
        for get in [http::get, http::get_all] {
            let answer = get(server.address, &path).expect("an answer");
            assert_eq!(answer.status, 200, "{path}");
            found(&path, &String::from_utf8_lossy(&answer.body));
        }
    }
    for id in corpus.ids() {
        let answer = http::get(server.address, &format!("/api/runs/{id}")).expect("an answer");
        assert_eq!(answer.status, 200, "{id}");
        found("/api/runs/{id}", &String::from_utf8_lossy(&answer.body));
    }
    let dump = dump(&data);
    assert!(dump.contains("jellyfin") && dump.contains("<ip>"), "the dump contains the runs");
    found("the database", &dump);
    for id in corpus.ids() {
        assert!(!dump.contains(&id), "the database contains an id");
    }

    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(Duration::from_secs(10)).and_then(|status| status.code()), Some(0));
    let log = server.stderr();
    assert!(log.contains("TRACE"));
    found("the log", &log);
    files(&data.path(), &mut |file, bytes| {
        found(&file.display().to_string(), &String::from_utf8_lossy(bytes));
    });
}

/// Every public path of the server's own description, with every value of its parameters. Lists are also
/// requested in their other formats, which have no pages.
fn paths(server: &Server) -> Vec<String> {
    let json = |path: &str| http::get(server.address, path).expect("an answer").json();
    let names = |path: &str, list: &str, name: &str| -> Vec<String> {
        let answer = json(&format!("{path}?{EVERYTHING}"));
        let rows = answer[list].as_array().unwrap_or_else(|| panic!("{path} has {list}")).clone();
        rows.iter().map(|row| row[name].as_str().expect("a text").to_owned()).collect()
    };
    let described = json("/openapi.json");
    let described = described["paths"].as_object().expect("paths");
    let readable = described.iter().filter(|(_, methods)| methods.get("get").is_some());
    let mut paths = Vec::new();
    for (path, _) in readable {
        let asked: Vec<String> = match path.as_str() {
            // Requested by id in the test itself.
            "/api/runs/{id}" => vec![],
            // Without a token there is no such path.
            path if path.starts_with("/admin/") => vec![],
            "/api/exit-codes/{code}" => vec!["/api/exit-codes/100".to_owned()],
            "/api/exit-codes/{code}/runs" => vec![format!("/api/exit-codes/100/runs?{EVERYTHING}")],
            "/api/scripts/{app}" => {
                let apps = names("/api/scripts", "top_scripts", "app");
                apps.iter().map(|app| format!("/api/scripts/{app}?{EVERYTHING}")).collect()
            }
            "/api/reasons/{id}" => vec![format!("/api/reasons/apt.package-not-found?{EVERYTHING}")],
            "/api/signatures/{id}" => {
                let ids = names("/api/signatures", "signatures", "id");
                ids.iter().map(|id| format!("/api/signatures/{id}?{EVERYTHING}")).collect()
            }
            "/data/nsapp" => vec![format!("{path}?nsapp=jellyfin&{EVERYTHING}")],
            "/data/status" => ["failed", "success", "aborted"]
                .map(|status| format!("{path}?status={status}&{EVERYTHING}"))
                .into(),
            "/data/os" => vec![format!("{path}?os_type=debian&os_version=12&{EVERYTHING}")],
            "/data/date" => vec![format!("{path}?start_date=2000-01-01&end_date=2199-01-01&repo=all")],
            "/api/timeseries" => {
                ["app", "os", "method"].map(|group| format!("{path}?group={group}&repo=all")).into()
            }
            path => {
                ["json", "csv", "ndjson"].map(|format| format!("{path}?format={format}&{EVERYTHING}")).into()
            }
        };
        paths.extend(asked);
    }
    paths.extend(["/failures", "/runs", "/reasons"].map(|page| format!("{page}?{EVERYTHING}")));
    paths
}

/// All secrets of the corpus, in lower case.
fn planted(corpus: &Corpus) -> BTreeSet<String> {
    let lists = corpus.truth.iter().filter_map(|run| run["must_not_contain"].as_array());
    lists.flatten().map(|secret| secret.as_str().expect("a text").to_lowercase()).collect()
}

fn replay(server: &Server, requests: &[Request]) {
    thread::scope(|scope| {
        for part in requests.chunks(requests.len().div_ceil(SENDERS)) {
            scope.spawn(move || {
                for request in part {
                    let answer = http::post(server.address, &request.path, &request.body).expect("an answer");
                    let expected = if request.id().is_some() { 200 } else { 400 };
                    assert_eq!(answer.status, expected, "{}", request.run_id);
                }
            });
        }
    });
}

/// Every row of every table as text.
fn dump(data: &DataDir) -> String {
    let Cluster::Running(endpoint) = start_or_attach(&data.settings()).expect("it runs") else {
        panic!("the server is not running")
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connection = PgConnection::connect_with(&embedded_options(&endpoint)).await.expect("it runs");
        let tables: Vec<String> = sqlx::query_scalar(
            "select format('%I.%I', table_schema, table_name) from information_schema.tables
             where table_schema not in ('pg_catalog', 'information_schema')",
        )
        .fetch_all(&mut connection)
        .await
        .expect("it runs");
        assert!(tables.len() >= 8, "{tables:?}");
        let mut dump = String::new();
        for table in tables {
            let rows = format!("select coalesce(string_agg(t::text, E'\\n'), '') from {table} t");
            let rows: String =
                sqlx::query_scalar(AssertSqlSafe(rows)).fetch_one(&mut connection).await.expect("it runs");
            dump.push_str(&rows);
        }
        dump
    })
}

/// Visits every file below a folder: rows, indexes and the write-ahead log.
fn files(folder: &Path, show: &mut impl FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(folder).expect("it is there") {
        let entry = entry.expect("it is there");
        if entry.file_type().expect("it is there").is_dir() {
            files(&entry.path(), show);
        } else if let Ok(bytes) = fs::read(entry.path()) {
            show(&entry.path(), &bytes);
        }
    }
}
