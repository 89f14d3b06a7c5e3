//! The cost of reading on a database of more than a year: every aggregate without a cache, beside one statement
//! over the executions; pages of records; the web page; cached responses; reports while others read; an export.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `BENCH_READ_EXECUTIONS` | executions to seed | 5,000,000 |
//! | `BENCH_READ_DAYS` | days over which they are spread | 400 |
//! | `BENCH_READ_DATA` | data folder to keep; it is seeded only if it is empty | a temporary one |
//! | `BENCH_READ_ROUNDS` | requests per figure | 40 |
//! | `BENCH_READ_RAW` | `no` skips the statements over the executions, which take minutes | |
//! | `BENCH_READ_PARTS` | of `aggregates,pages,web,storm,export,cached` | all |

mod raw;
mod web;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use raw::AGGREGATES;
use sqlx::{AssertSqlSafe, Connection as _, Executor, PgConnection, Row};
use telemetry_load_tests::events::{Run, Stage};
use telemetry_load_tests::plain_http::Connection;
use telemetry_load_tests::server_process::{Server, open_to_all};
use telemetry_load_tests::wrk;
use telemetry_server::store::database::embedded::{Embedded, Settings};

/// Requests before those that are measured.
const WARM_UP: usize = 3;
/// Days of a period, and the wanted 95th percentile of an aggregate in milliseconds.
const WANTED: [(u32, f64); 2] = [(365, 250.0), (30, 120.0)];
/// The wanted 95th percentile of a page of records in milliseconds.
const WANTED_PAGE: f64 = 30.0;
/// The wanted ratio of a statement over the executions of a year to the aggregate.
const WANTED_RATIO: f64 = 20.0;
const SLOW_MS: f64 = 3_000.0;
const CACHED_SECONDS: u32 = 5;
const CACHED_CONNECTIONS: u32 = 64;
const WANTED_CACHED: f64 = 20_000.0;
/// Reports per second while others read.
const REPORTS_PER_SECOND: u64 = 200;
const REPORTERS: u64 = 4;
const STORM: Duration = Duration::from_secs(15);
const READERS: usize = 8;
const EXPORTED: usize = 1_000_000;
const WANTED_GROWTH_MB: f64 = 20.0;

fn main() -> anyhow::Result<()> {
    let number = |name: &str, default: usize| {
        std::env::var(name).map_or(Ok(default), |text| text.parse().with_context(|| name.to_owned()))
    };
    let (executions, days) = (number("BENCH_READ_EXECUTIONS", 5_000_000)?, number("BENCH_READ_DAYS", 400)?);
    let rounds = number("BENCH_READ_ROUNDS", 40)?;
    let folder = tempfile::Builder::new().prefix("telemetry-bench").tempdir()?;
    open_to_all(folder.path())?;
    let data = std::env::var_os("BENCH_READ_DATA").map_or_else(|| folder.path().join("data"), PathBuf::from);
    let cluster = Embedded::start(&Settings { data_dir: data, pg_bin: None })?;
    let endpoint = cluster.endpoint();
    let socket = endpoint.socket_dir.display().to_string().replace('/', "%2F");
    let url = format!("postgres://{}@localhost/{}?host={socket}", endpoint.user, endpoint.database);
    let program = std::env::current_exe()?.with_file_name("telemetry-server");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    prepare(&program, &url, (executions, days), &runtime)?;

    let uncached = serve(&program, &url, "0")?;
    wait_for_sums(&runtime, &url)?;
    let with_raw = std::env::var("BENCH_READ_RAW").as_deref() != Ok("no");
    let parts = std::env::var("BENCH_READ_PARTS");
    let is_wanted = |part| parts.as_ref().map_or(true, |parts| parts.split(',').any(|wanted| wanted == part));
    let mut missed = 0;
    if is_wanted("aggregates") {
        missed += aggregates(&uncached.address, rounds, &mut |statement| {
            if with_raw { measure_raw(&runtime, &url, statement) } else { Ok(f64::INFINITY) }
        })?;
    }
    if is_wanted("pages") {
        missed += pages(&uncached.address, rounds)?;
    }
    if is_wanted("web") {
        missed += web::measure(&uncached.address, rounds, &web::UNCACHED)?;
    }
    if is_wanted("storm") {
        missed += storm(&uncached.address)?;
    }
    if is_wanted("export") {
        missed += export(&uncached)?;
    }
    drop(uncached);
    if is_wanted("cached") {
        missed += cached(&serve(&program, &url, "5")?.address)?;
    }
    if is_wanted("web") {
        missed += web::measure(&serve(&program, &url, "60")?.address, rounds, &web::CACHED)?;
    }
    say(&if missed == 0 { "all targets are met".to_owned() } else { format!("{missed} targets are missed") })
}

fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// The note beside a figure, empty if the target is met. Counts missed targets.
fn verdict(is_good: bool, missed: &mut usize) -> &'static str {
    *missed += usize::from(!is_good);
    if is_good { "" } else { "  MISSED" }
}

/// Migrates the database, and seeds it if it is empty.
fn prepare(
    program: &Path,
    url: &str,
    (executions, days): (usize, usize),
    runtime: &tokio::runtime::Runtime,
) -> anyhow::Result<()> {
    let run = |program: &Path, arguments: &[&str]| {
        let status =
            Command::new(program).args(arguments).env("DATABASE_URL", url).env("LOG", "warn").status();
        let status = status.with_context(|| format!("cannot start {}: build it first", program.display()))?;
        ensure!(status.success(), "{} {arguments:?} failed", program.display());
        Ok(())
    };
    run(program, &["migrate"])?;
    let count = runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        let row = connection.fetch_one("select count(*) from (select from execution limit 1) as one").await?;
        row.try_get::<i64, _>(0)
    })?;
    if count == 0 {
        let seed = program.with_file_name("seed");
        run(&seed, &["--executions", &executions.to_string(), "--days", &days.to_string()])?;
        // Autovacuum would do this some minutes later.
        runtime.block_on(async { PgConnection::connect(url).await?.execute("vacuum analyze").await })?;
    }
    let row = runtime.block_on(async {
        let count =
            "select (select sum(runs)::bigint from rollup_script), count(distinct day) from rollup_hour";
        PgConnection::connect(url).await?.fetch_one(count).await
    })?;
    say(&format!(
        "{} executions on {} days; {READERS} readers in the storm\n",
        row.get::<i64, _>(0),
        row.get::<i64, _>(1)
    ))
}

fn serve(program: &Path, url: &str, cache_seconds: &str) -> anyhow::Result<Server> {
    Server::start(
        Command::new(program)
            .arg("serve")
            .env("DATABASE_URL", url)
            .env("LISTEN_ADDR", "127.0.0.1:0")
            .env("LOG", "error")
            .env("CACHE_SECONDS", cache_seconds)
            // All requests come from one address. The limits are enabled, but never reached.
            .env("ADDRESS_LIMIT_BURST", "100000000")
            .env("ADDRESS_LIMIT_PER_MINUTE", "100000000"),
    )
}

/// Waits until past days are summed and sessions are counted.
fn wait_for_sums(runtime: &tokio::runtime::Runtime, url: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let missing = runtime.block_on(async {
            let row = PgConnection::connect(url)
                .await?
                .fetch_one(
                    "select (select count(*) from generate_series(
                            (select date_trunc('month', min(day)::timestamp) from rollup_script),
                            now() at time zone 'UTC' - interval '1 month 2 days', interval '1 month'))
                        - (select count(*) from month_sum where is_ready)
                        + (select case when count(*) = 0 then 1 else 0 end from setting where name = 'sessions_as_of')",
                )
                .await?;
            row.try_get::<i64, _>(0)
        })?;
        if missing <= 0 {
            return say(&format!("the sums were complete after {:.0} s\n", begun.elapsed().as_secs_f64()));
        }
        ensure!(begun.elapsed() < Duration::from_secs(900), "the sums are not completed");
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

/// Durations of `rounds` requests in milliseconds, sorted.
fn times(connection: &mut Connection, path: &str, rounds: usize) -> anyhow::Result<Vec<f64>> {
    durations(rounds, || Ok(connection.get(path)?.1))
}

/// What `request` takes in milliseconds, `rounds` times and sorted.
fn durations(
    rounds: usize,
    mut request: impl FnMut() -> anyhow::Result<Duration>,
) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::with_capacity(rounds);
    for round in 0..WARM_UP + rounds {
        let took = request()?;
        if round >= WARM_UP {
            times.push(took.as_secs_f64() * 1000.0);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

fn aggregates(
    address: &str,
    rounds: usize,
    raw: &mut dyn FnMut(&str) -> anyhow::Result<f64>,
) -> anyhow::Result<usize> {
    let mut missed = 0;
    say("uncached                                                 days  p50 ms  p95 ms   raw ms  raw / p95")?;
    for aggregate in &AGGREGATES {
        for (days, wanted) in WANTED {
            // They cover five weeks, whatever period is requested.
            if aggregate.path.starts_with("/api/regressions") && days != WANTED[0].0 {
                continue;
            }
            let path = format!("{}days={days}", aggregate.path);
            // The server has closed the previous connection while the statement ran.
            let times = times(&mut Connection::open(address)?, &path, rounds)?;
            let (p50, p95) = (quantile(&times, 0.5), quantile(&times, 0.95));
            let raw = raw(&aggregate.statement(days))?;
            let is_good = p95 <= wanted && (days < 365 || raw / p95 >= WANTED_RATIO);
            say(&format!(
                "{:<56} {days:>4} {p50:>7.1} {p95:>7.1} {raw:>8.0} {:>10.1}{}",
                aggregate.path.trim_end_matches(['?', '&']),
                raw / p95,
                verdict(is_good, &mut missed)
            ))?;
        }
    }
    Ok(missed)
}

/// The faster of two runs of a statement. A slow one runs only once.
fn measure_raw(runtime: &tokio::runtime::Runtime, url: &str, statement: &str) -> anyhow::Result<f64> {
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        connection.execute("set jit = off; set work_mem = '64MB'").await?;
        let mut best = f64::INFINITY;
        for _ in 0..2 {
            let begun = Instant::now();
            connection.fetch_all(AssertSqlSafe(statement.to_owned())).await?;
            best = best.min(begun.elapsed().as_secs_f64() * 1000.0);
            if best > SLOW_MS {
                break;
            }
        }
        Ok(best)
    })
}

/// The first page of records and the one after 999 cursors.
fn pages(address: &str, rounds: usize) -> anyhow::Result<usize> {
    let (mut connection, mut missed) = (Connection::open(address)?, 0);
    let first = "/api/records?limit=50".to_owned();
    let mut path = first.clone();
    let mut followed = Vec::new();
    for _ in 1..1_000 {
        let (body, took) = connection.get(&path)?;
        followed.push(took.as_secs_f64() * 1000.0);
        let page: serde_json::Value = serde_json::from_slice(&body)?;
        let cursor = page["next_cursor"].as_str().context("another page")?;
        path = format!("{first}&cursor={cursor}");
    }
    followed.sort_by(f64::total_cmp);
    say("")?;
    let docker = "/api/records?limit=50&app=docker&os=debian".to_owned();
    for (name, times) in [
        ("records, page 1", times(&mut connection, &first, rounds)?),
        ("records, after 999 cursors", times(&mut connection, &path, rounds)?),
        ("records, all pages on the way there", followed),
        ("records of a script and an operating system, page 1", times(&mut connection, &docker, rounds)?),
    ] {
        let (p50, p95) = (quantile(&times, 0.5), quantile(&times, 0.95));
        say(&format!("{name:<61} {p50:>7.1} {p95:>7.1}{}", verdict(p95 <= WANTED_PAGE, &mut missed)))?;
    }
    Ok(missed)
}

fn cached(address: &str) -> anyhow::Result<usize> {
    let mut missed = 0;
    say("")?;
    for path in ["/api/dashboard?days=30", "/api/scripts?days=365", "/api/signatures?days=30"] {
        let measured = wrk::get(address, path, CACHED_CONNECTIONS, CACHED_SECONDS)?;
        let is_good = measured.per_second >= WANTED_CACHED && measured.refused == 0;
        say(&format!(
            "cached {path:<54} {:>7.0} requests/s, p99 {:.1} ms, {} refused{}",
            measured.per_second,
            measured.p99_ms,
            measured.refused,
            verdict(is_good, &mut missed)
        ))?;
    }
    Ok(missed)
}

/// Reports at an even pace: alone, and while [`READERS`] readers request years without a pause.
fn storm(address: &str) -> anyhow::Result<usize> {
    let mut missed = 0;
    report(address, Duration::from_secs(3))?;
    let calm = report(address, STORM)?;
    let (over, asked) = (AtomicBool::new(false), std::sync::atomic::AtomicUsize::new(0));
    let stormy = std::thread::scope(|scope| {
        for reader in 0..READERS {
            let (over, asked) = (&over, &asked);
            scope.spawn(move || -> anyhow::Result<()> {
                let mut connection = Connection::open(address)?;
                for aggregate in AGGREGATES.iter().cycle().skip(reader * 2) {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    // A refused reader goes on, over a new connection.
                    if connection.get(&format!("{}days=365", aggregate.path)).is_err() {
                        connection = Connection::open(address)?;
                    }
                    asked.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        let stormy = report(address, STORM);
        over.store(true, Ordering::Relaxed);
        stormy
    })?;
    let (calm_p99, stormy_p99) = (quantile(&calm, 0.99), quantile(&stormy, 0.99));
    say(&format!(
        "\n{REPORTS_PER_SECOND} reports/s: p50 {:.1} ms, p99 {calm_p99:.1} ms; while {:.0} years/s are read: p50 {:.1} ms, p99 \
         {stormy_p99:.1} ms, {:.1} times as long{}",
        quantile(&calm, 0.5),
        asked.load(Ordering::Relaxed) as f64 / STORM.as_secs_f64(),
        quantile(&stormy, 0.5),
        stormy_p99 / calm_p99,
        verdict(stormy_p99 <= 2.0 * calm_p99, &mut missed)
    ))?;
    Ok(missed)
}

/// Durations of all reports in milliseconds, sorted. Each is measured from the time it was due, so that waiting
/// for the report before counts as well.
fn report(address: &str, lasts: Duration) -> anyhow::Result<Vec<f64>> {
    let pace = Duration::from_secs(1) * REPORTERS as u32 / REPORTS_PER_SECOND as u32;
    let mut times = std::thread::scope(|scope| {
        let reporter = |number: u64| {
            scope.spawn(move || -> anyhow::Result<Vec<f64>> {
                let mut connection = Connection::open(address)?;
                let begun = Instant::now() + pace / REPORTERS as u32 * number as u32;
                let mut times = Vec::new();
                let mut run = Run::any();
                for count in 0_u32.. {
                    let due = begun + pace * count;
                    if due >= begun + lasts {
                        break;
                    }
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    let stage = if count % 2 == 0 { Stage::Start } else { Stage::End };
                    connection.post("/telemetry", &run.body(stage))?;
                    times.push(due.elapsed().as_secs_f64() * 1000.0);
                    if count % 2 == 1 {
                        run = Run::any();
                    }
                }
                Ok(times)
            })
        };
        let reporters: Vec<_> = (0..REPORTERS).map(reporter).collect();
        let mut all = Vec::new();
        for reporter in reporters {
            all.extend(reporter.join().ok().context("a reporter panicked")??);
        }
        anyhow::Ok(all)
    })?;
    times.sort_by(f64::total_cmp);
    Ok(times)
}

fn export(server: &Server) -> anyhow::Result<usize> {
    let mut missed = 0;
    for format in ["ndjson", "csv"] {
        let path = format!("/api/records?days=0&repo=all&format={format}");
        // The process keeps the memory that the first pages take.
        Connection::open(&server.address)?.lines(&path, 20_000, || Ok(()))?;
        let before = server.memory_mb("VmRSS:")?;
        let (mut most, begun) = (before, Instant::now());
        let mut next = Instant::now();
        let lines = Connection::open(&server.address)?.lines(&path, EXPORTED, || {
            if Instant::now() >= next {
                most = most.max(server.memory_mb("VmRSS:")?);
                next = Instant::now() + Duration::from_millis(50);
            }
            Ok(())
        })?;
        let seconds = begun.elapsed().as_secs_f64();
        say(&format!(
            "export of {lines} records as {format}: {seconds:.0} s, {:.0} rows/s; resident {before:.1} MB before, at most \
             {:.1} MB more{}",
            lines as f64 / seconds,
            most - before,
            verdict(most - before < WANTED_GROWTH_MB, &mut missed)
        ))?;
    }
    Ok(missed)
}
