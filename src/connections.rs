//! The open connections: how many there may be, and how long each may keep us waiting.
//!
//! actix times the head of the first request of a connection, with an answer that says nothing, and
//! idleness after an answer. A client that sends one byte a minute of a second request, or of a body
//! that nobody reads, or that does not read its answer, is timed by nobody. So every connection has a
//! deadline here, which a request that is being served does not have, and one task shuts down what is
//! overdue. Who has not asked anything by then is told why.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{MsgFlags, Shutdown, send, shutdown};

use crate::metrics::Metrics;

/// Connections past the most that still get a proper answer to their first request. Past these
/// the answer is sent unasked, and the connection closed at once.
const REFUSED_ROOM: usize = 512;
/// How long such a connection may take to ask.
const REFUSED_PATIENCE: Duration = Duration::from_secs(2);
/// Files that are not connections of clients: the database, the log, the listener.
const OTHER_FILES: usize = 256;
/// How often overdue connections are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A client that reads slower than so many bytes a second is cut.
const SLOWEST_READER: u64 = 16 << 10;
/// The longest time for an answer whose length is not known before.
const LONGEST_STREAM: Duration = Duration::from_secs(600);
/// No deadline: a request is being served.
const NEVER: u64 = u64::MAX;

/// Whole answers to those who have not asked.
#[derive(Clone, Debug)]
pub struct Unasked {
    /// There are too many connections.
    pub too_many: Vec<u8>,
    /// The head of a request took too long.
    pub too_slow: Vec<u8>,
}

/// How long a client may keep us waiting.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the head of a request, and again for its body.
    pub part: Duration,
    /// From an answer to the next request.
    pub keep_alive: Duration,
}

/// All open connections of a server.
#[derive(Debug)]
pub struct Connections {
    open: Mutex<HashMap<RawFd, Arc<Slot>, foldhash::fast::RandomState>>,
    most: usize,
    patience: Patience,
    unasked: Unasked,
    begun: Instant,
    metrics: Arc<Metrics>,
}

/// What the watching task sees of a connection.
#[derive(Debug)]
struct Slot {
    /// Milliseconds since the server began.
    deadline: AtomicU64,
    /// Nothing was asked yet, and this is what to say when it is too late.
    has_asked: AtomicBool,
    is_refused: bool,
}

/// One open connection. It is dropped before its socket is closed, so that its number in the list
/// is never that of another one.
#[derive(Debug)]
pub struct Connection {
    all: Arc<Connections>,
    file: RawFd,
    slot: Arc<Slot>,
}

impl Connections {
    /// None are open. At most `most` will be served at a time.
    #[must_use]
    pub fn new(most: usize, patience: Patience, unasked: Unasked, metrics: &Arc<Metrics>) -> Arc<Self> {
        let metrics = Arc::clone(metrics);
        Arc::new(Self { open: Mutex::default(), most, patience, unasked, begun: Instant::now(), metrics })
    }

    /// Takes a new connection, or refuses it.
    pub fn admit(self: &Arc<Self>, stream: &impl AsFd) -> Connection {
        let file = stream.as_fd().as_raw_fd();
        let mut open = self.open();
        let others = open.len();
        let is_refused = others >= self.most;
        let patience = if is_refused { REFUSED_PATIENCE } else { self.patience.part };
        let deadline = AtomicU64::new(self.after(patience));
        let slot = Arc::new(Slot { deadline, has_asked: AtomicBool::new(false), is_refused });
        open.insert(file, Arc::clone(&slot));
        drop(open);
        self.metrics.connections.inc();
        if is_refused {
            self.metrics.connections_refused.inc();
        }
        if others >= self.most + REFUSED_ROOM {
            slot.deadline.store(NEVER, Ordering::Relaxed);
            tell(file, &self.unasked.too_many);
            let _ = shutdown(file, Shutdown::Both);
        }
        Connection { all: Arc::clone(self), file, slot }
    }

    /// Connections that may be open.
    #[must_use]
    pub const fn most(&self) -> usize {
        self.most
    }

    /// Connections that are open now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open().len()
    }

    /// Cuts overdue connections again and again. Never ends by itself.
    pub async fn cut_overdue(self: Arc<Self>) {
        let mut every = tokio::time::interval(LOOK_EVERY);
        loop {
            every.tick().await;
            let now = self.after(Duration::ZERO);
            for (file, slot) in self.open().iter() {
                if slot.deadline.load(Ordering::Relaxed) <= now {
                    slot.deadline.store(NEVER, Ordering::Relaxed);
                    self.metrics.connections_cut.inc();
                    if !slot.has_asked.load(Ordering::Relaxed) {
                        let Unasked { too_many, too_slow } = &self.unasked;
                        tell(*file, if slot.is_refused { too_many } else { too_slow });
                    }
                    // Its worker sees the end and closes it. An error: the client was faster.
                    let _ = shutdown(*file, Shutdown::Both);
                }
            }
        }
    }

    fn after(&self, wait: Duration) -> u64 {
        u64::try_from((self.begun.elapsed() + wait).as_millis()).unwrap_or(NEVER)
    }

    /// The list is right between any two statements, so a panic elsewhere does not spoil it.
    fn open(&self) -> MutexGuard<'_, HashMap<RawFd, Arc<Slot>, foldhash::fast::RandomState>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// If the client does not get it, it gets at least the end of the connection.
fn tell(file: RawFd, answer: &[u8]) {
    let _ = send(file, answer, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL);
}

impl Connection {
    /// There were too many when it came: all it gets is a 503.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.slot.is_refused
    }

    /// A request is being served: it is not for the client to hurry.
    pub fn serve(&self) {
        self.slot.has_asked.store(true, Ordering::Relaxed);
        self.slot.deadline.store(NEVER, Ordering::Relaxed);
    }

    /// An answer of so many bytes goes out (`None`: it is not known): the client shall read it, and
    /// send its next request or go.
    pub fn answer(&self, bytes: Option<u64>) {
        let Patience { part, keep_alive } = self.all.patience;
        let reading =
            bytes.map_or(LONGEST_STREAM, |bytes| Duration::from_secs(bytes.div_ceil(SLOWEST_READER)));
        self.slot.deadline.store(self.all.after(reading + keep_alive + part), Ordering::Relaxed);
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

/// The number of connections for which there are files: `wanted`, or fewer if the system does not
/// allow as many. Raises the limit of the process as far as is needed.
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
