//! The errors of the embedded cluster. They may be the first output that a new user sees, so each message names
//! the folder, program or variable and suggests a remedy.

use std::io;
use std::path::{Path, PathBuf};

use crate::store::database::archive::ArchiveError;

/// Why the embedded cluster could not be started, reached or stopped.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
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

    /// The operator has to change something first: a program, an account or a folder. The text says what.
    #[error("{0}")]
    Setup(String),

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

    /// An older cluster could not be copied into a new one.
    #[error("cannot copy the database: {0}")]
    Copy(#[from] ArchiveError),

    /// A query of an upgrade failed.
    #[error("cannot compare the upgraded database: {0}")]
    Compare(#[from] sqlx::Error),

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

fn process(holder: &Option<i32>) -> String {
    holder.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}
