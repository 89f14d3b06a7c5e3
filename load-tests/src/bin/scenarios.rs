//! Plays every scenario against a server of its own on a throw-away PostgreSQL, and writes the reports to
//! `load-tests/reports/`.
//!
//! The last scenario is overload. PostgreSQL is slowed down, so that the generator and the server, which
//! share the machine, do not compete for it. The first run measures how much can be committed, the second
//! offers several times as much.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection};
use telemetry_load_tests::server_process::{Server, open_to_all};
use telemetry_server::store::database::embedded::{Embedded, Settings};

/// Name, number of users, scenario of the generator.
const SCENARIOS: [(&str, u32, &str); 5] = [
    ("steady", 64, "steady"),
    ("burst", 256, "burst"),
    ("retry-storm", 256, "retry"),
    ("slow-clients", 512, "slow"),
    ("hostile-ids", 128, "hostile"),
];
const PEAK: (&str, u32, &str) = ("peak-of-a-slow-database", 128, "burst");
/// More users than a queue in front of a slow database should hold events.
const OVERLOAD: (&str, u32, &str) = ("overload", 1024, "burst");
/// The offered load as a multiple of the peak. At least 3 must be reached.
const OFFERED: f64 = 4.0;
/// Makes every row take a millisecond, new or not, because the mix of both changes under overload.
const SLOW: &str = "
    create function slow() returns trigger language plpgsql as $$
    begin perform pg_sleep(0.001 * (select count(*) from written)); return null; end $$;
    create trigger slow_insert after insert on execution referencing new table as written
        for each statement execute function slow();
    create trigger slow_update after update on execution referencing new table as written
        for each statement execute function slow()";

fn main() -> anyhow::Result<()> {
    let seconds = std::env::var("LOAD_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports");
    fs::create_dir_all(&reports)?;
    let wanted: Vec<_> = std::env::args().skip(1).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let mut out = std::io::stdout();
    writeln!(
        out,
        "scenario                 accepted/s  p50 ms  p99 ms  over 1 s*  refused  slowest refusal ms  other  peak RSS MB"
    )?;
    for scenario in SCENARIOS.into_iter().filter(|(name, ..)| is_wanted(name)) {
        run(scenario, seconds, &reports, None, None)?;
    }
    if is_wanted(OVERLOAD.0) {
        let peak = run(PEAK, seconds, &reports, Some(SLOW), None)?;
        let most = peak["accepted_per_second"].as_f64().unwrap_or_default() * OFFERED;
        let over = run(OVERLOAD, seconds, &reports, Some(SLOW), Some(most as u32))?;
        let rate = |report: &Value, fields: &[&str]| {
            fields.iter().filter_map(|field| report[field].as_f64()).sum::<f64>()
                / report["seconds"].as_f64().unwrap_or(1.0)
        };
        let (can, does) = (rate(&peak, &["accepted"]), rate(&over, &["accepted"]));
        let offered = rate(&over, &["accepted", "refused", "other"]);
        writeln!(
            out,
            "\noffered {:.1} times the peak; goodput is {:.0} % of it (wanted 80)",
            offered / can,
            100.0 * does / can
        )?;
        ensure!(offered >= 3.0 * can, "not enough was offered");
        ensure!(does >= 0.8 * can, "goodput fell");
        ensure!(over["p99_ms"].as_u64().is_some_and(|p99| p99 < 1000), "accepted events wait too long");
        ensure!(over["refused_without_retry_after"] == 0, "a refusal has no Retry-After");
    }
    Ok(())
}

/// Plays one scenario, prints its line and returns the summary.
fn run(
    (name, users, scenario): (&str, u32, &str),
    seconds: u32,
    reports: &Path,
    sql: Option<&'static str>,
    most_per_second: Option<u32>,
) -> anyhow::Result<Value> {
    let folder = tempfile::Builder::new().prefix("telemetry-load").tempdir()?;
    open_to_all(folder.path())?;
    let cluster = Embedded::start(&Settings { data_dir: folder.path().join("data"), pg_bin: None })?;
    let endpoint = cluster.endpoint();
    let url = format!(
        "postgres://{}@localhost/{}?host={}",
        endpoint.user,
        endpoint.database,
        endpoint.socket_dir.display()
    );
    let mut server = start_server(&url, &folder.path().join("spool"))?;
    if let Some(sql) = sql {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let mut connection = PgConnection::connect(&url).await?;
            connection.execute(sql).await?;
            connection.close().await
        })?;
    }
    let summary = reports.join(format!("{name}.json"));
    let own = std::env::current_exe()?;
    let throttle = most_per_second.map(|most| format!("--throttle-requests={most}"));
    let load = Command::new(own.with_file_name("load"))
        .args(throttle)
        .args([
            "--host",
            &format!("http://{}", server.address),
            "--scenarios",
            scenario,
            "--users",
            &users.to_string(),
        ])
        .args(["--increase-rate", &users.to_string(), "--run-time", &format!("{seconds}s")])
        .args(["--quiet", "--no-print-metrics", "--report-file"])
        .arg(reports.join(format!("{name}.html")))
        .env("LOAD_SUMMARY", &summary)
        .stdout(Stdio::null())
        .status()
        .context("cannot run the generator")?;
    ensure!(load.success(), "the generator failed");
    let report: Value = serde_json::from_slice(&fs::read(summary)?)?;
    let rss = server.memory_mb("VmHWM:")?;
    let slow = slower_than_a_second(&server.address)?;
    writeln!(
        std::io::stdout(),
        "{name:<24} {:>10.0}  {:>6}  {:>6}  {slow:>9.0}  {:>7}  {:>18}  {:>5}  {rss:>11.0}",
        report["accepted_per_second"].as_f64().unwrap_or_default(),
        report["p50_ms"],
        report["p99_ms"],
        report["refused"],
        report["refused_slowest_ms"],
        report["other"],
    )?;
    server.stop()?;
    cluster.stop()?;
    Ok(report)
}

fn start_server(database: &str, spool: &Path) -> anyhow::Result<Server> {
    let program = std::env::current_exe()?.with_file_name("telemetry-server");
    Server::start(
        Command::new(&program)
            .arg("serve")
            .env("DATABASE_URL", database)
            .env("SPOOL_DIR", spool)
            .env("LISTEN_ADDR", "127.0.0.1:0")
            .env("LOG", "warn")
            // All events come from one address. The limits are enabled, but never reached.
            .env("ADDRESS_LIMIT_BURST", "100000000")
            .env("ADDRESS_LIMIT_PER_MINUTE", "100000000"),
    )
    .with_context(|| format!("cannot start {}: build it first", program.display()))
}

/// Requests that took the server longer than 1.024 s. The delays of the generator, which shares the machine,
/// are not included.
fn slower_than_a_second(address: &str) -> anyhow::Result<f64> {
    let mut connection = TcpStream::connect(address)?;
    connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: telemetry\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let bucket = |bound: &str| {
        let name = "telemetry_http_request_duration_seconds_bucket";
        let line = format!("{name}{{route=\"/telemetry\",le=\"{bound}\"}} ");
        let value = answer.lines().find_map(|found| found.strip_prefix(&line)?.parse::<f64>().ok());
        value.with_context(|| format!("no {line}"))
    };
    Ok(bucket("+Inf")? - bucket("1.024")?)
}
