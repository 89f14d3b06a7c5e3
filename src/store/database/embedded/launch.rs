//! What a program needs to work on the cluster, and how the postmaster is called.

use std::ffi::OsString;
use std::io;
use std::process::{Child, Stdio};

use nix::sys::signal::Signal;

use super::account::Account;
use super::folders::Folders;
use super::programs::Programs;

/// What PostgreSQL is started with, on top of its defaults. Arguments win over
/// `postgresql.conf` and `ALTER SYSTEM`.
const PARAMETERS: &[&str] = &[
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    // What is answered 2xx is on the disk.
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "max_connections=60",
    "max_wal_size=2GB",
    "checkpoint_timeout=15min",
    "wal_compression=on",
    "timezone=UTC",
    "log_timezone=UTC",
    // Its log goes into ours, and ours holds nothing of a body: an ERROR quotes the value that
    // it complains about and a statement holds values, so only LOG, FATAL and PANIC are asked
    // for, without detail and statement.
    "log_destination=stderr",
    "logging_collector=off",
    "lc_messages=C",
    "log_line_prefix=",
    "log_min_messages=log",
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
    "log_statement=none",
    "log_min_duration_statement=-1",
    "log_parameter_max_length=0",
    "log_parameter_max_length_on_error=0",
];

/// The cluster, and what runs it.
pub(super) struct Launch {
    pub(super) folders: Folders,
    pub(super) account: Account,
    pub(super) programs: Programs,
}

impl Launch {
    /// Starts the postmaster. It is told to shut down when the calling thread ends.
    pub(super) fn spawn_postmaster(&self) -> io::Result<Child> {
        let mut command = self.account.command(&self.programs.path("postgres"), Signal::SIGINT);
        command.arg("-D").arg(&self.folders.cluster);
        for parameter in PARAMETERS {
            command.arg("-c").arg(parameter);
        }
        command.arg("-c").arg(format!("shared_buffers={}MB", shared_buffers_mb()));
        command.arg("-c").arg(format!("cluster_name={}", self.folders.tag));
        command.arg("-c").arg(socket_parameter(&self.folders));
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
    }
}

/// A quarter of the memory, as PostgreSQL's manual advises, from 128 MB to 1 GB.
fn shared_buffers_mb() -> u64 {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes =
        memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let kilobytes = kilobytes.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0);
    (kilobytes / 1024 / 4).clamp(128, 1024)
}

/// The parameter is a list; quoted, the folder may have spaces at its ends.
fn socket_parameter(folders: &Folders) -> OsString {
    let mut value = OsString::from("unix_socket_directories=\"");
    value.push(folders.socket_dir.as_os_str());
    value.push("\"");
    value
}
