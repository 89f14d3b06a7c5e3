//! The kinds of reasons, and the side that has to act.

use crate::Generation;
use crate::exit_code::{self, Category as Code};

/// Defines an enum whose variants are words of the API.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every value, in the order of the definition.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word in the database and the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Parses exactly a word; `None` for any other text.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }
    };
}

words! {
    /// What kind of failure a reason is.
    Category {
        /// A server could not be reached, or closed the connection.
        Network = "network",
        /// A host name could not be resolved.
        Dns = "dns",
        /// A TLS handshake or the check of a certificate failed.
        Tls = "tls",
        /// GitHub refused a request because of too many.
        GithubRateLimit = "github_rate_limit",
        /// The signature of a package repository is missing, unknown or expired.
        RepositoryUnsigned = "repository_unsigned",
        /// A repository does not have a package.
        PackageNotFound = "package_not_found",
        /// Packages exclude each other.
        PackageConflict = "package_conflict",
        /// A package is damaged, or its installation fails.
        PackageBroken = "package_broken",
        /// Another process holds a lock.
        Lock = "lock",
        /// A dependency has an unsuitable version.
        DependencyVersion = "dependency_version",
        /// A compiler or a build tool failed.
        BuildCompile = "build_compile",
        /// Memory was exhausted.
        OutOfMemory = "out_of_memory",
        /// A file system is full.
        DiskFull = "disk_full",
        /// Permission was denied.
        Permission = "permission",
        /// A program is not installed.
        MissingCommand = "missing_command",
        /// The script itself is wrong.
        ScriptBug = "script_bug",
        /// A setting or a configuration file is wrong.
        Config = "config",
        /// A service did not start.
        ServiceStart = "service_start",
        /// A database returned an error.
        Database = "database",
        /// Docker or Podman returned an error.
        ContainerRuntime = "container_runtime",
        /// Proxmox VE could not create or start a container or VM.
        ProxmoxContainer = "proxmox_container",
        /// A storage of Proxmox VE returned an error.
        ProxmoxStorage = "proxmox_storage",
        /// A file to download does not exist.
        DownloadMissing = "download_missing",
        /// A file does not have the expected content.
        Checksum = "checksum",
        /// Credentials are missing or wrong.
        Auth = "auth",
        /// An operation took too long.
        Timeout = "timeout",
        /// The host does not meet the requirements.
        UnsupportedEnvironment = "unsupported_environment",
        /// A person stopped the run.
        UserAbort = "user_abort",
        /// The log does not say.
        #[default]
        Unknown = "unknown",
    }
}

words! {
    /// The side that has to act.
    Blame {
        /// The script has to be changed.
        Script = "script",
        /// The application's sources, a repository or a public service is at fault.
        Upstream = "upstream",
        /// The disk, memory, network or configuration of the host.
        Host = "host",
        /// A decision or an input of the person who ran the script.
        User = "user",
        /// The log does not say.
        #[default]
        Unknown = "unknown",
    }
}

impl Blame {
    /// The side in a few words, for people on hosts.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Script => "the script, which has to be changed",
            Self::Upstream => "the application's sources, a repository or a public service",
            Self::Host => "this host: its disk, memory, network or configuration",
            Self::User => "an input or a decision of the user",
            Self::Unknown => "not known",
        }
    }
}

impl Category {
    /// Whether a failure of this kind makes whatever follows fail as well, so that the first one counts.
    pub(super) const fn is_of_the_surroundings(self) -> bool {
        matches!(self, Self::Dns | Self::DiskFull | Self::OutOfMemory)
    }

    /// The word for a failure of this kind among the categories of exit codes; `None` if the log does not say.
    #[must_use]
    pub const fn of_exit_codes(self) -> Option<Code> {
        Some(match self {
            Self::Network | Self::Dns | Self::Tls | Self::GithubRateLimit | Self::DownloadMissing => {
                Code::Network
            }
            Self::RepositoryUnsigned
            | Self::PackageNotFound
            | Self::PackageConflict
            | Self::PackageBroken
            | Self::Lock
            | Self::DependencyVersion
            | Self::MissingCommand
            | Self::Checksum => Code::Dependency,
            Self::BuildCompile | Self::ServiceStart | Self::ContainerRuntime => Code::Service,
            Self::OutOfMemory => Code::Resource,
            Self::DiskFull | Self::ProxmoxStorage => Code::Storage,
            Self::Permission | Self::Auth => Code::Permission,
            Self::ScriptBug => Code::Shell,
            Self::Config | Self::UnsupportedEnvironment => Code::Config,
            Self::Database => Code::Database,
            Self::ProxmoxContainer => Code::Proxmox,
            Self::Timeout => Code::Timeout,
            Self::UserAbort => Code::UserAborted,
            Self::Unknown => return None,
        })
    }

    /// The category that an exit code alone suggests.
    pub(super) fn of_exit_code(generation: Generation, code: i32) -> Self {
        match code {
            124 => return Self::Timeout,
            126 => return Self::Permission,
            127 => return Self::MissingCommand,
            137 => return Self::OutOfMemory,
            _ => {}
        }
        match exit_code::explain(generation, code).category {
            Code::Config => Self::Config,
            Code::Database => Self::Database,
            Code::Dependency => Self::PackageBroken,
            Code::Network => Self::Network,
            Code::Permission => Self::Permission,
            Code::Proxmox => Self::ProxmoxContainer,
            Code::Resource => Self::OutOfMemory,
            Code::Service => Self::ServiceStart,
            Code::Storage => Self::ProxmoxStorage,
            Code::Timeout => Self::Timeout,
            Code::UserAborted => Self::UserAbort,
            Code::Runtime | Code::Shell | Code::Signal | Code::Unknown => Self::Unknown,
        }
    }
}
