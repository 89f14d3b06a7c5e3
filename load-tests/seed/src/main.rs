//! The program `seed`: writes invented executions into a database of the server.

use std::io::{Write, stderr};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Parser;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
use telemetry_seed::plant::Plant;
use telemetry_seed::target_check::admit;
use telemetry_seed::{Plan, WRITERS, seed};
use telemetry_server::command::database::OpenDatabase;
use telemetry_server::config::protection::Secret;
use telemetry_server::config::{Config, Variables};
use telemetry_server::ingest::execution::Execution;
use telemetry_server::store::database::connect::connect;
use telemetry_server::store::database::migrate;

/// Seconds between two lines of progress.
const PROGRESS_SECONDS: u64 = 2;

/// Fill a database of the telemetry server with invented executions, for demonstrations and measurements
///
/// Migrates the database first. Can run beside a server.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    /// Number of executions
    #[arg(long, default_value_t = 100_000)]
    executions: usize,
    /// Days over which they are spread, including today
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Seed of the random numbers; the same seed and end time give the same executions
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End time, RFC 3339; no event is later [default: now]
    #[arg(long)]
    until: Option<DateTime<Utc>>,
    /// Failure for the server to find, as app=NAME[,os=NAME][,pve=VERSION][,from=DAYS_AGO][,rate=SHARE][,exit_code=CODE],error=TEXT;
    /// can be repeated
    #[arg(long)]
    plant: Vec<Plant>,
    /// Write to a database that holds reported executions
    #[arg(long)]
    force: bool,
    /// PostgreSQL 13 or newer, as postgres://user:password@host/database; unset: the embedded cluster
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, help_heading = "Database")]
    database_url: Option<Secret>,
    /// Folder of the embedded cluster [default: ./data]
    #[arg(long, env = "DATA_DIR", help_heading = "Database")]
    data_dir: Option<String>,
    /// Folder of the programs initdb and postgres; unset: the newest installed version
    #[arg(long, env = "PG_BIN", help_heading = "Database")]
    pg_bin: Option<String>,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(std::env::var("LOG").unwrap_or_else(|_| "warn".to_owned()))
        .with_writer(stderr)
        .init();
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(stderr(), "seed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let Cli { executions, days, seed, until, plant: plants, force, database_url, data_dir, pg_bin } = cli;
    let config = Variables { database_url, data_dir, pg_bin, ..Variables::default() }.check()?;
    let plan = Plan { executions, days, seed, until: until.unwrap_or_else(Utc::now), plants };
    let database = OpenDatabase::of_command(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let result = runtime.block_on(fill(&config, &database.options, &plan, force));
    drop(runtime);
    let closed = database.close();
    result.and(closed)
}

/// Invented executions need not survive a crash, and a batch of thousands is a slow statement, which sqlx would
/// log. The statements find their rows by primary key, whatever the statistics of a new table say.
fn for_large_batches(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().disable_statement_logging().application_name("telemetry seed").options([
        ("synchronous_commit", "off"),
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("jit", "off"),
    ])
}

async fn fill(config: &Config, options: &PgConnectOptions, plan: &Plan, force: bool) -> anyhow::Result<()> {
    let mut connection = connect(options, config.connect_patience).await?;
    migrate::migrate(&mut connection).await?;
    if !force {
        admit(&mut connection).await?;
    }
    connection.close().await?;

    let pool = PgPoolOptions::new().max_connections(WRITERS).connect_lazy_with(for_large_batches(options));
    let (begun, mut shown) = (Instant::now(), Instant::now());
    let (mut committed, mut planted) = (0, vec![0_usize; plan.plants.len()]);
    let progress = |batch: &[Execution]| {
        committed += batch.len();
        for (plant, planted) in plan.plants.iter().zip(&mut planted) {
            *planted += batch.iter().filter(|execution| plant.has_hit(execution, plan.until)).count();
        }
        if shown.elapsed().as_secs() >= PROGRESS_SECONDS {
            shown = Instant::now();
            let _ = writeln!(stderr(), "{committed} of {} executions", plan.executions);
        }
    };
    let written = seed(&pool, plan, progress).await.context("cannot write the executions")?;
    pool.close().await;

    let seconds = begun.elapsed().as_secs_f64();
    let per_second = written as f64 / seconds;
    writeln!(stderr(), "{written} executions in {seconds:.1} s ({per_second:.0} per second)")?;
    for (Plant { app, exit_code, .. }, planted) in plan.plants.iter().zip(planted) {
        let note = if planted == 0 { "; no execution matches the plant" } else { "" };
        writeln!(stderr(), "{planted} executions of {app} failed with exit code {exit_code}{note}")?;
    }
    Ok(())
}
