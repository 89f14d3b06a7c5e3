//! The cost of durable ingest: the server and three simpler ones on the same HTTP stack, on one PostgreSQL
//! with fsync on.
//!
//! - `decode`: decodes the body and responds. This is the upper bound.
//! - `durable`: the real server, which responds when the event is merged, counted and committed.
//! - `insert`: one INSERT per request through a pool, appended to a log. This is the obvious design.
//! - `upsert`: the same into one row per execution, with the indexes of the real table.
//!
//! `wrk` sends start and end events of new executions. Every server is a process of its own.

mod servers;
mod stages;

use std::io::Write;
use std::process::Command;

use anyhow::Context;
use telemetry_load_tests::server_process::{Server, open_to_all};
use telemetry_load_tests::wrk::{self, Measured};
use telemetry_server::store::database::embedded::{Embedded, Settings};

const CONNECTIONS: [u32; 2] = [64, 1024];
const ROUNDS: usize = 3;
const SECONDS: u32 = 6;
const WARM_UP_SECONDS: u32 = 2;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["stages"] => stages::print(),
        ["decode"] => servers::decode(),
        ["insert", database] => servers::naive(database, false),
        ["upsert", database] => servers::naive(database, true),
        _ => bench(),
    }
}

fn bench() -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("telemetry-bench").tempdir()?;
    open_to_all(folder.path())?;
    let cluster = Embedded::start(&Settings { data_dir: folder.path().join("data"), pg_bin: None })?;
    let endpoint = cluster.endpoint();
    let url = |database: &str| {
        let socket = endpoint.socket_dir.display().to_string().replace('/', "%2F");
        format!("postgres://{}@localhost/{database}?host={socket}", endpoint.user)
    };
    servers::create_database(&url(&endpoint.database), "naive")?;

    let own = std::env::current_exe()?;
    let server = own.with_file_name("telemetry-server");
    let mut decode = Server::start(Command::new(&own).arg("decode"))?;
    let mut insert = Server::start(Command::new(&own).arg("insert").arg(url("naive")))?;
    let mut upsert = Server::start(Command::new(&own).arg("upsert").arg(url("naive")))?;
    let mut durable = Server::start(
        Command::new(&server)
            .arg("serve")
            .env("DATABASE_URL", url(&endpoint.database))
            .env("LISTEN_ADDR", "127.0.0.1:0")
            .env("LOG", "warn")
            // All events come from one address. The limits are enabled, but never reached.
            .env("ADDRESS_LIMIT_BURST", "100000000")
            .env("ADDRESS_LIMIT_PER_MINUTE", "100000000"),
    )
    .with_context(|| format!("cannot start {}: build it first", server.display()))?;

    let mut out = std::io::stdout();
    writeln!(out, "{ROUNDS} rounds of {SECONDS} s each; the round of median throughput is shown\n")?;
    writeln!(out, "connections  server   requests/s  p50 ms  p99 ms  refused")?;
    for connections in CONNECTIONS {
        let targets = [("decode", &decode), ("durable", &durable), ("insert", &insert), ("upsert", &upsert)];
        let mut rounds: [Vec<Measured>; 4] = Default::default();
        for _ in 0..ROUNDS {
            for ((_, target), measured) in targets.iter().zip(&mut rounds) {
                wrk::run(&target.address, connections, WARM_UP_SECONDS)?;
                measured.push(wrk::run(&target.address, connections, SECONDS)?);
            }
        }
        let [ceiling, real, log, row] = rounds.map(median);
        for ((name, _), measured) in targets.iter().zip([ceiling, real, log, row]) {
            let Measured { per_second, p50_ms, p99_ms, refused } = measured;
            writeln!(
                out,
                "{connections:>11}  {name:<8} {per_second:>10.0}  {p50_ms:>6.1}  {p99_ms:>6.1}  {refused:>7}"
            )?;
        }
        writeln!(
            out,
            "{connections:>11}  durable is {:.2} of decode, {:.1} times insert and {:.1} times upsert\n",
            real.per_second / ceiling.per_second,
            real.per_second / log.per_second,
            real.per_second / row.per_second
        )?;
    }
    writeln!(out, "peak RSS of the server: {:.0} MB", durable.memory_mb("VmHWM:")?)?;
    for server in [&mut decode, &mut insert, &mut upsert, &mut durable] {
        server.stop()?;
    }
    cluster.stop()?;
    Ok(())
}

/// The round of median throughput.
fn median(mut rounds: Vec<Measured>) -> Measured {
    rounds.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    rounds[rounds.len() / 2]
}
