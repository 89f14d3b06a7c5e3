//! Creates the cluster and its database. The cluster is created under a temporary name and then renamed, so that
//! a crash never leaves an incomplete one.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::Path;
use std::process::Output;

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
        return Err(EmbeddedError::NotACluster { folder: cluster.clone() });
    }
    tracing::info!("creating a database cluster in {}", cluster.display());
    // The process id distinguishes it from one into which a killed initdb still writes.
    let unfinished = folders.home.join(format!("{UNFINISHED}.{}", std::process::id()));
    // C libraries without C.UTF-8 have C; the encoding is UTF-8 either way.
    initdb(&unfinished, "C.UTF-8", launch)
        .or_else(|_| initdb(&unfinished, "C", launch))
        .inspect_err(|_| remove_unfinished(&folders.home))?;
    // initdb has synced the content.
    let moved = fs::rename(&unfinished, cluster);
    moved
        .and_then(|()| File::open(&folders.home)?.sync_all())
        .map_err(EmbeddedError::io("move the new cluster to", cluster))
}

/// Creates the database unless it exists. The cluster must accept connections.
pub(super) fn make_database(launch: &Launch) -> Result<(), EmbeddedError> {
    let createdb = launch.programs.path("createdb");
    let to = |option: &str, value: &OsStr| [OsString::from(option), value.to_owned()];
    let arguments = [
        to("--host", launch.folders.socket_dir.as_os_str()),
        to("--port", OsStr::new("5432")),
        to("--username", OsStr::new(USER)),
    ];
    let arguments = arguments.into_iter().flatten().chain([OsString::from("--no-password"), DATABASE.into()]);
    let output = launch.account.run(&createdb, arguments)?;
    // The programs run with LC_ALL=C, so their messages are in English.
    if output.status.success() || String::from_utf8_lossy(&output.stderr).contains("already exists") {
        return Ok(());
    }
    Err(failed(&createdb, &output))
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
    let output = launch.account.run(&program, arguments)?;
    if output.status.success() { Ok(()) } else { Err(failed(&program, &output)) }
}

/// Removes incomplete clusters if possible. If a killed initdb still writes into one, it stays until the next
/// start, which is harmless.
fn remove_unfinished(home: &Path) {
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

fn failed(program: &Path, output: &Output) -> EmbeddedError {
    let text = String::from_utf8_lossy(&output.stderr);
    let text = text.trim();
    let output = if text.is_empty() { output.status.to_string() } else { text.to_owned() };
    EmbeddedError::Program { program: program.to_owned(), output }
}
