//! Creates the cluster and its database. The cluster is created under a temporary name and then renamed, so that
//! a crash never leaves an incomplete one.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Output;

use nix::sys::signal::Signal;

use super::embedded_error::EmbeddedError;
use super::folders;
use super::launch::Launch;

/// The database's superuser. Differs from the account, so that the cluster can be moved to another account.
pub(super) const USER: &str = "telemetry";

/// The database of the server.
pub(super) const DATABASE: &str = "telemetry";

/// Prefix of the temporary name.
const UNFINISHED: &str = "postgres.unfinished";

/// Creates the cluster unless it exists. Removes the remains of an interrupted attempt.
pub(super) fn make_cluster(launch: &Launch) -> Result<(), EmbeddedError> {
    let folders = &launch.folders;
    let cluster = &folders.cluster;
    remove_unfinished(&folders.home);
    if cluster.join("PG_VERSION").exists() {
        return Ok(());
    }
    // An empty folder is replaced; one with content is not ours to remove.
    if cluster.exists() && fs::remove_dir(cluster).is_err() {
        return Err(EmbeddedError::Setup(format!(
            "{} is not empty and is not a PostgreSQL cluster (it has no PG_VERSION); move it away or set a different \
             DATA_DIR",
            cluster.display()
        )));
    }
    tracing::info!("creating a database cluster in {}", cluster.display());
    let unfinished = unfinished(&folders.home);
    make_empty(&unfinished, launch)
        .and_then(|()| create_database(&unfinished, launch))
        .inspect_err(|_| remove_unfinished(&folders.home))?;
    // The programs have synced the content.
    let moved = fs::rename(&unfinished, cluster);
    moved
        .and_then(|()| File::open(&folders.home)?.sync_all())
        .map_err(EmbeddedError::io("move the new cluster to", cluster))
}

/// The temporary folder of a cluster that is being created. The process id distinguishes it from one into which a
/// killed initdb still writes.
pub(super) fn unfinished(home: &Path) -> PathBuf {
    home.join(format!("{UNFINISHED}.{}", std::process::id()))
}

/// Creates a cluster without our database.
pub(super) fn make_empty(folder: &Path, launch: &Launch) -> Result<(), EmbeddedError> {
    // C libraries without C.UTF-8 have C; the encoding is UTF-8 either way.
    initdb(folder, "C.UTF-8", launch).or_else(|_| initdb(folder, "C", launch))
}

fn initdb(folder: &Path, locale: &str, launch: &Launch) -> Result<(), EmbeddedError> {
    folders::make_private(folder, &launch.account)?;
    let program = launch.programs.path("initdb");
    let mut arguments = vec![OsString::from("--pgdata"), folder.into()];
    // Collation C orders by code point like C.UTF-8, compares faster, and cannot change with an update of the C
    // library, which would corrupt indexes.
    let ctype = format!("--lc-ctype={locale}");
    let options = ["--encoding=UTF8", "--locale=C", &ctype, "--data-checksums", "--username", USER];
    arguments.extend(options.map(OsString::from));
    // Only the account and root can enter the folder of the socket. `peer` would exclude a server that runs as
    // root.
    arguments.extend(["--auth-local=trust", "--auth-host=reject"].map(OsString::from));
    succeeded(&program, &launch.account.run(&program, arguments)?)
}

/// Creates the database in a cluster that does not run: single-user mode reads statements from standard input.
pub(super) fn create_database(folder: &Path, launch: &Launch) -> Result<(), EmbeddedError> {
    let program = launch.programs.path("postgres");
    let mut command = launch.account.command(&program, Signal::SIGTERM);
    command.args(["--single", "-c", "exit_on_error=on", "-D"]).arg(folder).arg("postgres");
    let output = io::pipe().and_then(|(statement, mut input)| {
        writeln!(input, "create database {DATABASE}")?;
        drop(input);
        command.stdin(statement).output()
    });
    succeeded(&program, &output.map_err(EmbeddedError::io("run", &program))?)
}

/// Removes incomplete clusters if possible. If a killed initdb still writes into one, it stays until the next
/// start, which is harmless.
pub(super) fn remove_unfinished(home: &Path) {
    for entry in fs::read_dir(home).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let removed = fs::remove_dir_all(entry.path());
            tracing::debug!(
                "removing {}, which an interrupted start has left: {removed:?}",
                entry.path().display()
            );
        }
    }
}

/// Turns the failure of a program into an error with what it said.
pub(super) fn succeeded(program: &Path, output: &Output) -> Result<(), EmbeddedError> {
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(EmbeddedError::Setup(format!("{} failed ({}): {}", program.display(), output.status, text.trim())))
}
