//! `telemetry-server backup` and `restore`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection};

use crate::app;
use crate::command::verify::verify;
use crate::config::Config;
use crate::store::database::archive::Archiver;
use crate::store::database::connect::{DatabaseError, connect_to_primary};
use crate::store::database::contents::{self, Contents};
use crate::store::database::migrate::MIGRATIONS;

/// The arguments of `backup`.
#[derive(Args, Clone, PartialEq)]
pub(super) struct BackupArguments {
    /// File to write; an existing one is replaced
    file: PathBuf,
}

/// The arguments of `restore`.
#[derive(Args, Clone, PartialEq)]
pub(super) struct RestoreArguments {
    /// File that `backup` has written
    file: PathBuf,
    /// Delete the runs that the database contains
    #[arg(long)]
    force: bool,
}

/// Writes the database to a file.
pub(super) async fn backup(
    mut connection: PgConnection,
    config: &Config,
    options: &PgConnectOptions,
    arguments: &BackupArguments,
) -> anyhow::Result<ExitCode> {
    let archiver = archiver(&mut connection, config.pg_bin.as_deref()).await?;
    if contents::read(&mut connection).await? == Contents::Nothing {
        bail!("the database is empty");
    }
    let has_key = contents::has_generated_key(&mut connection).await?;
    connection.close().await?;
    archiver.write(options, &arguments.file)?;
    let mut out = std::io::stdout();
    writeln!(out, "{} contains the database", arguments.file.display())?;
    if !has_key {
        writeln!(out, "keep ID_KEY as well: the file does not contain it, and no server starts without it")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Replaces the database by a backup.
pub(super) async fn restore(
    config: &Config,
    options: &PgConnectOptions,
    arguments: &RestoreArguments,
) -> anyhow::Result<ExitCode> {
    let file = &arguments.file;
    let mut connection = connect_to_primary(options, config.connect_patience).await?;
    let archiver = archiver(&mut connection, config.pg_bin.as_deref()).await?;
    if contents::has_servers(&mut connection).await? {
        bail!("a server is using the database; stop all servers first");
    }
    match contents::read(&mut connection).await? {
        Contents::Nothing | Contents::NoRuns => {}
        Contents::Runs if arguments.force => {}
        Contents::Runs => bail!("the database contains runs; --force deletes them"),
        Contents::Foreign => {
            bail!("the database contains tables that are not of this server; create one for it alone");
        }
    }
    let migrations = archiver.migrations(file)?;
    if let Some(&version) = migrations.iter().find(|version| !MIGRATIONS.version_exists(**version)) {
        return Err(DatabaseError::Newer { version }).with_context(|| file.display().to_string());
    }
    // The statements that the connection has prepared refer to the old tables.
    connection.execute(contents::CLEAR).await.context("cannot clear the database")?;
    connection.close().await?;
    archiver
        .restore(file, options)
        .context("the database is empty now, because the backup could not be restored")?;
    app::prepare(config, options).await?;
    let mut connection = connect_to_primary(options, config.connect_patience).await?;
    // Without statistics, the first queries would be slow.
    connection.execute("analyze").await?;
    writeln!(std::io::stdout(), "restored {}", file.display())?;
    verify(connection).await
}

async fn archiver(connection: &mut PgConnection, pg_bin: Option<&Path>) -> anyhow::Result<Archiver> {
    Ok(Archiver::find(pg_bin, contents::server_version(connection).await?)?)
}
