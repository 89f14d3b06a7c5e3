//! Stores events on the local disk while PostgreSQL is unavailable. They are answered 2xx because they are
//! fsynced, and merged like live events when the database is back.
//!
//! The spool is a SQLite file rather than a log format of our own. SQLite already provides what a spool needs:
//! checksums cut a torn tail off its log, `synchronous = full` fsyncs every transaction, `max_page_count`
//! bounds the size, a full disk only rolls back a transaction, and an operator can read what waits with
//! `sqlite3 spool.sqlite3 'select body from entry'`. A file that SQLite finds damaged is set aside and
//! counted, and a new one is created.
//!
//! Entries contain what a row would contain: scrubbed texts and hashed ids, never an id or a body.
//!
//! - `entry` is the format of an entry.
//! - `file` is the SQLite file.
//!
//! File access happens on the blocking threads of the runtime, one operation at a time.

mod entry;
mod file;

use std::borrow::Cow;
use std::fs::{self, DirBuilder, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::task::spawn_blocking;

use crate::ingest::execution::Execution;
use crate::metrics::Metrics;
use file::{File, FileError, set_aside};

/// Bytes of entries in one transaction, which is held in memory and in the log.
const GROUP_BYTES: usize = 1 << 20;
/// Bytes of entries that are drained at once.
const PAGE_BYTES: usize = 1 << 20;

/// Pause before a file that failed is opened again.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);

/// Why the spool cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses the folder.
    #[error("another process uses the spool folder {}; set a different SPOOL_DIR for each server", .0.display())]
    Locked(PathBuf),
    /// The folder cannot be created or written.
    #[error("cannot use the spool folder {} (SPOOL_DIR)", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Why an operation on the spool failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpoolError {
    /// `SPOOL_MAX_BYTES` are used, or the disk is full.
    #[error("the spool is full")]
    Full,
    /// The file cannot be read or written.
    #[error("the spool cannot be read or written")]
    Failed,
}

/// Identifies an entry. A file that replaces a damaged one has other numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryId(i64);

/// An entry that waits to be drained.
#[derive(Debug)]
pub struct Spooled {
    /// Removes the entry.
    pub id: EntryId,
    /// The content.
    pub execution: Box<Execution>,
}

/// The state of the spool after the last operation.
#[derive(Debug, Default)]
struct State {
    entries: AtomicU64,
    oldest: AtomicI64,
    is_full: AtomicBool,
    is_open: AtomicBool,
}

/// A shared handle of the spool.
#[derive(Clone, Debug)]
pub struct Spool {
    /// `None` once the spool is closed.
    storage: Arc<Mutex<Option<Storage>>>,
    state: Arc<State>,
}

impl Spool {
    /// Opens or creates the spool in a folder.
    ///
    /// # Errors
    /// [`OpenError`]. A damaged file or a full disk is not an error here.
    pub fn open(folder: &Path, max_bytes: u64, metrics: &Arc<Metrics>) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Folder { folder: folder.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(folder.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let state = Arc::new(State::default());
        let mut storage = Storage {
            folder: folder.to_owned(),
            max_bytes,
            file: None,
            closed_until: None,
            state: Arc::clone(&state),
            metrics: Arc::clone(metrics),
            _lock: lock,
        };
        // The entries of an earlier process are counted before the first request.
        let _ = storage.with_file(|_| Ok(()));
        Ok(Self { storage: Arc::new(Mutex::new(Some(storage))), state })
    }

    /// Appends executions; they are on the disk when this returns.
    ///
    /// # Errors
    /// [`SpoolError`]; some of the executions may be written all the same.
    pub async fn append(&self, executions: &[Cow<'_, Execution>]) -> Result<(), SpoolError> {
        let (mut group, mut bytes) = (Vec::new(), 0);
        for (position, execution) in executions.iter().enumerate() {
            let body = entry::encode(execution).map_err(|_| SpoolError::Failed)?;
            bytes += body.len();
            group.push(body);
            if bytes >= GROUP_BYTES || position + 1 == executions.len() {
                bytes = 0;
                let group = std::mem::take(&mut group);
                self.with_storage(move |storage| storage.append(&group)).await?;
            }
        }
        Ok(())
    }

    /// Returns the oldest entries, at most `entries`; none if the spool is empty.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub async fn oldest(&self, entries: usize) -> Result<Vec<Spooled>, SpoolError> {
        self.with_storage(move |storage| storage.oldest(entries)).await
    }

    /// Removes entries that are committed, and sets aside those that the database refuses.
    ///
    /// # Errors
    /// [`SpoolError`]; then the entries are still there.
    pub async fn remove(&self, drained: Vec<EntryId>, refused: Vec<EntryId>) -> Result<(), SpoolError> {
        self.with_storage(move |storage| storage.remove(&drained, &refused)).await
    }

    /// Closes the file and releases the folder. Every later operation fails.
    pub async fn close(&self) {
        let storage = Arc::clone(&self.storage);
        let close = move || drop(storage.lock().unwrap_or_else(PoisonError::into_inner).take());
        // It only fails if closing panics, and there is nothing left to close then.
        let _ = spawn_blocking(close).await;
    }

    /// Number of entries.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.state.entries.load(Ordering::Relaxed)
    }

    /// Whether there are entries, or may be: a file that could not be opened has not been counted.
    #[must_use]
    pub fn may_have_entries(&self) -> bool {
        self.entries() > 0 || !self.state.is_open.load(Ordering::Relaxed)
    }

    /// Whether the last append failed because the spool was full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.state.is_full.load(Ordering::Relaxed)
    }

    /// Age of the oldest entry in seconds; 0 if the spool is empty.
    #[must_use]
    pub fn oldest_age_seconds(&self) -> i64 {
        match self.state.oldest.load(Ordering::Relaxed) {
            0 => 0,
            oldest => Utc::now().timestamp().saturating_sub(oldest).max(0),
        }
    }

    /// Runs an operation to its end, even if the caller stops waiting.
    async fn with_storage<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Storage) -> Result<T, SpoolError> + Send + 'static,
    ) -> Result<T, SpoolError> {
        let storage = Arc::clone(&self.storage);
        let operation = move || {
            let mut storage = storage.lock().unwrap_or_else(PoisonError::into_inner);
            storage.as_mut().ok_or(SpoolError::Failed).and_then(operation)
        };
        spawn_blocking(operation).await.unwrap_or(Err(SpoolError::Failed))
    }
}

/// The folder, its lock and the file.
#[derive(Debug)]
struct Storage {
    folder: PathBuf,
    max_bytes: u64,
    /// `None` while it cannot be opened.
    file: Option<File>,
    /// No attempt to open it before this time: checking a large file takes long.
    closed_until: Option<Instant>,
    state: Arc<State>,
    metrics: Arc<Metrics>,
    _lock: fs::File,
}

impl Storage {
    fn append(&mut self, bodies: &[String]) -> Result<(), SpoolError> {
        let written = self.with_file(|file| file.append(Utc::now().timestamp(), bodies));
        self.state.is_full.store(written == Err(SpoolError::Full), Ordering::Relaxed);
        written.inspect(|()| self.metrics.spool_spooled.inc_by(bodies.len() as u64))
    }

    fn oldest(&mut self, entries: usize) -> Result<Vec<Spooled>, SpoolError> {
        let (entries, unreadable) = self.with_file(|file| file.oldest(entries, PAGE_BYTES))?;
        self.count_cut("unreadable", unreadable);
        let spooled = |(number, execution)| Spooled { id: EntryId(number), execution };
        Ok(entries.into_iter().map(spooled).collect())
    }

    fn remove(&mut self, drained: &[EntryId], refused: &[EntryId]) -> Result<(), SpoolError> {
        self.with_file(|file| {
            refused.iter().try_for_each(|id| file.set_entry_aside(id.0, "refused"))?;
            file.remove(drained)
        })?;
        self.count_cut("refused", refused.len() as u64);
        self.state.is_full.store(false, Ordering::Relaxed);
        self.metrics.spool_drained.inc_by(drained.len() as u64);
        Ok(())
    }

    fn count_cut(&self, reason: &str, entries: u64) {
        if entries > 0 {
            self.metrics.spool_cut.with_label_values(&[reason]).inc_by(entries);
            tracing::error!(entries, reason, "entries of the spool cannot be drained; they are kept aside");
        }
    }

    /// Applies an operation to the file, opening it if necessary, and updates the state and the metrics.
    fn with_file<T>(
        &mut self,
        operation: impl FnOnce(&mut File) -> Result<T, FileError>,
    ) -> Result<T, SpoolError> {
        if self.closed_until.is_some_and(|time| Instant::now() < time) {
            return Err(SpoolError::Failed);
        }
        self.closed_until = None;
        let result = self.open_file().and_then(operation);
        self.state.is_open.store(self.file.is_some(), Ordering::Relaxed);
        if let Some(usage) = self.file.as_ref().and_then(|file| file.usage().ok()) {
            self.state.entries.store(usage.entries, Ordering::Relaxed);
            self.state.oldest.store(usage.oldest, Ordering::Relaxed);
            self.metrics.spool_entries.set(i64::try_from(usage.entries).unwrap_or(i64::MAX));
            self.metrics.spool_bytes.set(i64::try_from(usage.bytes).unwrap_or(i64::MAX));
        }
        let error = match result {
            Ok(done) => return Ok(done),
            Err(FileError::Full) => return Err(SpoolError::Full),
            Err(FileError::Damaged) => match self.set_file_aside() {
                Ok(()) => return Err(SpoolError::Failed),
                Err(error) => error.into(),
            },
            Err(FileError::Failed(error)) => error,
        };
        tracing::error!(%error, "the spool cannot be used");
        self.file = None;
        self.closed_until = Some(Instant::now() + REOPEN_PAUSE);
        Err(SpoolError::Failed)
    }

    fn open_file(&mut self) -> Result<&mut File, FileError> {
        if self.file.is_none() {
            let opened = match File::open(&self.folder, self.max_bytes) {
                Err(FileError::Damaged) => {
                    self.set_file_aside()?;
                    File::open(&self.folder, self.max_bytes)
                }
                opened => opened,
            };
            self.file = Some(opened?);
        }
        self.file.as_mut().ok_or(FileError::Damaged)
    }

    fn set_file_aside(&mut self) -> io::Result<()> {
        self.file = None;
        set_aside(&self.folder)?;
        self.metrics.spool_cut.with_label_values(&["damaged"]).inc();
        tracing::error!("the file of the spool is damaged; it was renamed and will not be drained");
        Ok(())
    }
}

#[cfg(test)]
mod tests;
