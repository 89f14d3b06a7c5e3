//! Runs `postgres` as a child process, restarts it after a crash, and shuts it down.
//!
//! It is a direct child, which pg_ctl would detach, so that the kernel can signal it to shut down when this
//! process dies, even by a kill -9. The kernel sends that signal when the *thread* that forked ends, so a single
//! thread starts every postmaster and lives until the last one has ended.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::process::ChildStderr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::sys::wait::{self, Id, WaitPidFlag};
use nix::unistd::Pid;

use super::embedded_error::EmbeddedError;
use super::launch::Launch;
use super::leftovers::{self, PidFile};

/// Longest time for a start; crash recovery reads up to `max_wal_size` of log.
const READY_LIMIT: Duration = Duration::from_secs(600);
/// Interval at which a slow start is logged.
const READY_NOTE: Duration = Duration::from_secs(60);
const READY_POLL: Duration = Duration::from_millis(20);
/// Longest time for a fast shutdown, which ends all connections and writes a checkpoint. The server as a whole
/// should stop within 10 s.
const FAST_LIMIT: Duration = Duration::from_secs(5);
/// Longest time for an immediate shutdown.
const IMMEDIATE_LIMIT: Duration = Duration::from_secs(1);
/// Pause before a restart.
const RESTART_PAUSE: Duration = Duration::from_millis(500);
/// Lines of the log in an error message.
const KEPT_LINES: usize = 6;
/// Bytes of a line of the log; the rest becomes the next line.
const LINE_LIMIT: u64 = 4096;

/// The thread that keeps one cluster running.
pub(super) struct Supervisor {
    launch: Arc<Launch>,
    shared: Arc<Shared>,
    /// `None` once it has been joined.
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The postmaster. It is not reaped while this is set, so its id cannot belong to another process.
    pid: Option<Pid>,
    /// Whether PostgreSQL is restarted when it ends: set once it has been ready.
    restart: bool,
    stopping: bool,
    /// The thread is done; no postmaster runs or will be started.
    finished: bool,
    /// The exit status of the last postmaster, or why it could not be started.
    status: String,
    log: VecDeque<String>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `done` holds, but no longer than `limit`.
    fn wait(&self, limit: Duration, done: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let waited = self.changed.wait_timeout_while(self.lock(), limit, |state| !done(state));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Supervisor {
    /// Starts PostgreSQL and returns when it accepts connections.
    pub(super) fn start(launch: Arc<Launch>) -> Result<Self, EmbeddedError> {
        let shared = Arc::new(Shared::default());
        let cluster = &launch.folders.cluster;
        let thread = {
            let (launch, shared) = (Arc::clone(&launch), Arc::clone(&shared));
            thread::Builder::new().name("pg-supervisor".to_owned()).spawn(move || supervise(&launch, &shared))
        };
        let thread = Some(thread.map_err(EmbeddedError::io("start a thread for", cluster))?);
        let supervisor = Self { launch, shared, thread };
        supervisor.wait_until_ready()?;
        Ok(supervisor)
    }

    /// The process id of the postmaster; `None` while none runs.
    pub(super) fn pid(&self) -> Option<i32> {
        self.shared.lock().pid.map(Pid::as_raw)
    }

    /// Shuts PostgreSQL down with increasingly forceful signals, and returns when all its processes have ended.
    pub(super) fn stop(&mut self) -> Result<(), EmbeddedError> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        self.shared.lock().stopping = true;
        self.shared.changed.notify_all();
        let steps = [
            (Signal::SIGINT, FAST_LIMIT),
            (Signal::SIGQUIT, IMMEDIATE_LIMIT),
            (Signal::SIGKILL, IMMEDIATE_LIMIT),
        ];
        let mut forced = false;
        for (step, (signal, limit)) in steps.into_iter().enumerate() {
            if let Some(pid) = self.shared.lock().pid {
                forced = step > 0;
                // Cannot fail: the process is not reaped while its id is set.
                let _ = signal::kill(pid, signal);
            }
            if self.shared.wait(limit, |state| state.finished).finished {
                break;
            }
        }
        // A panic of the thread has been reported already.
        let _ = thread.join();
        let settled = leftovers::settle(&self.launch.folders, || false);
        self.launch.folders.tidy_socket_dir();
        if forced {
            return Err(EmbeddedError::Forced { folder: self.launch.folders.cluster.clone() });
        }
        settled
    }

    fn wait_until_ready(&self) -> Result<(), EmbeddedError> {
        let cluster = &self.launch.folders.cluster;
        let begun = Instant::now();
        let mut note = READY_NOTE;
        loop {
            let mut state = self.shared.wait(READY_POLL, |state| state.finished);
            if state.finished {
                let output = Vec::from(state.log.clone()).join("; ");
                return Err(EmbeddedError::Ended {
                    folder: cluster.clone(),
                    status: state.status.clone(),
                    output,
                });
            }
            let file = PidFile::read(cluster).filter(|file| state.pid == Some(Pid::from_raw(file.pid)));
            if file.is_some_and(|file| file.is_ready()) {
                state.restart = true;
                return Ok(());
            }
            drop(state);
            if begun.elapsed() > READY_LIMIT {
                let seconds = READY_LIMIT.as_secs();
                return Err(EmbeddedError::NotReady { folder: cluster.clone(), seconds });
            }
            if begun.elapsed() > note {
                tracing::info!("PostgreSQL is still starting after {} s", note.as_secs());
                note += READY_NOTE;
            }
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!("{error}");
        }
    }
}

fn supervise(launch: &Launch, shared: &Arc<Shared>) {
    while run_once(launch, shared) {
        tracing::error!("PostgreSQL ended unexpectedly ({}); restarting it", shared.lock().status);
        if shared.wait(RESTART_PAUSE, |state| state.stopping).stopping {
            break;
        }
        if let Err(error) = leftovers::settle(&launch.folders, || shared.lock().stopping) {
            tracing::error!("{error}");
        }
    }
    shared.lock().finished = true;
    shared.changed.notify_all();
}

/// Runs one postmaster until it ends. Returns whether to restart it.
fn run_once(launch: &Launch, shared: &Arc<Shared>) -> bool {
    let mut state = shared.lock();
    if state.stopping {
        return false;
    }
    // Under the lock, so that a stop either prevents the start or knows the process.
    let mut child = match launch.spawn_postmaster() {
        Ok(child) => child,
        Err(error) => {
            state.status = error.to_string();
            return state.restart;
        }
    };
    let pid = Pid::from_raw(child.id().cast_signed());
    state.pid = Some(pid);
    state.log.clear();
    drop(state);
    let log = child.stderr.take().map(|stderr| {
        let shared = Arc::clone(shared);
        thread::Builder::new().name("pg-log".to_owned()).spawn(move || forward_log(stderr, &shared))
    });
    // Waits without reaping, so that the id is not reused yet.
    while wait::waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(nix::Error::EINTR) {}
    let mut state = shared.lock();
    state.pid = None;
    state.status = child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
    let (restart, stopping) = (state.restart, state.stopping);
    drop(state);
    if let (false, false, Some(Ok(log))) = (restart, stopping, log) {
        // The error message needs the complete log. The pipe closes now: a postmaster that fails to start has
        // no backends that could keep it open.
        let _ = log.join();
    }
    restart && !stopping
}

/// Forwards PostgreSQL's log line by line and keeps the last lines for an error message.
fn forward_log(stderr: ChildStderr, shared: &Shared) {
    let mut reader = BufReader::new(stderr);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match reader.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let line = String::from_utf8_lossy(bytes.trim_ascii()).into_owned();
        let mut state = shared.lock();
        // A shutdown logs a FATAL line for every open connection.
        if !state.stopping && (line.starts_with("FATAL:") || line.starts_with("PANIC:")) {
            tracing::warn!(target: "postgres", "{line}");
        } else {
            tracing::debug!(target: "postgres", "{line}");
        }
        if state.log.len() == KEPT_LINES {
            state.log.pop_front();
        }
        state.log.push_back(line);
    }
}
