//! The private PostgreSQL: with no `DATABASE_URL` the server runs a cluster of its own on the
//! machine's PostgreSQL programs, so that one command is enough on a fresh machine.
//!
//! The promise "no acknowledged event is lost" needs fsync, and no orphans that block the next
//! start; root must be able to run it. The ready-made embedding crates fail at one of these.
//! What each part is for:
//!
//! - `programs` finds the installation, `account` the user to run it as (never root);
//! - `folders` says where cluster, socket and lock lie, and closes them to others;
//! - `launch` says with which settings it runs (fsync on, a log without data);
//! - `initdb` makes the cluster completely or not at all;
//! - `leftovers` clears what a kill -9 left;
//! - `supervisor` runs `postgres`, restarts it, and ends it with the server.
//!
//! All of it is blocking code; call it from a thread that may block.

mod error;
mod account;
mod programs;
mod folders;
mod launch;
mod initdb;
mod leftovers;
mod supervisor;

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::Flock;

pub use error::EmbeddedError;

use account::Account;
use folders::{Folders, SOCKET};
use launch::Launch;
use leftovers::PidFile;
use programs::Programs;
use supervisor::Supervisor;

/// Where the cluster lies when the account that runs PostgreSQL cannot reach `DATA_DIR`.
const FALLBACK: &str = "/var/lib/telemetry-server";

/// How long [`start_or_attach`] waits for a cluster that another process is starting.
const ATTACH_LIMIT: Duration = Duration::from_secs(60);
const ATTACH_POLL: Duration = Duration::from_millis(50);

/// Which cluster, and on which programs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `DATA_DIR`; made if it is not there.
    pub data_dir: PathBuf,
    /// `PG_BIN`: the folder of the PostgreSQL programs. `None`: they are searched for.
    pub pg_bin: Option<PathBuf>,
}

/// How to connect. There is no password: the socket's folder admits only those who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The folder of the socket, which is called `.s.PGSQL.5432`.
    pub socket_dir: PathBuf,
    /// The role.
    pub user: String,
    /// The database; it exists, and is empty after the first start.
    pub database: String,
}

impl Endpoint {
    fn of(folders: &Folders) -> Self {
        Self {
            socket_dir: folders.socket_dir.clone(),
            user: initdb::USER.to_owned(),
            database: initdb::DATABASE.to_owned(),
        }
    }
}

/// A cluster that this process runs. It ends with the value, and with the process, however
/// that ends.
pub struct Embedded {
    endpoint: Endpoint,
    supervisor: Supervisor,
    /// After the supervisor: a field is dropped after those above it, so the lock is given
    /// back when PostgreSQL has ended.
    _lock: Flock<File>,
}

/// What [`start_or_attach`] found.
pub enum Cluster {
    /// No other process had it, so this one runs it.
    Own(Embedded),
    /// Another process runs it. It may end at any time.
    Running(Endpoint),
}

impl Embedded {
    /// Starts the cluster, makes it first if need be, and returns when the database accepts
    /// connections. After a crash that includes the recovery, up to 10 minutes.
    ///
    /// # Errors
    /// [`EmbeddedError::Locked`] if another process runs it; all else that can keep PostgreSQL
    /// from running. Nothing keeps running then.
    pub fn start(settings: &Settings) -> Result<Self, EmbeddedError> {
        Self::start_with(settings, Path::new(FALLBACK))
    }

    /// How to connect.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The process id of the postmaster; `None` while it is down and about to be restarted.
    pub fn postmaster_pid(&self) -> Option<i32> {
        self.supervisor.pid()
    }

    /// Shuts PostgreSQL down and returns when nothing of it is left. Takes up to 8 s if
    /// connections are busy, and more only if PostgreSQL hangs.
    ///
    /// # Errors
    /// [`EmbeddedError::Forced`] if it hung and was killed. Committed data are safe even then.
    pub fn stop(mut self) -> Result<(), EmbeddedError> {
        self.supervisor.stop()
    }

    fn start_with(settings: &Settings, fallback: &Path) -> Result<Self, EmbeddedError> {
        let (folders, account) = Folders::resolve(&settings.data_dir, fallback)?;
        let lock = folders.lock(&account)?;
        Self::start_locked(settings, folders, account, lock)
    }

    fn start_locked(
        settings: &Settings,
        folders: Folders,
        account: Account,
        lock: Flock<File>,
    ) -> Result<Self, EmbeddedError> {
        let found = Programs::find(settings.pg_bin.as_deref(), &account)?;
        let programs = Programs::choose(found, &folders.cluster)?;
        let launch = Arc::new(Launch { folders, account, programs });
        initdb::make_cluster(&launch)?;
        launch.folders.make_socket_dir(&launch.account)?;
        leftovers::settle(&launch.folders, || false)?;
        let supervisor = Supervisor::start(Arc::clone(&launch))?;
        initdb::make_database(&launch)?;
        Ok(Self { endpoint: Endpoint::of(&launch.folders), supervisor, _lock: lock })
    }
}

/// Starts the cluster, or finds the one that another process runs on the same `DATA_DIR`: for
/// commands that work beside a running server. A cluster that is just starting is waited for.
///
/// # Errors
/// As [`Embedded::start`]; [`EmbeddedError::NotReady`] instead of
/// [`EmbeddedError::Locked`], if the other process has no database ready within 60 s.
pub fn start_or_attach(settings: &Settings) -> Result<Cluster, EmbeddedError> {
    start_or_attach_with(settings, Path::new(FALLBACK))
}

fn start_or_attach_with(settings: &Settings, fallback: &Path) -> Result<Cluster, EmbeddedError> {
    let (folders, account) = Folders::resolve(&settings.data_dir, fallback)?;
    let begun = Instant::now();
    loop {
        match folders.lock(&account) {
            Ok(lock) => return Embedded::start_locked(settings, folders, account, lock).map(Cluster::Own),
            Err(EmbeddedError::Locked { .. }) => {}
            Err(error) => return Err(error),
        }
        // The file says "ready" even after a kill -9 of PostgreSQL; then the socket refuses.
        let ready = PidFile::read(&folders.cluster).is_some_and(|file| file.is_ready());
        if ready && UnixStream::connect(folders.socket_dir.join(SOCKET)).is_ok() {
            return Ok(Cluster::Running(Endpoint::of(&folders)));
        }
        if begun.elapsed() > ATTACH_LIMIT {
            return Err(EmbeddedError::NotReady { folder: folders.cluster, seconds: ATTACH_LIMIT.as_secs() });
        }
        thread::sleep(ATTACH_POLL);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use nix::unistd::Uid;
    use tempfile::TempDir;

    use super::*;

    /// A temporary folder that others may pass, or may not.
    fn folder(mode: u32) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
        folder
    }

    #[test]
    fn a_data_folder_that_the_account_cannot_reach_is_kept_elsewhere_for_good() {
        if !Uid::effective().is_root() {
            return; // An ordinary user runs everything as itself.
        }
        let (closed, open) = (folder(0o700), folder(0o711));
        let settings = Settings { data_dir: closed.path().join("data"), pg_bin: None };
        let fallback = open.path().join("fallback");

        let embedded = Embedded::start_with(&settings, &fallback).unwrap();
        assert!(fallback.join("postgres/PG_VERSION").exists());
        assert_ne!(fs::metadata(fallback.join("postgres")).unwrap().uid(), 0);
        let endpoint = embedded.endpoint().clone();
        assert_eq!(endpoint.socket_dir, fallback.join("run"));

        // A second process finds the same cluster.
        let second = Embedded::start_with(&settings, &fallback).map(|_| ()).unwrap_err();
        assert!(second.to_string().contains(&*fallback.to_string_lossy()), "{second}");
        match start_or_attach_with(&settings, &fallback).unwrap() {
            Cluster::Running(found) => assert_eq!(found, endpoint),
            Cluster::Own(_) => panic!("started a cluster beside the running one"),
        }
        embedded.stop().unwrap();

        // Opening the folder later does not bring up an empty cluster in it.
        fs::set_permissions(closed.path(), Permissions::from_mode(0o711)).unwrap();
        let (folders, _) = Folders::resolve(&settings.data_dir, &fallback).unwrap();
        assert_eq!(folders.home, fallback);
    }

    #[test]
    fn a_cluster_that_became_unreachable_is_an_error_and_not_a_new_cluster() {
        if !Uid::effective().is_root() {
            return;
        }
        let (data, open) = (folder(0o711), folder(0o711));
        fs::create_dir(data.path().join("postgres")).unwrap();
        fs::set_permissions(data.path(), Permissions::from_mode(0o700)).unwrap();
        let error = Folders::resolve(data.path(), &open.path().join("fallback")).unwrap_err();
        assert!(matches!(error, EmbeddedError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("DATA_DIR"), "{error}");
    }
}
