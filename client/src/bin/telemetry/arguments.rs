//! What can be typed, and what scripts call.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Reports runs of the Proxmox VE helper scripts, if this host consented to that.
///
/// Reports are silent, take two to four seconds at most, and always exit with status 0.
#[derive(Debug, Parser)]
#[command(name = "telemetry", version)]
pub(crate) struct Arguments {
    /// Exit with status 1 when a report did not arrive, and say why
    #[arg(long, global = true)]
    pub(crate) strict: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Everything that the client does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Report(Report),
    /// Print what an exit code means and what to do about it
    Explain {
        /// 0 to 255
        #[arg(allow_hyphen_values = true)]
        code: String,
    },
    /// Send what could not be sent before
    Flush,
    /// Print whether this host reports, where to, and what waits to be sent
    Status,
    /// Allow reports of this host
    OptIn,
    /// Forbid reports of this host, and delete what waits to be sent
    OptOut,
    /// Print what a report would send, and send nothing
    Show {
        #[command(subcommand)]
        report: Option<Report>,
    },
    /// Print what the server holds about the runs of this host, if it may be asked
    Runs,
    /// Have the server erase the runs of this host
    Forget {
        /// Ids of runs; all that this host reported, if none is given
        ids: Vec<String>,
    },
}

/// What scripts report. What is not an argument is read from the environment that they set.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Report {
    /// Report that an install begins
    Start {
        /// lxc, vm or turnkey
        #[arg(default_value = "lxc", allow_hyphen_values = true)]
        guest: String,
    },
    /// Report how far an install got
    Progress {
        /// validation or configuring
        #[arg(default_value = "configuring", allow_hyphen_values = true)]
        status: String,
        /// lxc, vm or turnkey
        #[arg(long = "type", allow_hyphen_values = true)]
        guest: Option<String>,
    },
    /// Report how an install ended
    Finish {
        #[command(flatten)]
        end: End,
        /// lxc, vm or turnkey
        #[arg(long = "type", allow_hyphen_values = true)]
        guest: Option<String>,
    },
    /// Report that a tool for the host ran
    Tool {
        /// Name of the tool
        #[arg(allow_hyphen_values = true)]
        name: String,
        #[command(flatten)]
        end: End,
    },
    /// Report that an add-on was installed in a container
    Addon {
        /// Name of the add-on
        #[arg(allow_hyphen_values = true)]
        name: String,
        #[command(flatten)]
        end: End,
    },
}

/// How something ended. Scripts pass on what they have, so nothing is refused here.
#[derive(Clone, Debug, Args)]
pub(crate) struct End {
    /// done, failed or aborted
    #[arg(long, default_value = "done", allow_hyphen_values = true)]
    pub(crate) status: String,
    /// Exit code of the script
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) exit_code: Option<String>,
    /// Log whose end is sent along, scrubbed
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) log: Option<PathBuf>,
    /// Command that failed; scripts tell it in FAILED_COMMAND, which nobody else can see
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) command: Option<String>,
    /// Its line, else FAILED_LINE
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) line: Option<String>,
}
