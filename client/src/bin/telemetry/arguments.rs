//! Command-line arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Report runs of the Proxmox VE helper scripts, if this host has consented
///
/// Reports print nothing, take at most two seconds (four at the end of an install), and always
/// exit with status 0.
#[derive(Debug, Parser)]
#[command(name = "telemetry", version)]
pub(crate) struct Arguments {
    /// Exit with status 1 and print the reason if a report was not delivered
    #[arg(long, global = true)]
    pub(crate) strict: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// All subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Report(Report),
    /// Explain an exit code or a failing log: the reason, whose fault it is, and what to do
    Explain {
        /// Exit code, 0 to 255
        #[arg(allow_hyphen_values = true, required_unless_present = "log")]
        code: Option<String>,
        /// Log file of the failed run; - for the standard input
        #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
        log: Option<PathBuf>,
    },
    /// Send the events that could not be sent before
    Flush,
    /// Print consent, server address and number of unsent events
    Status,
    /// Allow this host to send reports
    OptIn,
    /// Stop this host from sending reports, and delete unsent events
    OptOut,
    /// Print the event that a report would send, without sending it
    Show {
        #[command(subcommand)]
        report: Option<Report>,
    },
    /// Print the data that the server stores about the runs of this host (requires consent)
    Runs,
    /// Erase the runs of this host from the server
    Forget {
        /// Run ids; defaults to all runs that this host reported
        ids: Vec<String>,
    },
}

/// Reports sent by scripts. Everything that is not an argument comes from the script's environment.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Report {
    /// Report the start of an install
    Start {
        /// Type of guest: lxc, vm or turnkey
        #[arg(default_value = "lxc", allow_hyphen_values = true)]
        guest: String,
    },
    /// Report the progress of an install
    Progress {
        /// validation or configuring
        #[arg(default_value = "configuring", allow_hyphen_values = true)]
        status: String,
        /// Type of guest: lxc, vm or turnkey
        #[arg(long = "type", allow_hyphen_values = true)]
        guest: Option<String>,
    },
    /// Report the end of an install
    Finish {
        #[command(flatten)]
        end: End,
        /// Type of guest: lxc, vm or turnkey
        #[arg(long = "type", allow_hyphen_values = true)]
        guest: Option<String>,
    },
    /// Report a finished run of a host tool
    Tool {
        /// Name of the tool
        #[arg(allow_hyphen_values = true)]
        name: String,
        #[command(flatten)]
        end: End,
    },
    /// Report the installation of an add-on in a container
    Addon {
        /// Name of the add-on
        #[arg(allow_hyphen_values = true)]
        name: String,
        #[command(flatten)]
        end: End,
    },
}

/// How a run ended. Values are not validated here, because scripts pass on whatever they have.
#[derive(Clone, Debug, Args)]
pub(crate) struct End {
    /// done, failed or aborted
    #[arg(long, default_value = "done", allow_hyphen_values = true)]
    pub(crate) status: String,
    /// Exit code of the script
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) exit_code: Option<String>,
    /// Log file whose last lines are scrubbed and included
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) log: Option<PathBuf>,
    /// Command that failed; defaults to FAILED_COMMAND, which other users cannot see
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) command: Option<String>,
    /// Line number of the failed command; defaults to FAILED_LINE
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) line: Option<String>,
}
