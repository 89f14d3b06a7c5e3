//! The commands of `telemetry-server`: flags, help, exit status.
//!
//! Every command accepts every variable, because one environment configures them all, and checks them all.
//! Its help shows those that it uses.

pub mod database;
mod health;
mod service_manager;
mod serve;
mod verify;
mod backup;
mod weekly_report;
mod list_exit_codes;
mod diagnose;

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use sqlx::Connection;
use sqlx::postgres::PgConnectOptions;

use crate::command::backup::{BackupArguments, RestoreArguments, backup, restore};
use crate::command::database::OpenDatabase;
use crate::command::diagnose::{DiagnoseArguments, diagnose};
use crate::command::health::check_health;
use crate::command::list_exit_codes::print_exit_codes;
use crate::command::serve::serve;
use crate::command::verify::{rebuild, verify};
use crate::command::weekly_report::{ReportArguments, report};
use crate::config::heading::{DATABASE, INGEST, LISTENING, LOGGING, MAIL};
use crate::config::{Config, Variables};
use crate::store::database::connect::connect;
use crate::store::database::migrate;

/// Longest wait for blocking work, such as on a hanging disk, when the program ends.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);
/// Exit status for an invalid configuration; clap uses the same for invalid flags.
const INVALID_CONFIGURATION: u8 = 2;
/// The variables in the help of each command, by heading. The help of `serve` shows all but those for mail,
/// the help of the program itself shows all.
const USED: [(&str, &[&str]); 9] = [
    ("backup", &[DATABASE, LOGGING]),
    ("restore", &[DATABASE, INGEST, LOGGING]),
    ("migrate", &[DATABASE, LOGGING]),
    ("verify", &[DATABASE, LOGGING]),
    ("rebuild", &[DATABASE, LOGGING]),
    ("report", &[DATABASE, MAIL, LOGGING]),
    ("healthcheck", &[LISTENING]),
    ("exit-codes", &[]),
    ("diagnose", &[]),
];

/// Telemetry server of the Proxmox VE helper scripts: stores one row per execution and serves statistics
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
    /// Run the server (the default command): start the embedded PostgreSQL unless DATABASE_URL is set,
    /// migrate the database, listen
    Serve,
    /// Migrate the database to the schema of this version
    Migrate,
    /// Recount all rollups from the executions and print the differences; exit status 1 if there are
    /// any. Changes nothing; can run beside a server
    Verify,
    /// Rebuild all rollups from the executions, day by day; can run beside a server
    Rebuild,
    /// Write the whole database to a file; can run beside a server
    ///
    /// The file is an archive of pg_dump that only its owner can read. It gets its name when it is complete. It
    /// contains the key of the run ids if the server generated it; keep ID_KEY yourself if you have set it. Events that
    /// wait in the spool are not part of it.
    Backup(BackupArguments),
    /// Replace the database by a backup, migrate it to this version, and verify it; stop all servers first
    ///
    /// A database that contains runs is only replaced with --force. The exit status is 1 if a number differs from its
    /// recount.
    Restore(RestoreArguments),
    /// Print or send the report of a week, compared with the week before
    Report(ReportArguments),
    /// Ask the server at LISTEN_ADDR whether it runs; exit status 1 if it does not answer. For containers
    Healthcheck,
    /// Print the catalogue of exit codes: generation, code, category, title
    ExitCodes,
    /// Print the reason of a failure as the rules see it, and every line that competes for it
    Diagnose(DiagnoseArguments),
}

/// Runs the program with the arguments and variables of this process.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::from_arg_matches(&hide_unused(Cli::command()).get_matches()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let config = match cli.variables.check() {
        Ok(config) => config,
        Err(error) => {
            print_error(&error);
            return ExitCode::from(INVALID_CONFIGURATION);
        }
    };
    log_to_stderr(&config.log);
    match execute(cli.command.unwrap_or(Command::Serve), &config) {
        Ok(code) => code,
        Err(error) => {
            print_error(&format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Hides the variables that a command does not use from its help.
fn hide_unused(program: clap::Command) -> clap::Command {
    let variables: Vec<_> = program.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
    let is_used = |command: &str, heading: &str| match USED.iter().find(|(name, _)| *name == command) {
        Some((_, used)) => used.contains(&heading),
        None => heading != MAIL,
    };
    program.mut_subcommands(|command| {
        let unused =
            |arg: &&clap::Arg| !is_used(command.get_name(), arg.get_help_heading().unwrap_or_default());
        let hidden: Vec<_> = variables.iter().filter(unused).map(|arg| arg.clone().hide(true)).collect();
        command.args(hidden)
    })
}

fn print_error(error: &dyn Display) {
    let _ = writeln!(std::io::stderr(), "telemetry-server: {error}");
}

/// actix logs every request that is not HTTP as an error, which lets anybody fill the log. So its module
/// is silent unless the filter names it.
fn log_to_stderr(filter: &str) {
    const NOISY: &str = "actix_http::h1::dispatcher";
    let quiet = if filter.contains(NOISY) { String::new() } else { format!("{NOISY}=off,") };
    tracing_subscriber::fmt()
        .with_env_filter(quiet + filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

fn execute(command: Command, config: &Config) -> anyhow::Result<ExitCode> {
    let database = match command {
        Command::ExitCodes => return Ok(print_exit_codes().map(|()| ExitCode::SUCCESS)?),
        Command::Diagnose(arguments) => return diagnose(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Healthcheck => return check_health(config.listen_addr).map(|()| ExitCode::SUCCESS),
        Command::Serve | Command::Restore(_) => OpenDatabase::of_server(config)?,
        _ => OpenDatabase::of_command(config)?,
    };
    // Transparent huge pages make the resident set half as large again and nothing faster. PostgreSQL
    // would inherit the setting, so it is started before. A kernel without huge pages refuses, which is fine.
    let _ = nix::sys::prctl::set_thp_disable(true);
    // The writer and its connections; they take a quarter of a core at full load.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let result = runtime.block_on(on_database(command, config, &database.options));
    // The disk of the spool may hang. PostgreSQL is stopped all the same.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    let closed = database.close();
    result.and_then(|code| closed.map(|()| code))
}

async fn on_database(
    command: Command,
    config: &Config,
    options: &PgConnectOptions,
) -> anyhow::Result<ExitCode> {
    let connection = async || connect(options, config.connect_patience).await;
    match command {
        Command::Serve => serve(config, options).await,
        Command::Migrate => {
            let mut connection = connection().await?;
            migrate::migrate(&mut connection).await?;
            connection.close().await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Verify => verify(connection().await?).await,
        Command::Rebuild => rebuild(connection().await?).await,
        Command::Backup(arguments) => backup(connection().await?, config, options, &arguments).await,
        Command::Restore(arguments) => restore(config, options, &arguments).await,
        Command::Report(arguments) => {
            let destination = arguments.destination(config.outgoing.mail.as_ref())?;
            report(connection().await?, arguments, destination).await
        }
        Command::Healthcheck | Command::ExitCodes | Command::Diagnose(_) => Ok(ExitCode::SUCCESS),
    }
}
