//! The categories of exit codes, and which side is at fault.

use serde::{Deserialize, Serialize};

/// The category of an exit code, with the same words as the clients of 2026.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Invalid settings or variables.
    Config,
    /// A database was unreachable or returned an error.
    Database,
    /// Packages or programs are missing or broken.
    Dependency,
    /// A server on the network was unreachable or returned an error.
    Network,
    /// Permission to read, write or execute was denied.
    Permission,
    /// Proxmox VE returned an error.
    Proxmox,
    /// Memory was exhausted.
    Resource,
    /// A language runtime failed.
    Runtime,
    /// A service did not start, or a build failed.
    Service,
    /// A shell command failed, without further details.
    Shell,
    /// A signal killed the process, but no user sent it.
    Signal,
    /// Storage is missing, full or unsuitable.
    Storage,
    /// An operation timed out.
    Timeout,
    /// The cause is unknown.
    Unknown,
    /// The user or a shutdown stopped the run.
    UserAborted,
}

impl Category {
    /// Every category, in alphabetical order.
    pub const ALL: [Self; 15] = [
        Self::Config,
        Self::Database,
        Self::Dependency,
        Self::Network,
        Self::Permission,
        Self::Proxmox,
        Self::Resource,
        Self::Runtime,
        Self::Service,
        Self::Shell,
        Self::Signal,
        Self::Storage,
        Self::Timeout,
        Self::Unknown,
        Self::UserAborted,
    ];

    /// The word in the database and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Database => "database",
            Self::Dependency => "dependency",
            Self::Network => "network",
            Self::Permission => "permission",
            Self::Proxmox => "proxmox",
            Self::Resource => "resource",
            Self::Runtime => "runtime",
            Self::Service => "service",
            Self::Shell => "shell",
            Self::Signal => "signal",
            Self::Storage => "storage",
            Self::Timeout => "timeout",
            Self::Unknown => "unknown",
            Self::UserAborted => "user_aborted",
        }
    }

    /// Parses exactly the word of a category; `None` for any other word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.as_str() == word)
    }
}

/// The side that is at fault for a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The script, or any error while it ran.
    Script,
    /// The host: the script checked it and refused to start.
    Environment,
}

impl Fault {
    /// The word in the database and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Environment => "environment",
        }
    }

    /// Parses exactly the word of a fault; `None` for any other word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Script, Self::Environment].into_iter().find(|fault| fault.as_str() == word)
    }
}
