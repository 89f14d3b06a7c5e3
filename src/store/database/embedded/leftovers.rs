//! What a kill -9 leaves behind. When the server is killed, its PostgreSQL shuts down by
//! itself, and that takes a moment. When PostgreSQL is killed, its backends may go on for as
//! long as a query runs, and a new one refuses to start beside them. Both leave lock files
//! with a process id, which after a restart of the machine may be anybody's.
//!
//! Whoever calls these functions holds the lock on the data folder, so no process that is
//! found here has an owner any more.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::error::EmbeddedError;
use super::folders::{Folders, SOCKET};

/// How long an old PostgreSQL may take to begin to shut down.
const UNTIL_STOPPING: Duration = Duration::from_secs(30);
/// How long it may take in all: the last checkpoint writes up to all shared buffers.
const UNTIL_STOPPED: Duration = Duration::from_secs(120);
/// Backends without a postmaster mostly see it at once. Then they are told, then ended.
const UNTIL_TOLD: Duration = Duration::from_secs(1);
const UNTIL_ENDED: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// PostgreSQL's `postmaster.pid`.
pub(super) struct PidFile {
    pub(super) pid: i32,
    /// `starting`, `ready`, `stopping`; empty before the first.
    status: String,
}

impl PidFile {
    /// `None` if there is no file or no process id in it.
    pub(super) fn read(cluster: &Path) -> Option<Self> {
        let text = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok()?;
        // The eighth line, see `LOCK_FILE_LINE_PM_STATUS` in PostgreSQL's pidfile.h.
        let status = lines.nth(6).unwrap_or_default().trim().to_owned();
        Some(Self { pid, status })
    }

    /// Whether connections are accepted.
    pub(super) fn is_ready(&self) -> bool {
        self.status == "ready"
    }
}

/// Waits until no process of the cluster is left and clears lock files that name a stranger.
/// `give_up` ends the wait early, and then nothing is cleared.
pub(super) fn settle(folders: &Folders, give_up: impl Fn() -> bool) -> Result<(), EmbeddedError> {
    let begun = Instant::now();
    loop {
        let left = processes(folders);
        let Some(&first) = left.first() else { break };
        let pid_file = PidFile::read(&folders.cluster);
        let postmaster = pid_file.filter(|file| left.contains(&file.pid));
        let waited = begun.elapsed();
        match postmaster {
            Some(file) => {
                let limit = if file.status == "stopping" { UNTIL_STOPPED } else { UNTIL_STOPPING };
                if waited > limit {
                    return Err(EmbeddedError::OldPostgres {
                        folder: folders.cluster.clone(),
                        pid: file.pid,
                    });
                }
            }
            None if waited > UNTIL_STOPPING => {
                return Err(EmbeddedError::OldPostgres { folder: folders.cluster.clone(), pid: first });
            }
            None if waited > UNTIL_ENDED => send(&left, Signal::SIGKILL),
            None if waited > UNTIL_TOLD => send(&left, Signal::SIGQUIT),
            None => {}
        }
        if give_up() {
            return Ok(());
        }
        thread::sleep(POLL);
    }
    forget_stranger(&folders.cluster.join("postmaster.pid"))?;
    forget_stranger(&folders.socket_dir.join(format!("{SOCKET}.lock")))
}

/// Ends backends that have outlived their postmaster.
pub(super) fn end_orphans(folders: &Folders) {
    let begun = Instant::now();
    loop {
        let left = processes(folders);
        if left.is_empty() || begun.elapsed() > UNTIL_TOLD * 2 {
            return;
        }
        send(&left, if begun.elapsed() < UNTIL_TOLD { Signal::SIGQUIT } else { Signal::SIGKILL });
        thread::sleep(POLL);
    }
}

/// The processes of the cluster. They are known by the tag in their title (`cluster_name`),
/// which is readable even where root may not look into other users' processes, as in many
/// containers; and by their working directory, for a postmaster that was started by hand.
fn processes(folders: &Folders) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| belongs(pid, folders)).collect()
}

fn belongs(pid: i32, folders: &Folders) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    if !fs::read(process.join("comm")).is_ok_and(|name| name == b"postgres\n") {
        return false;
    }
    let tag = folders.tag.as_bytes();
    let tagged = |title: Vec<u8>| title.windows(tag.len()).any(|part| part == tag);
    // A process that has ended and is not reaped yet has no title and no folder.
    fs::read(process.join("cmdline")).is_ok_and(tagged)
        || fs::read_link(process.join("cwd")).is_ok_and(|folder| folder == folders.cluster)
}

fn send(pids: &[i32], signal: Signal) {
    for &pid in pids {
        // One that has ended meanwhile needs no signal.
        let _ = signal::kill(Pid::from_raw(pid), signal);
    }
}

/// Removes a lock file of PostgreSQL whose process id belongs to a living process; by now that
/// is a stranger, and PostgreSQL would take it for an old server and refuse to start. The file
/// of a dead process stays: PostgreSQL reads more out of it and replaces it itself.
fn forget_stranger(file: &Path) -> Result<(), EmbeddedError> {
    let Ok(text) = fs::read_to_string(file) else {
        return Ok(());
    };
    let pid = text.lines().next().and_then(|line| line.trim().parse::<i32>().ok());
    if pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
        return Ok(());
    }
    tracing::info!("{} is left from a crash: removed", file.display());
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(EmbeddedError::io("remove", file)(error))
        }
        _ => Ok(()),
    }
}
