//! The command `telemetry-server`.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, Days, NaiveDate, Utc};
use clap::{Args, Parser, Subcommand};
use libmimalloc_sys::{mi_option_set, mi_option_t};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use telemetry_protocol::Generation;
use telemetry_protocol::exit_code::entries;
use telemetry_server::app;
use telemetry_server::config::{Config, Database, Variables};
use telemetry_server::ingest::execution::Execution;
use telemetry_server::regression::series::series;
use telemetry_server::regression::{HISTORY_DAYS, Window, find};
use telemetry_server::report::render::{Format, render, subject};
use telemetry_server::report::{Report, mail};
use telemetry_server::seed::{self, Plan, plant::Plant};
use telemetry_server::store::database::connect::{connect, embedded_options};
use telemetry_server::store::database::embedded::{Cluster, Embedded, Settings, start_or_attach};
use telemetry_server::store::database::{migrate, pools};
use telemetry_server::store::keep::recount;
use telemetry_server::store::keep::recount::Mismatch;
use telemetry_server::store::read::report as evidence;
use telemetry_server::store::read::report::Week;
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 3 (`mi_option_e` in its mimalloc.h), for which the crate has no name.
const PURGE_DELAY: mi_option_t = 15;

/// Exit status for a wrong configuration, as clap uses it for wrong flags.
const WRONG_CONFIGURATION: u8 = 2;
/// Differences that `verify` prints in full.
const PRINTED_MISMATCHES: usize = 100;

/// Takes what the Proxmox VE helper scripts report, keeps one row per run, and counts.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    variables: Variables,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Clone, PartialEq)]
enum Command {
    /// Start the server (the default): PostgreSQL if none is given, migrations, then listen
    Serve,
    /// Bring the database to the schema of this version and exit
    Migrate,
    /// Recount every rollup from the executions, print what differs; exit 1 if anything does.
    /// Changes nothing; also beside a running server
    Verify,
    /// Make all rollups anew from the executions, day by day; also beside a running server
    Rebuild,
    /// Write the report of a week, against the week before, and print or send it
    Report(ReportArguments),
    /// Print the catalogue of exit codes: generation, code, category, title
    ExitCodes,
    /// Add invented executions, as realistic as can be, for trying things out and for measuring;
    /// also beside a running server
    Seed(SeedArguments),
}

#[derive(Args, Clone, PartialEq)]
struct SeedArguments {
    /// How many executions
    #[arg(long, default_value_t = 100_000)]
    executions: usize,
    /// Days over which they are spread, today included
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// The same seed and end give the same executions
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// No event is later (RFC 3339); default: now
    #[arg(long)]
    until: Option<DateTime<Utc>>,
    /// A failure that one should be able to find:
    /// app=NAME[,os=NAME][,pve=VERSION][,from=DAYS_AGO][,rate=SHARE][,exit_code=CODE],error=TEXT; may be
    /// given again
    #[arg(long)]
    plant: Vec<Plant>,
}

/// Memory that a batch no longer needs goes back to the kernel at once. Kept for a moment, as mimalloc does
/// it by default, it makes the resident set at full load a third larger, for no speed.
fn give_back_at_once() {
    // SAFETY: it stores an integer, and may be called at any time.
    unsafe { mi_option_set(PURGE_DELAY, 0) };
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let config = match cli.variables.check() {
        Ok(config) => config,
        Err(error) => {
            complain(&error);
            return ExitCode::from(WRONG_CONFIGURATION);
        }
    };
    let command = cli.command.unwrap_or(Command::Serve);
    log_to_stderr(&config.log);
    match run(command, &config) {
        Ok(code) => code,
        Err(error) => {
            complain(&format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn complain(error: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "telemetry-server: {error}");
}

/// actix logs each request that is not HTTP as an error: anybody could fill the log. A filter that
/// names that module wins.
fn log_to_stderr(filter: &str) {
    const NOISY: &str = "actix_http::h1::dispatcher";
    let quiet = if filter.contains(NOISY) { String::new() } else { format!("{NOISY}=off,") };
    tracing_subscriber::fmt()
        .with_env_filter(quiet + filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

fn run(command: Command, config: &Config) -> anyhow::Result<ExitCode> {
    if matches!(command, Command::ExitCodes) {
        return match print_exit_codes() {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            result => Ok(result.map(|()| ExitCode::SUCCESS)?),
        };
    }
    let (options, own_cluster) = match &config.database {
        Database::External(login) => (login.options().clone(), None),
        Database::Embedded { data_dir, pg_bin } => {
            let settings = Settings { data_dir: data_dir.clone(), pg_bin: pg_bin.clone() };
            let cluster = match command {
                Command::Serve => Cluster::Own(Embedded::start(&settings)?),
                _ => start_or_attach(&settings)?,
            };
            match cluster {
                Cluster::Own(own) => (embedded_options(own.endpoint()), Some(own)),
                Cluster::Running(endpoint) => (embedded_options(&endpoint), None),
            }
        }
    };
    // Huge pages make the resident set half as large again, for no speed. Not before PostgreSQL is
    // started, which would inherit this. A kernel that knows nothing of it changes nothing.
    let _ = nix::sys::prctl::set_thp_disable(true);
    give_back_at_once();
    // The writers and the connections of the writers: a quarter of a core at full load.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let result = runtime.block_on(async {
        match command {
            Command::Serve => serve(config, &options).await,
            Command::Migrate => migrate(config, &options).await,
            Command::Verify => verify(config, &options).await,
            Command::Rebuild => rebuild(config, &options).await,
            Command::ExitCodes => Ok(ExitCode::SUCCESS),
            Command::Report(arguments) => report(config, &options, arguments).await,
            Command::Seed(arguments) => seed(config, &options, arguments).await,
        }
    });
    // The disk of the spool may hang. PostgreSQL is stopped all the same.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    if let Some(cluster) = own_cluster {
        let stopped = cluster.stop().context("cannot stop the embedded PostgreSQL");
        return result.and_then(|code| stopped.map(|()| code));
    }
    result
}

async fn serve(config: &Config, options: &PgConnectOptions) -> anyhow::Result<ExitCode> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut running = tokio::select! {
        running = app::start(config, options) => running?,
        _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
        _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
    };
    let url = format!("http://{}", running.address);
    let hint = format!(
        "telemetry-server listens on {url}\nTry: curl -s {url}/telemetry -d \
         '{{\"random_id\":\"test-1\",\"nsapp\":\"jellyfin\",\"type\":\"lxc\",\"status\":\"success\"}}'; \
         curl -s {url}/api/runs/test-1\n"
    );
    // Whoever started the server need not read this.
    let mut out = std::io::stdout();
    let _ = out.write_all(hint.as_bytes()).and_then(|()| out.flush());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        trouble = running.ended() => return Err(trouble),
    }
    tracing::info!("stopping: answering what is in flight");
    running.stop().await?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Args, Clone, PartialEq)]
struct ReportArguments {
    /// The seven UTC days that end with this one; default: yesterday
    #[arg(long, num_args = 0..=1, value_name = "LAST_DAY")]
    week: Option<Option<NaiveDate>>,
    /// Whose scripts
    #[arg(long, default_value = "ProxmoxVE")]
    repository: String,
    /// Of what is printed; a mail has both
    #[arg(long, value_enum, default_value = "markdown")]
    format: Format,
    /// Send it by mail (SMTP_URL, REPORT_FROM, REPORT_TO) instead of printing it
    #[arg(long)]
    send: bool,
}

async fn report(
    config: &Config,
    options: &PgConnectOptions,
    arguments: ReportArguments,
) -> anyhow::Result<ExitCode> {
    let ReportArguments { week, repository, format, send } = arguments;
    let mail = match &config.outgoing.mail {
        None if send => anyhow::bail!("there is no mail server; set SMTP_URL, REPORT_FROM and REPORT_TO"),
        mail => mail,
    };
    let yesterday = Utc::now().date_naive().pred_opt().context("no day before today")?;
    let week = Week::ending(week.flatten().unwrap_or(yesterday));
    let mut connection = connect(options, config.connect_patience).await?;
    let (scripts, signatures) =
        evidence::of_week(&mut connection, week, &repository).await.context("cannot read the week")?;
    let days = evidence::platform_series(
        &mut connection,
        week.last - Days::new(HISTORY_DAYS),
        week.last,
        &repository,
    );
    let regressions =
        find(&series(&days.await.context("cannot read the weeks before")?), week.last, &Window::ALL)
            .regressions;
    connection.close().await?;
    let report = Report::of(week, &repository, &scripts, &regressions, signatures);
    match mail {
        Some(mail) if send => {
            let (text, html) = (render(&report, Format::Markdown), render(&report, Format::Html));
            mail::send(mail, &subject(&report), text, html).await?;
            writeln!(std::io::stderr(), "sent to {} receivers", mail.to.len())?;
        }
        _ => std::io::stdout().write_all(render(&report, format).as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn migrate(config: &Config, options: &PgConnectOptions) -> anyhow::Result<ExitCode> {
    let mut connection = connect(options, config.connect_patience).await?;
    migrate::migrate(&mut connection).await?;
    connection.close().await?;
    Ok(ExitCode::SUCCESS)
}

async fn verify(config: &Config, options: &PgConnectOptions) -> anyhow::Result<ExitCode> {
    let mut connection = connect(options, config.connect_patience).await?;
    let seen = recount::verify(&mut connection).await.context("cannot recount")?;
    connection.close().await?;
    let mut out = std::io::stdout().lock();
    for mismatch in seen.mismatches.iter().take(PRINTED_MISMATCHES) {
        match mismatch {
            Mismatch::Rollup { row, excess } => writeln!(out, "rollup row differs: {row} by {excess:?}")?,
            Mismatch::Span { first_day, days, row } => {
                writeln!(out, "the sum over {days} days from {first_day} differs: {row}")?;
            }
            Mismatch::Sessions { day } => writeln!(out, "the sessions that began on {day} differ")?,
            Mismatch::Derived { day, column, stored, derived } => {
                writeln!(
                    out,
                    "{column} of an execution of {day} differs: {stored}, but its events say {derived}"
                )?;
            }
        }
    }
    writeln!(
        out,
        "{} executions on {} days recounted: {} differences",
        seen.executions,
        seen.days,
        seen.mismatches.len()
    )?;
    print_left_out(&mut out, "not recounted", &seen.days_left_out)?;
    Ok(if seen.mismatches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn rebuild(config: &Config, options: &PgConnectOptions) -> anyhow::Result<ExitCode> {
    let mut connection = connect(options, config.connect_patience).await?;
    let rebuilt = recount::rebuild(&mut connection).await.context("cannot rebuild")?;
    connection.close().await?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "the rollups of {} days are made anew", rebuilt.days)?;
    print_left_out(&mut out, "left as they are", &rebuilt.days_left_out)?;
    Ok(ExitCode::SUCCESS)
}

fn print_left_out(out: &mut impl Write, what: &str, days: &[NaiveDate]) -> std::io::Result<()> {
    let [first, .., last] = days else {
        return days.iter().try_for_each(|day| writeln!(out, "{what}: {day}, whose executions are deleted"));
    };
    let count = days.len();
    writeln!(out, "{what}: {count} days from {first} to {last}, whose executions are deleted for their age")
}

async fn seed(
    config: &Config,
    options: &PgConnectOptions,
    arguments: SeedArguments,
) -> anyhow::Result<ExitCode> {
    let mut connection = connect(options, config.connect_patience).await?;
    migrate::migrate(&mut connection).await?;
    connection.close().await?;
    let SeedArguments { executions, days, seed, until, plant: plants } = arguments;
    let plan = Plan { executions, days, seed, until: until.unwrap_or_else(Utc::now), plants };
    // Such large batches are slow statements, every one.
    let options = options.clone().disable_statement_logging();
    let pool =
        pools::write_pool(&options, seed::WRITERS, pools::WriteTimeouts::WITHOUT_SPOOL, &Arc::default());
    let begun = std::time::Instant::now();
    let mut shown = std::time::Instant::now();
    let (mut committed, mut planted) = (0, vec![0_usize; plan.plants.len()]);
    let progress = |batch: &[Execution]| {
        committed += batch.len();
        for (plant, planted) in plan.plants.iter().zip(&mut planted) {
            *planted += batch.iter().filter(|run| plant.has_hit(run, plan.until)).count();
        }
        if shown.elapsed().as_secs() >= 2 {
            shown = std::time::Instant::now();
            let _ = writeln!(std::io::stderr(), "{committed} of {executions} executions");
        }
    };
    let written = seed::seed(&pool, &plan, progress).await.context("cannot write the executions")?;
    pool.close().await;
    let seconds = begun.elapsed().as_secs_f64();
    let per_second = written as f64 / seconds;
    writeln!(std::io::stderr(), "{written} executions in {seconds:.1} s ({per_second:.0} per second)")?;
    for (Plant { app, exit_code, .. }, planted) in plan.plants.iter().zip(planted) {
        let note = if planted == 0 { ": what was planted has no run to fall on" } else { "" };
        writeln!(std::io::stderr(), "{planted} runs of {app} failed there with exit code {exit_code}{note}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_exit_codes() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for generation in [Generation::One, Generation::Two, Generation::Three] {
        for entry in entries(generation) {
            let (code, category, title) = (entry.code, entry.category.as_str(), entry.title);
            writeln!(out, "{}\t{code}\t{category}\t{title}", generation.number())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use libmimalloc_sys::mi_option_get;

    use super::*;

    #[test]
    fn the_number_is_that_of_the_purge_delay() {
        // SAFETY: as above.
        let delay = || unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(delay(), 1000, "its default, in milliseconds");
        give_back_at_once();
        assert_eq!(delay(), 0);
    }
}
