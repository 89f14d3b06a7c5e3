//! Makes the cluster and the database in it. The cluster is made beside its place and renamed
//! into it, so that it is there completely or not at all, wherever a crash strikes.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::Path;
use std::process::Output;

use super::error::EmbeddedError;
use super::folders;
use super::launch::Launch;

/// The database's superuser. Not the account's name, so that the cluster stays usable when it
/// is moved to another account.
pub(super) const USER: &str = "telemetry";

/// The database that the server works in.
pub(super) const DATABASE: &str = "telemetry";

/// What a cluster is called before it is complete.
const UNFINISHED: &str = "postgres.unfinished";

/// Makes the cluster unless it is there. What an interrupted attempt left is removed.
pub(super) fn make_cluster(launch: &Launch) -> Result<(), EmbeddedError> {
    let folders = &launch.folders;
    let cluster = &folders.cluster;
    remove_unfinished(&folders.home);
    if cluster.join("PG_VERSION").exists() {
        return Ok(());
    }
    // An empty folder gives way; a folder with something in it is not ours to remove.
    if cluster.exists() && fs::remove_dir(cluster).is_err() {
        return Err(EmbeddedError::NotACluster { folder: cluster.clone() });
    }
    tracing::info!("making a database cluster in {}", cluster.display());
    // The process id keeps it apart from one in which a killed initdb still writes.
    let unfinished = folders.home.join(format!("{UNFINISHED}.{}", std::process::id()));
    // A C library without C.UTF-8 has C; the encoding is UTF-8 all the same.
    initdb(&unfinished, "C.UTF-8", launch)
        .or_else(|_| initdb(&unfinished, "C", launch))
        .inspect_err(|_| remove_unfinished(&folders.home))?;
    // initdb has synced what is inside.
    let moved = fs::rename(&unfinished, cluster);
    moved
        .and_then(|()| File::open(&folders.home)?.sync_all())
        .map_err(EmbeddedError::io("move the new cluster to", cluster))
}

/// Makes the database unless it is there. The cluster must accept connections.
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
    // The programs run with LC_ALL=C, so the text is this one.
    if output.status.success() || String::from_utf8_lossy(&output.stderr).contains("already exists") {
        return Ok(());
    }
    Err(failed(&createdb, &output))
}

fn initdb(folder: &Path, locale: &str, launch: &Launch) -> Result<(), EmbeddedError> {
    folders::make_private(folder, &launch.account)?;
    let program = launch.programs.path("initdb");
    let mut arguments = vec![OsString::from("--pgdata"), folder.into()];
    // Collation C orders like C.UTF-8 (by code point), compares faster, and no update of the C
    // library can change it under an index.
    let ctype = format!("--lc-ctype={locale}");
    let options = ["--encoding=UTF8", "--locale=C", &ctype, "--data-checksums", "--username", USER];
    arguments.extend(options.map(OsString::from));
    // The socket's folder lets in only the account and root (who is not the account, so that
    // `peer` would keep root's server out).
    arguments.extend(["--auth-local=trust", "--auth-host=reject"].map(OsString::from));
    let output = launch.account.run(&program, arguments)?;
    if output.status.success() { Ok(()) } else { Err(failed(&program, &output)) }
}

/// Best effort: a killed initdb may still write into the folder. It then stays until the next
/// start and harms nobody.
fn remove_unfinished(home: &Path) {
    for entry in fs::read_dir(home).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let removed = fs::remove_dir_all(entry.path());
            tracing::debug!("{} is left from an interrupted start: {removed:?}", entry.path().display());
        }
    }
}

fn failed(program: &Path, output: &Output) -> EmbeddedError {
    let text = String::from_utf8_lossy(&output.stderr);
    let text = text.trim();
    let output = if text.is_empty() { output.status.to_string() } else { text.to_owned() };
    EmbeddedError::Program { program: program.to_owned(), output }
}
