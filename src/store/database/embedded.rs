//! The embedded PostgreSQL. Without `DATABASE_URL` the server runs its own cluster with the PostgreSQL programs
//! of the machine, so that one command is enough on a fresh machine.
//!
//! No acknowledged event may be lost, so fsync must be on and a crash must not leave processes that block the
//! next start. The server must also be able to run as root. The existing crates for embedding PostgreSQL fail
//! in one of these respects.
//!
//! - `account` chooses the user that runs PostgreSQL, which is never root.
//! - `programs` finds the installation.
//! - `folders` determines the paths of the cluster, the socket and the lock, and protects them.
//! - `launch` holds the server parameters.
//! - `initdb` creates the cluster atomically.
//! - `leftovers` cleans up after a kill -9.
//! - `upgrade` upgrades the cluster of an older version of PostgreSQL.
//! - `supervisor` runs `postgres`, restarts it, and stops it with the server.
//!
//! All functions block; call them from a thread that may block.

mod embedded_error;
mod account;
mod programs;
mod folders;
mod launch;
mod initdb;
mod leftovers;
mod supervisor;
mod upgrade;

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::Flock;

pub use embedded_error::EmbeddedError;

use account::Account;
use folders::{Folders, SOCKET};
use launch::{Launch, PORT};
use leftovers::PidFile;
use programs::Programs;
use supervisor::Supervisor;

/// The folder of the cluster if the account that runs PostgreSQL cannot reach `DATA_DIR`.
const FALLBACK: &str = "/var/lib/telemetry-server";

/// How long [`start_or_attach`] waits for a cluster that another process is starting.
const ATTACH_LIMIT: Duration = Duration::from_secs(60);
const ATTACH_POLL: Duration = Duration::from_millis(50);

/// The cluster and the programs to run it with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `DATA_DIR`; created if it does not exist.
    pub data_dir: PathBuf,
    /// `PG_BIN`: the folder of the PostgreSQL programs. If it is `None`, they are searched for.
    pub pg_bin: Option<PathBuf>,
}

/// The parameters of a connection. There is no password: only the account and root can enter the folder of
/// the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The folder of the socket `.s.PGSQL.5432`.
    pub socket_dir: PathBuf,
    /// The role.
    pub user: String,
    /// The database; it exists and is empty after the first start.
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

/// A cluster that this process runs. It stops when the value is dropped or the process ends, even by a kill
/// -9.
pub struct Embedded {
    endpoint: Endpoint,
    supervisor: Supervisor,
    /// Declared last, because fields are dropped in order: the lock is released after PostgreSQL has stopped.
    _lock: Flock<File>,
}

/// The result of [`start_or_attach`].
pub enum Cluster {
    /// This process runs the cluster.
    Own(Embedded),
    /// Another process runs the cluster and may stop it at any time.
    Running(Endpoint),
}

impl Embedded {
    /// Starts the cluster, creating or upgrading it if necessary, and returns when the database accepts connections.
    /// Crash recovery may take up to 10 minutes.
    ///
    /// # Errors
    /// [`EmbeddedError::Locked`] if another process runs the cluster; any other reason why PostgreSQL cannot
    /// run. Nothing keeps running then.
    pub fn start(settings: &Settings) -> Result<Self, EmbeddedError> {
        Self::start_with(settings, Path::new(FALLBACK))
    }

    /// The parameters of a connection.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The process id of the postmaster; `None` until it is restarted after a crash.
    pub fn postmaster_pid(&self) -> Option<i32> {
        self.supervisor.pid()
    }

    /// Shuts PostgreSQL down and returns when all its processes have ended. Takes up to 8 s if connections are
    /// busy, and longer only if PostgreSQL hangs.
    ///
    /// # Errors
    /// [`EmbeddedError::Forced`] if PostgreSQL did not end in time and was killed. Committed data are safe even
    /// then.
    pub fn stop(mut self) -> Result<(), EmbeddedError> {
        self.supervisor.stop()
    }

    fn start_with(settings: &Settings, fallback: &Path) -> Result<Self, EmbeddedError> {
        let (folders, account) = Folders::resolve(&settings.data_dir, fallback)?;
        let lock = folders.lock()?;
        Self::start_locked(settings, folders, account, lock)
    }

    fn start_locked(
        settings: &Settings,
        folders: Folders,
        account: Account,
        lock: Flock<File>,
    ) -> Result<Self, EmbeddedError> {
        upgrade::complete(&folders)?;
        let (programs, older) = Programs::find(settings.pg_bin.as_deref(), &account, &folders.cluster)?;
        let mut launch = Launch { folders, account, programs, port: PORT };
        launch.folders.make_socket_dir(&launch.account)?;
        leftovers::settle(&launch.folders, || false)?;
        match older {
            Some(older) => {
                if let Err(error) = upgrade::upgrade(&launch, older.clone()) {
                    tracing::error!("cannot upgrade PostgreSQL, {} keeps running: {error}", older.major);
                    launch.programs = older;
                }
                launch.folders.make_socket_dir(&launch.account)?;
            }
            None => initdb::make_cluster(&launch)?,
        }
        let launch = Arc::new(launch);
        let supervisor = Supervisor::start(Arc::clone(&launch))?;
        Ok(Self { endpoint: Endpoint::of(&launch.folders), supervisor, _lock: lock })
    }
}

/// Starts the cluster, or attaches to the one that another process runs on the same `DATA_DIR`. For commands
/// that can run beside a server. Waits for a cluster that is starting.
///
/// # Errors
/// As for [`Embedded::start`], with [`EmbeddedError::NotReady`] instead of [`EmbeddedError::Locked`] if the
/// database of the other process is not ready within 60 s.
pub fn start_or_attach(settings: &Settings) -> Result<Cluster, EmbeddedError> {
    start_or_attach_with(settings, Path::new(FALLBACK))
}

fn start_or_attach_with(settings: &Settings, fallback: &Path) -> Result<Cluster, EmbeddedError> {
    let (folders, account) = Folders::resolve(&settings.data_dir, fallback)?;
    let begun = Instant::now();
    loop {
        match folders.lock() {
            Ok(lock) => return Embedded::start_locked(settings, folders, account, lock).map(Cluster::Own),
            Err(EmbeddedError::Locked { .. }) => {}
            Err(error) => return Err(error),
        }
        // After a kill -9 of PostgreSQL the file still says "ready", but the socket refuses connections.
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

    /// A temporary folder with the given mode.
    fn folder(mode: u32) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
        folder
    }

    #[test]
    fn a_cluster_outside_an_unreachable_data_folder_stays_there() {
        if !Uid::effective().is_root() {
            return; // Other users run PostgreSQL themselves.
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

        // A data folder that becomes reachable later does not get an empty cluster.
        fs::set_permissions(closed.path(), Permissions::from_mode(0o711)).unwrap();
        let (folders, _) = Folders::resolve(&settings.data_dir, &fallback).unwrap();
        assert_eq!(folders.home, fallback);
    }

    #[test]
    fn an_unreachable_cluster_is_an_error_and_is_not_replaced() {
        if !Uid::effective().is_root() {
            return;
        }
        let (data, open) = (folder(0o711), folder(0o711));
        fs::create_dir(data.path().join("postgres")).unwrap();
        fs::set_permissions(data.path(), Permissions::from_mode(0o700)).unwrap();
        let error = Folders::resolve(data.path(), &open.path().join("fallback")).unwrap_err();
        assert!(
            error.to_string().contains("cannot reach") && error.to_string().contains("DATA_DIR"),
            "{error}"
        );
    }
}
