//! The command line of the postmaster.

use std::ffi::OsString;
use std::io;
use std::process::{Child, Stdio};

use nix::sys::signal::Signal;

use super::account::Account;
use super::folders::Folders;
use super::programs::Programs;

/// Server parameters. Arguments take precedence over `postgresql.conf` and `ALTER SYSTEM`.
const PARAMETERS: &[&str] = &[
    "listen_addresses=",
    "unix_socket_permissions=0700",
    // 2xx means that the event is on the disk.
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "max_connections=60",
    "max_wal_size=2GB",
    "checkpoint_timeout=15min",
    "wal_compression=on",
    // Compiled statements need memory that is both writable and executable, which the systemd unit forbids.
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    // Its log goes into ours, which must not contain parts of bodies. An ERROR quotes values and statements
    // contain them, so only LOG, FATAL and PANIC are logged, without details and statements.
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

/// The port of the cluster, which is only a part of the name of the socket.
pub(super) const PORT: u16 = 5432;

/// The cluster, its account and its programs.
#[derive(Clone)]
pub(super) struct Launch {
    pub(super) folders: Folders,
    pub(super) account: Account,
    pub(super) programs: Programs,
    /// [`PORT`], or another one for a second cluster in the same folder.
    pub(super) port: u16,
}

impl Launch {
    /// Starts the postmaster. It shuts down when the calling thread ends.
    pub(super) fn spawn_postmaster(&self) -> io::Result<Child> {
        let mut command = self.account.command(&self.programs.path("postgres"), Signal::SIGINT);
        command.arg("-D").arg(&self.folders.cluster);
        for parameter in PARAMETERS {
            command.arg("-c").arg(parameter);
        }
        command.arg("-c").arg(format!("shared_buffers={}MB", shared_buffers_mb()));
        command.arg("-c").arg(format!("port={}", self.port));
        command.arg("-c").arg(format!("cluster_name={}", self.folders.tag));
        command.arg("-c").arg(socket_parameter(&self.folders));
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
    }
}

/// A quarter of the memory, as the PostgreSQL manual recommends, but at least 128 MB and at most 1 GB.
fn shared_buffers_mb() -> u64 {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes =
        memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let kilobytes = kilobytes.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0);
    (kilobytes / 1024 / 4).clamp(128, 1024)
}

/// The parameter that sets the folder of the socket. Its value is a list; quotes preserve leading and trailing
/// spaces.
fn socket_parameter(folders: &Folders) -> OsString {
    let mut value = OsString::from("unix_socket_directories=\"");
    value.push(folders.socket_dir.as_os_str());
    value.push("\"");
    value
}
