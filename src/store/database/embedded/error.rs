//! What can go wrong with the private cluster. A person who has just typed `make run` reads
//! these, so each one names the folder, program or variable and says what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why the private cluster could not be started, reached or stopped.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// `PG_BIN` is set, but its folder cannot be used.
    #[error(
        "PG_BIN={}: {problem}; set PG_BIN to the folder that holds the `postgres` and `initdb` programs of \
         PostgreSQL {oldest} or newer, or leave it unset", folder.display()
    )]
    PgBin {
        /// The value of `PG_BIN`.
        folder: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// The oldest major version that is supported.
        oldest: u32,
    },

    /// Neither `PG_BIN` nor the usual places hold the programs of a PostgreSQL server.
    #[error(
        "no PostgreSQL {oldest} or newer found (looked at `pg_config --bindir`, /usr/lib/postgresql/*/bin and \
         PATH{}); install it (Debian, Ubuntu: `apt install postgresql`), set PG_BIN to the folder of its \
         programs, or set DATABASE_URL to use a server that runs elsewhere", too_old(.rejected)
    )]
    NoPrograms {
        /// The oldest major version that is supported.
        oldest: u32,
        /// Older installations that were found.
        rejected: Vec<String>,
    },

    /// The cluster was made by a major version of which the programs are not there.
    #[error(
        "{} was made by PostgreSQL {needed}, but only {found} is installed; install that version (Debian, \
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

    /// The server runs as root and there is no user to run PostgreSQL as.
    #[error(
        "PostgreSQL refuses to run as root and there is no user `{user}` to run it as; install the \
         distribution's package, which makes that user (Debian, Ubuntu: `apt install postgresql`), or start \
         the server as an ordinary user"
    )]
    NoUser {
        /// The user that was looked for.
        user: &'static str,
    },

    /// The user that runs PostgreSQL cannot get at the folder.
    #[error(
        "user {user} cannot reach {}; give it the right to pass the folders above (`chmod o+x`), or set \
         DATA_DIR to a folder that it can reach", folder.display()
    )]
    Unreachable {
        /// The folder.
        folder: PathBuf,
        /// Who runs PostgreSQL.
        user: String,
    },

    /// The cluster belongs to somebody else, PostgreSQL would refuse it.
    #[error(
        "{} belongs to user id {owner}, but PostgreSQL is to run as {user}; start the server as the owner, \
         change the owner (`chown -R`), or set another DATA_DIR", folder.display()
    )]
    Owner {
        /// The folder.
        folder: PathBuf,
        /// The user id of its owner.
        owner: u32,
        /// Who runs PostgreSQL.
        user: String,
    },

    /// Another process uses the data folder.
    #[error(
        "{} is in use by another telemetry-server{}; stop that one, or set another DATA_DIR for this one",
        folder.display(), process(.holder)
    )]
    Locked {
        /// The data folder.
        folder: PathBuf,
        /// The process id that the other one left in its lock file.
        holder: Option<i32>,
    },

    /// There are files where the cluster should be, and they are not a cluster.
    #[error(
        "{} is not empty and is not a PostgreSQL cluster (it has no PG_VERSION); move it away or set another \
         DATA_DIR", folder.display()
    )]
    NotACluster {
        /// The folder.
        folder: PathBuf,
    },

    /// The folder for the socket is not safe to use.
    #[error(
        "{} cannot hold the database's socket: {problem}; remove it, or set DATA_DIR to a shorter path so \
         that the socket fits into it", folder.display()
    )]
    SocketFolder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// A PostgreSQL that nobody supervises has this cluster open and does not end.
    #[error(
        "PostgreSQL (process {pid}) still runs on {} and did not end by itself; stop it (`kill -INT {pid}`) \
         and start again", folder.display()
    )]
    OldPostgres {
        /// The cluster's folder.
        folder: PathBuf,
        /// One of its processes.
        pid: i32,
    },

    /// A program of PostgreSQL ended with an error.
    #[error("{} failed: {output}", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// What it wrote, or how it ended.
        output: String,
    },

    /// PostgreSQL ended before it accepted a connection.
    #[error("PostgreSQL did not start on {} ({status}): {output}", folder.display())]
    Ended {
        /// The cluster's folder.
        folder: PathBuf,
        /// How the process ended.
        status: String,
        /// The last lines of its log.
        output: String,
    },

    /// PostgreSQL runs but did not accept connections in time.
    #[error(
        "PostgreSQL on {} did not accept connections within {seconds} s; if it is recovering from a crash, \
         start again later: it goes on where it stopped", folder.display()
    )]
    NotReady {
        /// The cluster's folder.
        folder: PathBuf,
        /// How long was waited.
        seconds: u64,
    },

    /// PostgreSQL had to be ended the hard way. Nothing that was committed is lost.
    #[error(
        "PostgreSQL on {} did not shut down in time and was ended; the next start replays its log",
        folder.display()
    )]
    Forced {
        /// The cluster's folder.
        folder: PathBuf,
    },

    /// The operating system refused something.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file, folder or program.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
}

impl EmbeddedError {
    /// For `map_err`: says what was tried on `path`.
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
