//! Cleans up after a kill -9. If the server is killed, PostgreSQL shuts down by itself, which takes a moment. If
//! the postmaster is killed, its backends may run until their queries end, and a new postmaster refuses to
//! start beside them. Both leave lock files with a process id, which may belong to an unrelated process after a
//! reboot.
//!
//! The caller holds the lock on the data folder, so no other server owns the processes found here.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::embedded_error::EmbeddedError;
use super::folders::{Folders, SOCKET};

/// Longest time until an old PostgreSQL has shut down: its last checkpoint may write all shared buffers.
const UNTIL_STOPPED: Duration = Duration::from_secs(120);
/// Backends usually exit as soon as their postmaster is gone. After the first time limit they receive SIGQUIT,
/// after the second SIGKILL, and after the third the start fails.
const UNTIL_QUIT: Duration = Duration::from_secs(1);
const UNTIL_KILLED: Duration = Duration::from_secs(5);
const UNTIL_FAILED: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// PostgreSQL's `postmaster.pid`.
pub(super) struct PidFile {
    pub(super) pid: i32,
    /// `starting`, `ready` or `stopping`; empty at first.
    status: String,
}

impl PidFile {
    /// Reads the file; `None` if it does not exist or contains no process id.
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

/// Waits until all processes of the cluster have ended, and removes lock files that name an unrelated process.
/// Backends that have outlived their postmaster are ended.
/// If `give_up` returns true, the wait ends early and nothing is removed.
pub(super) fn settle(folders: &Folders, give_up: impl Fn() -> bool) -> Result<(), EmbeddedError> {
    let begun = Instant::now();
    loop {
        let left = processes(folders);
        let Some(&first) = left.first() else { break };
        let postmaster = PidFile::read(&folders.cluster).filter(|file| left.contains(&file.pid));
        let waited = begun.elapsed();
        if waited > if postmaster.is_some() { UNTIL_STOPPED } else { UNTIL_FAILED } {
            let pid = postmaster.map_or(first, |file| file.pid);
            return Err(EmbeddedError::Setup(format!(
                "an earlier PostgreSQL (process {pid}) is still running on {}; stop it (`kill -INT {pid}`) and start \
                 again",
                folders.cluster.display()
            )));
        }
        if postmaster.is_none() && waited > UNTIL_QUIT {
            send(&left, if waited > UNTIL_KILLED { Signal::SIGKILL } else { Signal::SIGQUIT });
        }
        if give_up() {
            return Ok(());
        }
        thread::sleep(POLL);
    }
    remove_stale_lock(&folders.cluster.join("postmaster.pid"))?;
    remove_stale_lock(&folders.socket_dir.join(format!("{SOCKET}.lock")))
}

/// Finds the processes of the cluster by the tag in their title (`cluster_name`), which is readable even where
/// root cannot inspect the processes of other users, as in many containers. A postmaster that was started
/// manually is found by its working directory.
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
    // A zombie has neither a title nor a working directory.
    fs::read(process.join("cmdline")).is_ok_and(tagged)
        || fs::read_link(process.join("cwd")).is_ok_and(|folder| folder == folders.cluster)
}

fn send(pids: &[i32], signal: Signal) {
    for &pid in pids {
        // The process may have ended in the meantime.
        let _ = signal::kill(Pid::from_raw(pid), signal);
    }
}

/// Removes a lock file of PostgreSQL whose process id belongs to a running process. By now that process is
/// unrelated, but PostgreSQL would take it for another server and refuse to start. A file with the id of a dead
/// process stays: PostgreSQL reads it and replaces it itself.
fn remove_stale_lock(file: &Path) -> Result<(), EmbeddedError> {
    let Ok(text) = fs::read_to_string(file) else {
        return Ok(());
    };
    let pid = text.lines().next().and_then(|line| line.trim().parse::<i32>().ok());
    if pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
        return Ok(());
    }
    tracing::info!("removing {}, which a crash has left", file.display());
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(EmbeddedError::io("remove", file)(error))
        }
        _ => Ok(()),
    }
}
