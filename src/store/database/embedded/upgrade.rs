//! Upgrades a cluster that an older major version of PostgreSQL created, when the programs of both versions are
//! installed: with pg_upgrade, or where that is missing by copying the database with pg_dump and pg_restore.
//!
//! The new cluster is built beside the old one, which stays as `postgres-15-old`. It takes its place when it has
//! started and has as many rows in every table.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::signal::Signal;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::embedded_error::EmbeddedError;
use super::folders::{Folders, make_private};
use super::initdb::{self, DATABASE, USER};
use super::launch::{Launch, PORT};
use super::programs::Programs;
use super::supervisor::Supervisor;
use crate::store::database::archive::Archiver;

/// Name of a complete new cluster that has not taken its place yet.
const UPGRADED: &str = "postgres.upgraded";

/// Completes the exchange of the clusters if a crash has interrupted it.
pub(super) fn complete(folders: &Folders) -> Result<(), EmbeddedError> {
    let upgraded = folders.home.join(UPGRADED);
    if !upgraded.exists() {
        return Ok(());
    }
    if folders.cluster.exists() {
        // The old cluster has not been moved, and may have been used since.
        return fs::remove_dir_all(&upgraded).map_err(EmbeddedError::io("remove", &upgraded));
    }
    rename(&upgraded, &folders.cluster)
}

/// Replaces the cluster, which no process uses, by one of the version of `launch`. After an error it is still there.
pub(super) fn upgrade(launch: &Launch, older: Programs) -> Result<(), EmbeddedError> {
    let folders = &launch.folders;
    let major = older.major;
    tracing::info!(
        "upgrading the database in {} from PostgreSQL {major} to {}, which may take minutes",
        folders.cluster.display(),
        launch.programs.major
    );
    initdb::remove_unfinished(&folders.home);
    let old = Arc::new(Launch { programs: older, ..launch.clone() });
    let unfinished = folders.beside(initdb::unfinished(&folders.home));
    let new = Arc::new(Launch { folders: unfinished, port: PORT + 1, ..launch.clone() });
    build(&old, &new).inspect_err(|_| initdb::remove_unfinished(&folders.home))?;
    let upgraded = folders.home.join(UPGRADED);
    rename(&new.folders.cluster, &upgraded)?;
    let kept = unused(&folders.home, major);
    rename(&folders.cluster, &kept)?;
    rename(&upgraded, &folders.cluster)?;
    tracing::info!("upgraded; {} is the old database and can be deleted", kept.display());
    Ok(())
}

/// Builds the new cluster and compares it with the old one.
fn build(old: &Arc<Launch>, new: &Arc<Launch>) -> Result<(), EmbeddedError> {
    let mut old_server = Supervisor::start(Arc::clone(old))?;
    let before = counts(&connection(old))?;
    initdb::make_empty(&new.folders.cluster, new)?;
    // Declared after the old server, so that it is stopped first.
    let mut new_server;
    if new.programs.has("pg_upgrade") && old.programs.has("pg_controldata") {
        tracing::info!("running pg_upgrade");
        old_server.stop()?;
        new.folders.make_socket_dir(&new.account)?;
        pg_upgrade(old, new)?;
        new_server = Supervisor::start(Arc::clone(new))?;
    } else {
        tracing::info!("copying the database");
        initdb::create_database(&new.folders.cluster, new)?;
        new_server = Supervisor::start(Arc::clone(new))?;
        Archiver::at(&new.programs.folder).copy(&connection(old), &connection(new))?;
    }
    let after = counts(&connection(new))?;
    new_server.stop()?;
    old_server.stop()?;
    if before == after {
        return Ok(());
    }
    Err(EmbeddedError::Setup("the upgraded database does not have the rows of the old one".to_owned()))
}

fn pg_upgrade(old: &Launch, new: &Launch) -> Result<(), EmbeddedError> {
    let program = new.programs.path("pg_upgrade");
    // It writes into the working folder, which is removed like an unfinished cluster.
    let folder = new.folders.cluster.with_extension("pg_upgrade");
    make_private(&folder, &new.account)?;
    let mut command = new.account.command(&program, Signal::SIGTERM);
    command.current_dir(&folder).args(["--username", USER]);
    let (old_port, new_port) = (old.port.to_string(), new.port.to_string());
    let values: [(&str, OsString); 7] = [
        ("--old-datadir", old.folders.cluster.clone().into()),
        ("--new-datadir", new.folders.cluster.clone().into()),
        ("--old-bindir", old.programs.folder.clone().into()),
        ("--new-bindir", new.programs.folder.clone().into()),
        ("--socketdir", new.folders.socket_dir.clone().into()),
        ("--old-port", old_port.into()),
        ("--new-port", new_port.into()),
    ];
    let output = command.args(values.into_iter().flat_map(|(name, value)| [name.into(), value])).output();
    let output = output.map_err(EmbeddedError::io("run", &program))?;
    if output.status.success() {
        return fs::remove_dir_all(&folder).map_err(EmbeddedError::io("remove", &folder));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let said: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let said = said[said.len().saturating_sub(8)..].join("; ");
    Err(EmbeddedError::Setup(format!("{} failed ({}): {said}", program.display(), output.status)))
}

fn connection(launch: &Launch) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(&launch.folders.socket_dir)
        .port(launch.port)
        .username(USER)
        .database(DATABASE)
        .ssl_mode(PgSslMode::Disable)
}

/// The number of rows of each table. Also collects the statistics that a new cluster lacks.
fn counts(options: &PgConnectOptions) -> sqlx::Result<Vec<(String, i64)>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(sqlx::Error::Io)?.block_on(async {
        let mut connection = PgConnection::connect_with(options).await?;
        connection.execute("analyze").await?;
        let tables: Vec<String> = sqlx::query_scalar!(
            "select oid::regclass::text as \"name!\" from pg_class
             where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1"
        )
        .fetch_all(&mut connection)
        .await?;
        let mut counts = Vec::new();
        for table in tables {
            let count = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}")));
            counts.push((table, count.fetch_one(&mut connection).await?));
        }
        connection.close().await?;
        Ok(counts)
    })
}

/// A name for the old cluster: `postgres-15-old`, or with a number if that exists.
fn unused(home: &Path, major: u32) -> PathBuf {
    let first = home.join(format!("postgres-{major}-old"));
    let others = (2_u32..).map(|number| home.join(format!("postgres-{major}-old-{number}")));
    std::iter::once(first.clone()).chain(others).find(|path| !path.exists()).unwrap_or(first)
}

/// Renames a folder durably.
fn rename(from: &Path, to: &Path) -> Result<(), EmbeddedError> {
    let renamed = fs::rename(from, to);
    let synced = renamed.and_then(|()| File::open(to.parent().unwrap_or(to))?.sync_all());
    synced.map_err(EmbeddedError::io("move a database to", to))
}
