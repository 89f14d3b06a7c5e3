//! The errors of the embedded cluster. They may be the first output that a new user sees, so each message names
//! the folder, program or variable and suggests a remedy.

use std::io;
use std::path::{Path, PathBuf};

/// Why the embedded cluster could not be started, reached or stopped.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// `PG_BIN` is set, but its folder cannot be used.
    #[error(
        "PG_BIN={}: {problem}; set PG_BIN to the folder of the `postgres` and `initdb` programs of PostgreSQL \
         {oldest} or newer, or leave it unset", folder.display()
    )]
    PgBin {
        /// The value of `PG_BIN`.
        folder: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// The oldest supported major version.
        oldest: u32,
    },

    /// No PostgreSQL server is installed in the usual folders.
    #[error(
        "no PostgreSQL {oldest} or newer found (searched `pg_config --bindir`, /usr/lib/postgresql/*/bin and \
         PATH{}); install it (Debian, Ubuntu: `apt install postgresql`), set PG_BIN to the folder of its \
         programs, or set DATABASE_URL to use another server", too_old(.rejected)
    )]
    NoPrograms {
        /// The oldest supported major version.
        oldest: u32,
        /// Older installations that were found.
        rejected: Vec<String>,
    },

    /// The major version that created the cluster is not installed.
    #[error(
        "{} was created by PostgreSQL {needed}, but only {found} is installed; install that version (Debian, \
         Ubuntu: `apt install postgresql-{needed}`) or upgrade the folder with pg_upgrade", folder.display()
    )]
    Version {
        /// The cluster's folder.
        folder: PathBuf,
        /// The content of its `PG_VERSION`.
        needed: String,
        /// The versions that were found.
        found: String,
    },

    /// The server runs as root and no other user can run PostgreSQL.
    #[error(
        "PostgreSQL refuses to run as root and there is no user `{user}` to run it as; install the \
         distribution's package, which creates that user (Debian, Ubuntu: `apt install postgresql`), or start \
         the server as another user"
    )]
    NoUser {
        /// The user that was looked for.
        user: &'static str,
    },

    /// The user that runs PostgreSQL cannot enter the folder.
    #[error(
        "user {user} cannot reach {}; allow it to traverse the folders above (`chmod o+x`), or set \
         DATA_DIR to a folder that it can reach", folder.display()
    )]
    Unreachable {
        /// The folder.
        folder: PathBuf,
        /// The user that runs PostgreSQL.
        user: String,
    },

    /// The cluster belongs to another user; PostgreSQL would refuse to use it.
    #[error(
        "{} belongs to user id {owner}, but PostgreSQL would run as {user}; start the server as the owner, \
         change the owner (`chown -R`), or set another DATA_DIR", folder.display()
    )]
    Owner {
        /// The folder.
        folder: PathBuf,
        /// The user id of its owner.
        owner: u32,
        /// The user that runs PostgreSQL.
        user: String,
    },

    /// Another process uses the data folder.
    #[error(
        "{} is in use by another telemetry-server{}; stop it, or set a different DATA_DIR for this one",
        folder.display(), process(.holder)
    )]
    Locked {
        /// The data folder.
        folder: PathBuf,
        /// The process id in the lock file.
        holder: Option<i32>,
    },

    /// The folder of the cluster contains something else.
    #[error(
        "{} is not empty and is not a PostgreSQL cluster (it has no PG_VERSION); move it away or set a different \
         DATA_DIR", folder.display()
    )]
    NotACluster {
        /// The folder.
        folder: PathBuf,
    },

    /// The folder for the socket is not safe to use.
    #[error(
        "{} cannot be used for the socket of the database: {problem}; remove it, or set DATA_DIR to a shorter path so \
         that the socket fits into it", folder.display()
    )]
    SocketFolder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// A PostgreSQL process of an earlier server uses the cluster and does not end.
    #[error(
        "an earlier PostgreSQL (process {pid}) is still running on {}; stop it (`kill -INT {pid}`) and start \
         again", folder.display()
    )]
    OldPostgres {
        /// The cluster's folder.
        folder: PathBuf,
        /// One of its processes.
        pid: i32,
    },

    /// A PostgreSQL program failed.
    #[error("{} failed: {output}", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// Its output, or its exit status.
        output: String,
    },

    /// PostgreSQL ended before it accepted a connection.
    #[error("PostgreSQL did not start on {} ({status}): {output}", folder.display())]
    Ended {
        /// The cluster's folder.
        folder: PathBuf,
        /// The exit status.
        status: String,
        /// The last lines of its log.
        output: String,
    },

    /// PostgreSQL runs but did not accept connections in time.
    #[error(
        "PostgreSQL on {} did not accept connections within {seconds} s; if it is recovering from a crash, \
         start again later; recovery continues where it stopped", folder.display()
    )]
    NotReady {
        /// The cluster's folder.
        folder: PathBuf,
        /// The time limit.
        seconds: u64,
    },

    /// PostgreSQL had to be killed. Committed data are safe.
    #[error(
        "PostgreSQL on {} did not shut down in time and was killed; the next start replays its log",
        folder.display()
    )]
    Forced {
        /// The cluster's folder.
        folder: PathBuf,
    },

    /// An operation on a file or process failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The operation, as a verb.
        action: &'static str,
        /// The file, folder or program.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl EmbeddedError {
    /// For `map_err`: adds the operation and the path.
    pub(super) fn io<E: Into<io::Error>>(action: &'static str, path: &Path) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source: source.into() }
    }
}

fn too_old(rejected: &[String]) -> String {
    if rejected.is_empty() { String::new() } else { format!("; too old: {}", rejected.join(", ")) }
}

fn process(holder: &Option<i32>) -> String {
    holder.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}
