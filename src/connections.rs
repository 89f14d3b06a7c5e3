//! Open connections: their maximum number, and a deadline for each.
//!
//! actix-web has no time limit for a client that does not read its response, nor for the second request head of a
//! connection, and it leaves excess connections without an answer. So every connection has a deadline here, except
//! while a request is being handled. One task closes overdue connections; a connection without a request gets an
//! error response first.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{MsgFlags, Shutdown, send, shutdown};

use crate::metrics::Metrics;

/// Connections beyond the maximum that still get a 503 to their first request. Any further connection gets it at once
/// and is closed.
const REFUSED_ROOM: usize = 512;
/// Time that a connection beyond the maximum has for its request.
const REFUSED_TIMEOUT: Duration = Duration::from_secs(2);
/// Open files besides connections of clients: the database, the log, the listener.
const OTHER_FILES: usize = 256;
/// Interval between two checks for overdue connections.
const CHECK_EVERY: Duration = Duration::from_millis(250);
/// Slowest rate in bytes per second at which a client may read a response.
const SLOWEST_READER: u64 = 16 << 10;
/// No deadline: a request is being handled.
const NEVER: u64 = u64::MAX;

/// Complete responses for connections without a request.
#[derive(Clone, Debug)]
pub struct Rejections {
    /// There are too many connections.
    pub too_many: Vec<u8>,
    /// The head of a request took too long.
    pub too_slow: Vec<u8>,
}

/// How long the server waits for a client.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the head of a request, and again for its body.
    pub request_part: Duration,
    /// From a response to the next request.
    pub keep_alive: Duration,
}

/// All open connections of a server.
#[derive(Debug)]
pub struct Connections {
    open: Mutex<HashMap<RawFd, Arc<Slot>>>,
    max: usize,
    timeouts: Timeouts,
    rejections: Rejections,
    started: Instant,
    metrics: Arc<Metrics>,
}

/// The state of a connection that the closing task sees.
#[derive(Debug)]
struct Slot {
    /// In milliseconds since the server started.
    deadline: AtomicU64,
    has_request: AtomicBool,
    is_refused: bool,
}

/// One open connection. It is dropped before its socket is closed, so that its file descriptor is never that of
/// another connection in the list.
#[derive(Debug)]
pub struct Connection {
    all: Arc<Connections>,
    file: RawFd,
    slot: Arc<Slot>,
}

impl Connections {
    /// An empty list. At most `max` connections will be served at a time.
    #[must_use]
    pub fn new(max: usize, timeouts: Timeouts, rejections: Rejections, metrics: &Arc<Metrics>) -> Arc<Self> {
        let metrics = Arc::clone(metrics);
        let (open, started) = (Mutex::default(), Instant::now());
        Arc::new(Self { open, max, timeouts, rejections, started, metrics })
    }

    /// Registers a new connection. Beyond the maximum it is marked as refused.
    pub fn register(self: &Arc<Self>, stream: &impl AsFd) -> Connection {
        let file = stream.as_fd().as_raw_fd();
        let mut open = self.open();
        let others = open.len();
        let is_refused = others >= self.max;
        let timeout = if is_refused { REFUSED_TIMEOUT } else { self.timeouts.request_part };
        let deadline = AtomicU64::new(self.after(timeout));
        let slot = Arc::new(Slot { deadline, has_request: AtomicBool::new(false), is_refused });
        open.insert(file, Arc::clone(&slot));
        drop(open);
        self.metrics.connections.inc();
        if is_refused {
            self.metrics.connections_refused.inc();
        }
        if others >= self.max + REFUSED_ROOM {
            slot.deadline.store(NEVER, Ordering::Relaxed);
            send_response(file, &self.rejections.too_many);
            let _ = shutdown(file, Shutdown::Both);
        }
        Connection { all: Arc::clone(self), file, slot }
    }

    /// Largest number of connections that are served at a time.
    #[must_use]
    pub const fn max(&self) -> usize {
        self.max
    }

    /// Number of open connections.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open().len()
    }

    /// Closes overdue connections periodically; never returns.
    pub async fn close_overdue(self: Arc<Self>) {
        let mut every = tokio::time::interval(CHECK_EVERY);
        loop {
            every.tick().await;
            let now = self.after(Duration::ZERO);
            for (file, slot) in self.open().iter() {
                if slot.deadline.load(Ordering::Relaxed) <= now {
                    slot.deadline.store(NEVER, Ordering::Relaxed);
                    self.metrics.connections_cut.inc();
                    if !slot.has_request.load(Ordering::Relaxed) {
                        let Rejections { too_many, too_slow } = &self.rejections;
                        send_response(*file, if slot.is_refused { too_many } else { too_slow });
                    }
                    // The worker sees the end of the stream and closes the socket. On an error it is closed already.
                    let _ = shutdown(*file, Shutdown::Both);
                }
            }
        }
    }

    fn after(&self, wait: Duration) -> u64 {
        u64::try_from((self.started.elapsed() + wait).as_millis()).unwrap_or(NEVER)
    }

    /// The list is consistent between any two statements, so a poisoned lock can be ignored.
    fn open(&self) -> MutexGuard<'_, HashMap<RawFd, Arc<Slot>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a response without waiting. If that fails, the client sees the end of the connection only.
fn send_response(file: RawFd, response: &[u8]) {
    let _ = send(file, response, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL);
}

impl Connection {
    /// Whether the maximum was exceeded: every request gets a 503.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.slot.is_refused
    }

    /// Suspends the deadline while a request is handled.
    pub fn request_started(&self) {
        self.slot.has_request.store(true, Ordering::Relaxed);
        self.slot.deadline.store(NEVER, Ordering::Relaxed);
    }

    /// Sets the deadline for reading a response, or a part of it, of this length and sending the next request.
    pub fn response_started(&self, bytes: u64) {
        self.reader().expect(bytes);
    }

    /// For a response whose parts are produced while the client reads it.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader { all: Arc::clone(&self.all), slot: Arc::clone(&self.slot) }
    }
}

/// The client that reads a response in parts.
#[derive(Clone, Debug)]
pub struct Reader {
    all: Arc<Connections>,
    slot: Arc<Slot>,
}

impl Reader {
    /// Sets the deadline for reading a part of this length.
    pub fn expect(&self, bytes: u64) {
        let Timeouts { request_part, keep_alive } = self.all.timeouts;
        let reading = Duration::from_secs(bytes.div_ceil(SLOWEST_READER));
        self.slot.deadline.store(self.all.after(reading + keep_alive + request_part), Ordering::Relaxed);
    }

    /// Suspends the deadline while the next part is produced.
    pub fn pause(&self) {
        self.slot.deadline.store(NEVER, Ordering::Relaxed);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut open = self.all.open();
        if open.get(&self.file).is_some_and(|slot| Arc::ptr_eq(slot, &self.slot)) {
            open.remove(&self.file);
        }
        drop(open);
        self.all.metrics.connections.dec();
    }
}

/// The number of connections that the limit on open files allows, at most `wanted`. Raises the limit of this process
/// as far as necessary.
#[must_use]
pub fn affordable(wanted: usize) -> usize {
    let needed = (wanted + REFUSED_ROOM + OTHER_FILES) as u64;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    let raised = needed.min(hard).max(soft);
    let files = match setrlimit(Resource::RLIMIT_NOFILE, raised, hard) {
        Ok(()) => raised,
        Err(_) => soft,
    };
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    let affordable = wanted.min(files.saturating_sub(REFUSED_ROOM + OTHER_FILES).max(1));
    if affordable < wanted {
        tracing::warn!(wanted, affordable, "the system allows fewer open files than MAX_CONNECTIONS needs");
    }
    affordable
}
