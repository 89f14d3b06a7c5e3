//! The program as an operator meets it: killed, stopped, started on a wrong configuration or a
//! foreign database, and its commands beside a running server.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

use crate::common::DataDir;
use crate::common::app::Cluster;
use crate::common::http;
use crate::common::load::{Load, answers, assert_stored, fresh_starts, recorded};
use crate::common::server::{Finished, Server, run, run_on, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use telemetry_protocol::wire::FIELDS;
use telemetry_server::store::database::connect::embedded_options;
use telemetry_server::store::database::embedded::start_or_attach;

/// Longest time that a stop may take.
const STOP_SECONDS: Duration = Duration::from_secs(10);
const CONNECTIONS: usize = 8;

#[test]
fn nothing_answered_is_lost_when_the_server_is_killed() {
    let data = DataDir::new();
    let mut answered = Vec::new();
    for (requests, answers) in [(recorded(), 300), (fresh_starts("kill"), 700)] {
        let server = Server::start(&data);
        let load = Load::start(server.address, &requests, CONNECTIONS);
        load.wait_for(answers);
        server.kill();
        answered.extend(load.run_out());
    }
    let server = Server::start(&data);
    assert_stored(server.address, &answered);
    assert_verified(&run_on(&data, "verify"));
}

#[test]
fn nothing_answered_is_lost_when_postgres_is_killed() {
    let data = DataDir::new();
    let server = Server::start(&data);
    let load = Load::start(server.address, &fresh_starts("kill"), CONNECTIONS);
    load.wait_for(200);
    kill(postmaster(&data), Signal::SIGKILL).expect("it runs");
    // It goes on after PostgreSQL is back.
    load.wait_for(3000);
    let sent = load.finish();
    assert!(sent.iter().all(|sent| matches!(sent.answer, Ok(200 | 503))), "{:?}", answers(&sent));
    until("the spool is empty", || {
        http::get(server.address, "/metrics").is_ok_and(|answer| {
            let metrics = String::from_utf8_lossy(&answer.body).into_owned();
            metrics.contains("\ntelemetry_spooling 0\n") && metrics.contains("\ntelemetry_spool_entries 0\n")
        })
    });
    assert_stored(server.address, &sent);
    assert_verified(&run_on(&data, "verify"));
}

/// A connection that comes while the server stops may be closed before it was read: then nothing
/// of its request is stored, and sending it again is right.
#[test]
fn a_stop_answers_every_request_that_it_took_and_ends_postgres() {
    let data = DataDir::new();
    let mut all = Vec::new();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut server = Server::start(&data);
        let postgres = postmaster(&data);
        let load = Load::start(server.address, &fresh_starts(signal.as_str()), CONNECTIONS);
        load.wait_for(300);
        // An idle connection does not hold the stop up.
        let idle = http::open(server.address).expect("it listens");
        server.signal(signal);
        let sent = load.run_out();
        let status = server.wait(STOP_SECONDS);
        assert_eq!(status.and_then(|status| status.code()), Some(0), "{signal}: {}", server.stderr());
        assert!(!runs(postgres), "postgres has ended");
        drop(idle);
        assert!(
            sent.iter().all(|sent| matches!(sent.answer, Ok(200 | 503) | Err(_))),
            "{:?}",
            answers(&sent)
        );
        all.extend(sent);
    }
    let server = Server::start(&data);
    assert_stored(server.address, &all);
    let untaken = all.iter().filter(|sent| sent.answer.is_err());
    let taken = untaken.filter(|sent| {
        let id = sent.request.id().expect("it has one");
        http::get(server.address, &format!("/api/runs/{id}")).expect("an answer").status != 404
    });
    assert_eq!(taken.count(), 0, "stored and not answered: {:?}", answers(&all));
    assert_verified(&run_on(&data, "verify"));
}

#[test]
fn a_stop_waits_for_the_rest_of_a_request() {
    let data = DataDir::new();
    let mut server = Server::start(&data);
    let body = br#"{"random_id":"slow-1","nsapp":"jellyfin","type":"lxc","status":"installing"}"#;
    let mut connection = http::open(server.address).expect("it listens");
    let head = http::head("POST", "/telemetry", &["Expect: 100-continue"], body.len());
    connection.write_all(head.as_bytes()).expect("it listens");
    let mut go_on = [0; 25];
    connection.read_exact(&mut go_on).expect("an answer");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    connection.write_all(&body[..20]).expect("it listens");
    server.signal(Signal::SIGTERM);
    until("it takes no more connections", || http::open(server.address).is_err());
    connection.write_all(&body[20..]).expect("it still listens here");
    assert_eq!(http::answer(connection).expect("an answer").status, 200);
    assert_eq!(server.wait(STOP_SECONDS).and_then(|status| status.code()), Some(0));

    let server = Server::start(&data);
    assert_eq!(http::get(server.address, "/api/runs/slow-1").expect("an answer").status, 200);
}

#[test]
fn the_service_manager_is_told_that_the_server_is_ready_alive_and_stopping() {
    let (data, folder) = (DataDir::new(), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("a new socket");
    manager.set_read_timeout(Some(Duration::from_secs(30))).expect("a patience");
    let next_message = || {
        let mut message = [0; 64];
        let length = manager.recv(&mut message).expect("a message");
        String::from_utf8_lossy(&message[..length]).trim_end().to_owned()
    };
    let mut server = Server::start_with(&[
        ("DATA_DIR", &data.path().to_string_lossy()),
        ("NOTIFY_SOCKET", &path.to_string_lossy()),
        ("WATCHDOG_USEC", "600000"),
    ]);
    let mut messages: Vec<_> = (0..4).map(|_| next_message()).collect();
    assert_eq!(messages, ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]);

    let address = server.address.to_string();
    let healthcheck = || run(&["healthcheck"], &[("LISTEN_ADDR", &address)]);
    assert_eq!(healthcheck().code, Some(0), "{:?}", healthcheck());
    server.signal(Signal::SIGTERM);
    while messages.last().is_some_and(|last| last == "WATCHDOG=1") {
        messages.push(next_message());
    }
    assert_eq!(messages.last().map(String::as_str), Some("STOPPING=1"));
    assert_eq!(server.wait(STOP_SECONDS).and_then(|status| status.code()), Some(0));
    let stopped = healthcheck();
    assert!(stopped.code == Some(1) && stopped.stderr.contains("LISTEN_ADDR"), "{stopped:?}");
}

#[test]
fn verify_and_rebuild_work_beside_a_running_server() {
    let (data, requests) = (DataDir::new(), recorded());
    let server = Server::start(&data);
    let load = Load::start(server.address, &requests, 2);
    load.wait_for(300);
    assert_verified(&run_on(&data, "verify"));

    let changed = sql(&data, "update rollup_script set runs = runs + 1 where app = 'jellyfin'");
    assert!(changed > 0);
    let found = run_on(&data, "verify");
    assert_eq!(found.code, Some(1), "{found:?}");
    let rows: Vec<_> = found.stdout.lines().filter(|line| line.contains("jellyfin")).collect();
    assert!(!rows.is_empty() && rows[0].contains("runs: 1"), "{}", found.stdout);

    let rebuilt = run_on(&data, "rebuild");
    assert_eq!(rebuilt.code, Some(0), "{rebuilt:?}");
    assert_verified(&run_on(&data, "verify"));
    let sent = load.finish();
    assert!(sent.iter().all(|sent| matches!(sent.answer, Ok(200 | 400))), "{:?}", answers(&sent));
    assert_stored(server.address, &sent);
    assert_verified(&run_on(&data, "verify"));

    drop(server);
    assert_verified(&run_on(&data, "verify"));
}

#[test]
fn verify_and_rebuild_say_which_days_nothing_can_recount() {
    let data = DataDir::new();
    let server = Server::start(&data);
    let body = br#"{"random_id":"a-1","nsapp":"jellyfin","type":"lxc","status":"success"}"#;
    assert_eq!(http::post(server.address, "/telemetry", body).expect("an answer").status, 200);
    sql(
        &data,
        "insert into rollup_script select day - 1000, population, app, outcome, open_hour, 1, 1, 1 from rollup_script",
    );
    let found = run_on(&data, "verify");
    assert_eq!(found.code, Some(1), "{found:?}");
    sql(
        &data,
        "insert into setting select 'retention_horizon', convert_to(to_char(max(day), 'YYYY-MM-DD'), 'UTF8')
         from rollup_script",
    );
    for (command, words) in [("verify", "not recounted: "), ("rebuild", "left as they are: "), ("verify", "")]
    {
        let ended = run_on(&data, command);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let lines: Vec<_> = ended.stdout.lines().collect();
        assert!(lines.len() == 2 && lines[1].starts_with(words), "{ended:?}");
        assert!(lines[0].contains(" 1 days"), "{ended:?}");
    }
    assert_eq!(
        sql(&data, "delete from rollup_script where runs = 1 and duration_count = 1"),
        1,
        "it is still there"
    );
}

#[test]
fn every_wrong_variable_is_named_at_once() {
    let wrong = [
        ("LISTEN_ADDR", "here"),
        ("DATABASE_URL", "mysql://someone:hunter2@host/x"),
        ("ID_KEY", "too-short"),
        ("LOG", "info,x=y=z"),
        ("MAX_BODY_BYTES", "-1"),
        ("QUEUE_EVENTS", "many"),
        ("SPOOL_MAX_BYTES", "4096"),
        ("UNFINISHED_HOURS", "0"),
        ("RETENTION_DAYS", "-1"),
        ("CONNECT_SECONDS", "soon"),
    ];
    for command in ["serve", "migrate", "verify", "rebuild"] {
        let ended = run(&[command], &wrong);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        for (name, _) in wrong {
            assert!(ended.stderr.contains(name), "{name} in {}", ended.stderr);
        }
        assert!(!ended.stderr.contains("hunter2") && !ended.stderr.contains("too-short"), "{}", ended.stderr);
    }
    assert_eq!(run(&["--listen-addr", "here"], &[]).code, Some(2));
}

#[test]
fn a_database_that_cannot_be_reached_ends_the_start() {
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let url = format!("postgres://someone:hunter2@{}/telemetry", closed.expect("a free port"));
    for command in ["serve", "migrate", "verify"] {
        let variables = [("DATABASE_URL", url.as_str()), ("CONNECT_SECONDS", "1"), ("SPOOL_MAX_BYTES", "0")];
        let ended = run(&[command], &variables);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
        assert!(ended.stderr.contains("within 1 s"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
}

#[test]
fn two_servers_with_one_spool_are_refused() {
    let (_cluster, _, url) = external_database();
    let folder = DataDir::new();
    let spool = folder.path().to_string_lossy().into_owned();
    let _server = Server::start_with(&[("DATABASE_URL", &url), ("SPOOL_DIR", &spool)]);
    let variables = [("DATABASE_URL", url.as_str()), ("SPOOL_DIR", &spool), ("LISTEN_ADDR", "127.0.0.1:0")];
    let second = run(&["serve"], &variables);
    assert_eq!((second.code, second.stdout.as_str()), (Some(1), ""), "{second:?}");
    assert!(second.stderr.contains("SPOOL_DIR") && second.stderr.contains(&spool), "{}", second.stderr);
}

#[test]
fn a_migration_that_fails_ends_the_start() {
    let (_cluster, options, url) = external_database();
    execute(&options, "create table execution (of text)");
    let ended =
        run(&["serve"], &[("DATABASE_URL", &url), ("LISTEN_ADDR", "127.0.0.1:0"), ("SPOOL_MAX_BYTES", "0")]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.stderr.contains("cannot migrate the database"), "{}", ended.stderr);
}

#[test]
fn migrate_prepares_a_database_and_a_newer_schema_is_refused() {
    let (_cluster, options, url) = external_database();
    for _ in 0..2 {
        let ended = run(&["migrate"], &[("DATABASE_URL", &url)]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    let server = Server::start_with(&[("DATABASE_URL", &url)]);
    let body = br#"{"random_id":"a-1","nsapp":"jellyfin","type":"lxc","status":"success"}"#;
    assert_eq!(http::post(server.address, "/telemetry", body).expect("an answer").status, 200);
    assert_eq!(http::get(server.address, "/api/runs/a-1").expect("an answer").status, 200);
    drop(server);

    execute(
        &options,
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (999999, 'of a later version', true, '', 0)",
    );
    for command in ["serve", "migrate"] {
        let ended = run(&[command], &[("DATABASE_URL", &url), ("LISTEN_ADDR", "127.0.0.1:0")]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
        assert!(ended.stderr.contains("999999"), "{}", ended.stderr);
    }
}

#[test]
fn a_key_that_does_not_belong_to_the_database_is_refused() {
    const ONE: (&str, &str) = ("ID_KEY", "the first of two secrets");
    const TWO: (&str, &str) = ("ID_KEY", "the second of two secrets");
    let refused = |url: &str, key: &[(&str, &str)]| {
        let own = [("DATABASE_URL", url), ("LISTEN_ADDR", "127.0.0.1:0"), ("SPOOL_MAX_BYTES", "0")];
        let ended = run(&["serve"], &[&own, key].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
        assert!(ended.stderr.contains("set ID_KEY to its former value"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("secrets"), "{}", ended.stderr);
    };
    let accepted = |url: &str, key: &[(&str, &str)]| {
        let server = Server::start_with(&[&[("DATABASE_URL", url)], key].concat());
        let body = br#"{"random_id":"a-1","nsapp":"jellyfin","type":"lxc","status":"success"}"#;
        assert_eq!(http::post(server.address, "/telemetry", body).expect("an answer").status, 200);
    };
    let (_cluster, options, url) = external_database();
    accepted(&url, &[ONE]);
    refused(&url, &[TWO]);
    refused(&url, &[]);
    accepted(&url, &[ONE]);
    // As the message says.
    execute(&options, "delete from setting where name in ('id_key', 'id_key_fingerprint')");
    accepted(&url, &[TWO]);
    refused(&url, &[ONE]);

    let (_cluster, options, url) = external_database();
    accepted(&url, &[]);
    refused(&url, &[ONE]);
    accepted(&url, &[]);
    // As earlier versions left it.
    execute(&options, "delete from setting where name = 'id_key_fingerprint'");
    refused(&url, &[ONE]);
    accepted(&url, &[]);
}

#[test]
fn the_catalogue_and_the_help_need_no_database() {
    let ended = run(&["exit-codes"], &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for line in ["1\t231\tdatabase\t", "3\t231\t", "2\t137\t"] {
        assert!(ended.stdout.lines().any(|printed| printed.starts_with(line)), "{line}");
    }
    assert!(ended.stdout.lines().all(|line| line.split('\t').count() == 4));

    let ended = run(&["--help"], &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for command in ["serve", "migrate", "verify", "rebuild", "exit-codes"] {
        let explained = |line: &str| line.trim().strip_prefix(command).is_some_and(|rest| rest.len() > 20);
        assert!(ended.stdout.lines().any(explained), "{command} in {}", ended.stdout);
        assert_eq!(run(&[command, "--help"], &[]).code, Some(0));
    }
    for variable in ["LISTEN_ADDR", "DATABASE_URL", "DATA_DIR", "PG_BIN", "ID_KEY", "LOG"] {
        assert!(ended.stdout.contains(&format!("[env: {variable}]")), "{variable} in {}", ended.stdout);
    }
}

#[test]
fn the_help_of_a_command_shows_the_variables_that_it_uses_and_no_others() {
    const DATABASE: [&str; 4] = ["DATABASE_URL", "DATA_DIR", "PG_BIN", "CONNECT_SECONDS"];
    const MAIL: [&str; 3] = ["SMTP_URL", "REPORT_FROM", "REPORT_TO"];
    let variables = |command: &str| -> BTreeSet<String> {
        let help = run(&[command, "--help"], &[]).stdout;
        let named = help.split("[env: ").skip(1).filter_map(|rest| rest.split_once(']'));
        named.map(|(name, _)| name.to_owned()).collect()
    };
    let expected =
        |groups: &[&[&str]]| -> BTreeSet<String> { groups.concat().into_iter().map(str::to_owned).collect() };
    for command in ["migrate", "verify", "rebuild"] {
        assert_eq!(variables(command), expected(&[&DATABASE, &["LOG"]]), "{command}");
    }
    assert_eq!(variables("report"), expected(&[&DATABASE, &MAIL, &["LOG"]]));
    assert_eq!(variables("exit-codes"), expected(&[]));
    let serve = variables("serve");
    assert!(["LISTEN_ADDR", "ID_KEY", "ADMIN_TOKEN"].iter().all(|name| serve.contains(*name)), "{serve:?}");
    assert!(!MAIL.iter().any(|name| serve.contains(*name)), "{serve:?}");
    for heading in ["Listening:", "Database:", "Protection:"] {
        let help = run(&["serve", "--help"], &[]).stdout;
        assert!(help.lines().any(|line| line == heading), "{heading} in {help}");
    }
}

#[test]
fn every_command_takes_every_flag_before_and_after_its_name() {
    for arguments in [["--listen-addr", "here", "migrate"], ["migrate", "--listen-addr", "here"]] {
        let ended = run(&arguments, &[]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("LISTEN_ADDR must be"), "{}", ended.stderr);
    }
}

#[test]
fn the_finest_log_holds_nothing_of_a_request() {
    const MARK: &str = "zqx4711";
    let data = DataDir::new();
    let server = Server::start_with(&[("DATA_DIR", &data.path().to_string_lossy()), ("LOG", "trace")]);
    let marked = |status: &str| {
        let fields = FIELDS.iter().map(|field| ((*field).to_owned(), json!(format!("{MARK}-{field}"))));
        let mut body: serde_json::Map<_, _> = fields.collect();
        body.insert("status".to_owned(), json!(status));
        serde_json::Value::Object(body).to_string()
    };
    let whole = marked("failed");
    let broken = whole.replace(r#""error":""#, r#""error":"a "quote" and \x1b"#);
    let huge = format!(r#"{{"random_id":"{MARK}","error":"{}"}}"#, MARK.repeat(100_000));
    let mut ports = BTreeSet::new();
    for (body, status) in [
        (whole.as_str(), 200),
        (&broken, 200),
        (&whole[..whole.len() - 9], 200),
        (&marked(MARK), 400),
        (&format!(r#"["{MARK}"]"#), 400),
        (MARK, 400),
        (&format!("{{{MARK}"), 400),
        (&format!(r#"{{"{MARK}":1}}"#), 400),
        (&format!(r#"{{"status":"done","error":"{MARK}"}}"#), 400),
        (&format!(r#"{{"random_id":"{MARK} two words","nsapp":"x"}}"#), 400),
        (&format!("{{\"random_id\":\"nul-{MARK}\",\"nsapp\":\"a\\u0000{MARK}\"}}"), 200),
        (&huge, 413),
    ] {
        let answer = http::post(server.address, "/telemetry", body.as_bytes()).expect("an answer");
        let shown = body.get(..80).unwrap_or(body);
        assert_eq!(answer.status, status, "{shown}: {}", String::from_utf8_lossy(&answer.body));
        assert!(!String::from_utf8_lossy(&answer.body).contains(MARK), "{shown}: the answer repeats it");
        ports.insert(answer.client_port);
    }
    for (path, status) in [
        (format!("/api/runs/{MARK}-execution_id"), 200),
        (format!("/api/runs/{MARK}"), 404),
        (format!("/{MARK}?{MARK}={MARK}"), 404),
        (format!("/api/dashboard?slug={MARK}"), 200),
        (format!("/api/dashboard?days={MARK}"), 400),
        (format!("/api/exit-codes/{MARK}"), 400),
        (format!("/api/runs/%ff{MARK}"), 404),
    ] {
        let answer = http::get(server.address, &path).expect("an answer");
        assert_eq!(answer.status, status, "{path}: {}", String::from_utf8_lossy(&answer.body));
        ports.insert(answer.client_port);
    }
    let mut connection = http::open(server.address).expect("it listens");
    let header = format!("User-Agent: {MARK}");
    connection.write_all(http::head("GET", "/", &[&header], 0).as_bytes()).expect("it listens");
    ports.insert(http::answer(connection).expect("an answer").client_port);
    server.signal(Signal::SIGTERM);
    let mut server = server;
    assert_eq!(server.wait(STOP_SECONDS).and_then(|status| status.code()), Some(0));

    let log = server.stderr();
    assert!(log.contains("TRACE") && log.contains("/api/runs/{id}"), "it logs: {log}");
    let shown =
        |needle: &str| log.lines().find(|line| line.to_lowercase().contains(needle)).map(str::to_owned);
    assert_eq!(shown(MARK), None);
    for port in ports {
        assert_eq!(shown(&format!("127.0.0.1:{port}")), None);
        assert_eq!(shown(&format!("port: {port}")), None);
    }
}

fn assert_verified(ended: &Finished) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains(" executions") && !ended.stdout.starts_with("0 "), "{ended:?}");
}

fn postmaster(data: &DataDir) -> Pid {
    let file = fs::read_to_string(data.path().join("postgres/postmaster.pid")).expect("it runs");
    let pid = file.lines().next().and_then(|line| line.parse().ok());
    Pid::from_raw(pid.expect("a process id"))
}

/// Whether a process runs; one that has ended and is not reaped does not.
fn runs(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Changes the database of a running server through its socket; returns the rows changed.
fn sql(data: &DataDir, statement: &str) -> u64 {
    match start_or_attach(&data.settings()).expect("it runs") {
        telemetry_server::store::database::embedded::Cluster::Running(endpoint) => {
            execute(&embedded_options(&endpoint), statement)
        }
        telemetry_server::store::database::embedded::Cluster::Own(_) => panic!("the server does not run"),
    }
}

pub(crate) fn execute(options: &PgConnectOptions, statement: &str) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connection = PgConnection::connect_with(options).await.expect("it runs");
        let changed = connection.execute(AssertSqlSafe(statement.to_owned())).await.expect("it is right");
        changed.rows_affected()
    })
}

/// A database that is not the server's own, and its URL.
pub(crate) fn external_database() -> (Arc<Cluster>, PgConnectOptions, String) {
    let cluster = Cluster::shared();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let options = runtime.block_on(cluster.database());
    let url = url(&options);
    (cluster, options, url)
}

/// The address of a database on the cluster of the tests.
pub(crate) fn url(options: &PgConnectOptions) -> String {
    format!(
        "postgres://{}@localhost/{}?host={}",
        options.get_username(),
        options.get_database().expect("it has a name"),
        options.get_socket().expect("a socket").display()
    )
}
