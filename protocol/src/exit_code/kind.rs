//! The two closed sets by which exit codes are sorted.

use serde::{Deserialize, Serialize};

/// The kind of cause behind an exit code: the words that the clients of 2026 send themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Settings or variables that cannot work.
    Config,
    /// A database refused or could not be reached.
    Database,
    /// Packages or programs missing or broken.
    Dependency,
    /// A server on the network could not be reached or refused.
    Network,
    /// Not allowed to read, write or execute.
    Permission,
    /// Proxmox VE refused or failed.
    Proxmox,
    /// Memory exhausted.
    Resource,
    /// A language runtime failed.
    Runtime,
    /// A service did not start, or a build failed.
    Service,
    /// Something went wrong in the shell, no more is known.
    Shell,
    /// Killed by a signal that no person sent.
    Signal,
    /// Storage missing, full or unsuitable.
    Storage,
    /// Something took too long.
    Timeout,
    /// Nothing is known about the cause.
    Unknown,
    /// The person or a shutdown ended the run.
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

    /// The word that is stored and published.
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

    /// The category of exactly this word, `None` for any other word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.as_str() == word)
    }
}

/// Who is to blame for a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The script, or something that went wrong while it ran.
    Script,
    /// The host: the script looked at it first and refused to begin.
    Environment,
}

impl Fault {
    /// The word that is stored and published.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Environment => "environment",
        }
    }

    /// The fault of exactly this word, `None` for any other word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Script, Self::Environment].into_iter().find(|fault| fault.as_str() == word)
    }
}
