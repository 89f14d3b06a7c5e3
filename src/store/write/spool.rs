//! Where events wait on this machine's disk while PostgreSQL is away: answered 2xx, because they
//! are written and fsynced; drained through the same merge when it is back.
//!
//! It is a SQLite file. It has to be bounded, survive a kill -9 and a torn write, stay usable on a
//! full disk, cost no memory while nothing happens, and be legible to an operator. SQLite's log
//! cuts a torn tail by its checksums, `synchronous = full` makes a transaction of one group one
//! fsync, `max_page_count` is a bound that it keeps itself, a full disk undoes the transaction and
//! nothing else, and `sqlite3 spool.sqlite3 'select body from entry'` shows what waits. Of the
//! others, redb and fjall keep more in memory and have no hard bound of their size; raft-engine
//! is a log for consensus, bound to its user's needs; yaque and the like do not fsync. A file of
//! our own would be what STYLE tells to avoid. Each entry has a checksum besides, as SQLite
//! has none in its main file.
//!
//! Entries hold what a row would hold: scrubbed texts and hashed ids, never an id or a body.
//!
//! - `entry` is the format of one entry, `file` the SQLite file and what is done when it is damaged.
//!
//! All of it runs on a thread of its own.

mod entry;
mod file;

use std::borrow::Cow;
use std::fs::{self, DirBuilder, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::sync::{mpsc, oneshot};

use crate::ingest::execution::Execution;
use crate::metrics::Metrics;
use file::{File, FileError, Row, set_aside};

/// Bytes of entries in one transaction: what has to fit into memory and into the log.
const GROUP_BYTES: usize = 1 << 20;
/// Bytes of entries that are drained at once.
const PAGE_BYTES: usize = 1 << 20;
/// Groups that wait for the thread; the writers wait beyond that.
const WAITING: usize = 4;
/// Pause before a file that could not be opened is tried again.
const REOPEN: Duration = Duration::from_secs(1);

/// Why the spool cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses the folder.
    #[error("the spool folder {} is used by another process; give each server its own SPOOL_DIR", .0.display())]
    Locked(PathBuf),
    /// The folder cannot be made or written.
    #[error("cannot use the spool folder {} (SPOOL_DIR)", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why the spool did not take or give an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpoolError {
    /// `SPOOL_MAX_BYTES` are used, or the disk is full.
    #[error("the spool is full")]
    Full,
    /// Its disk fails.
    #[error("the spool cannot be written")]
    Failed,
}

/// Which entry. Not good for another opening of the spool: numbers are given anew when a damaged file
/// was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryId {
    opening: u32,
    number: i64,
}

/// An entry that waits to be drained.
#[derive(Debug)]
pub struct Spooled {
    /// By which it is removed.
    pub id: EntryId,
    /// What was written.
    pub execution: Box<Execution>,
}

type Answer<T> = oneshot::Sender<Result<T, SpoolError>>;

enum Command {
    Append(Vec<String>, Answer<()>),
    Oldest(usize, Answer<Vec<Spooled>>),
    Remove { drained: Vec<EntryId>, refused: Vec<EntryId>, answer: Answer<()> },
}

/// What others may know without asking the thread.
#[derive(Debug, Default)]
struct Seen {
    entries: AtomicU64,
    oldest: AtomicI64,
    is_full: AtomicBool,
}

/// The way to the spool. Its thread ends when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Spool {
    commands: mpsc::Sender<Command>,
    seen: Arc<Seen>,
}

impl Spool {
    /// Opens the spool in a folder, made if need be, and starts its thread.
    ///
    /// # Errors
    /// [`OpenError`]. A damaged or full file is none: it is dealt with as it comes.
    pub fn open(
        folder: &Path,
        max_bytes: u64,
        metrics: &Arc<Metrics>,
    ) -> Result<(Self, JoinHandle<()>), OpenError> {
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
        let (commands, receiver) = mpsc::channel(WAITING);
        let seen = Arc::new(Seen::default());
        let mut keeper = Keeper {
            folder: folder.to_owned(),
            max_bytes,
            file: None,
            openings: 0,
            failed_at: None,
            seen: Arc::clone(&seen),
            metrics: Arc::clone(metrics),
            _lock: lock,
        };
        // So that what an earlier process left is known before the first request.
        let _ = keeper.with(|_| Ok(()));
        let thread = thread::Builder::new().name("spool".to_owned());
        let thread = thread.spawn(move || keeper.run(receiver)).map_err(failed)?;
        Ok((Self { commands, seen }, thread))
    }

    /// Writes runs; they are on the disk when this returns.
    ///
    /// # Errors
    /// [`SpoolError`]; some may be written nevertheless.
    pub async fn append(&self, runs: &[Cow<'_, Execution>]) -> Result<(), SpoolError> {
        let (mut group, mut bytes) = (Vec::new(), 0);
        for (position, run) in runs.iter().enumerate() {
            let body = entry::write(run).map_err(|_| SpoolError::Failed)?;
            bytes += body.len();
            group.push(body);
            if bytes >= GROUP_BYTES || position + 1 == runs.len() {
                bytes = 0;
                let group = std::mem::take(&mut group);
                self.ask(|answer| Command::Append(group, answer)).await?;
            }
        }
        Ok(())
    }

    /// The oldest entries, at most so many; none if nothing waits.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub async fn oldest(&self, entries: usize) -> Result<Vec<Spooled>, SpoolError> {
        self.ask(|answer| Command::Oldest(entries, answer)).await
    }

    /// Forgets what is committed, and sets aside what the database refuses. Entries of an earlier
    /// opening stay: they come again.
    ///
    /// # Errors
    /// [`SpoolError`]; then it is still there.
    pub async fn remove(&self, drained: Vec<EntryId>, refused: Vec<EntryId>) -> Result<(), SpoolError> {
        self.ask(|answer| Command::Remove { drained, refused, answer }).await
    }

    /// Entries that wait.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.seen.entries.load(Ordering::Relaxed)
    }

    /// Whether the last entry found no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.seen.is_full.load(Ordering::Relaxed)
    }

    /// Seconds that the oldest entry has waited; 0 if nothing waits.
    #[must_use]
    pub fn oldest_age_seconds(&self) -> i64 {
        match self.seen.oldest.load(Ordering::Relaxed) {
            0 => 0,
            oldest => Utc::now().timestamp().saturating_sub(oldest).max(0),
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T, SpoolError> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(command(answer)).await.map_err(|_| SpoolError::Failed)?;
        answered.await.unwrap_or(Err(SpoolError::Failed))
    }
}

/// The thread that alone touches the file.
struct Keeper {
    folder: PathBuf,
    max_bytes: u64,
    /// `None` while it cannot be opened.
    file: Option<File>,
    /// How often it was opened.
    openings: u32,
    failed_at: Option<Instant>,
    seen: Arc<Seen>,
    metrics: Arc<Metrics>,
    _lock: fs::File,
}

impl Keeper {
    fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(command) = commands.blocking_recv() {
            // Who asked may have gone, after a time-out.
            match command {
                Command::Append(bodies, answer) => {
                    let _ = answer.send(self.append(&bodies));
                }
                Command::Oldest(entries, answer) => {
                    let _ = answer.send(self.oldest(entries));
                }
                Command::Remove { drained, refused, answer } => {
                    let _ = answer.send(self.remove(&drained, &refused));
                }
            }
        }
    }

    fn append(&mut self, bodies: &[String]) -> Result<(), SpoolError> {
        let written = self.with(|file| file.append(Utc::now().timestamp(), bodies));
        self.seen.is_full.store(written == Err(SpoolError::Full), Ordering::Relaxed);
        written.inspect(|()| self.metrics.spool_spooled.inc_by(bodies.len() as u64))
    }

    fn oldest(&mut self, entries: usize) -> Result<Vec<Spooled>, SpoolError> {
        let (rows, unreadable) = self.with(|file| file.oldest(entries, PAGE_BYTES))?;
        self.cut("unreadable", unreadable);
        let opening = self.openings;
        let id = |number| EntryId { opening, number };
        Ok(rows
            .into_iter()
            .map(|Row { id: number, execution }| Spooled { id: id(number), execution })
            .collect())
    }

    fn remove(&mut self, drained: &[EntryId], refused: &[EntryId]) -> Result<(), SpoolError> {
        self.with(|_| Ok(()))?;
        let opening = self.openings;
        let numbers = |ids: &[EntryId]| {
            let own = ids.iter().filter(|id| id.opening == opening);
            own.map(|id| id.number).collect::<Vec<_>>()
        };
        let (drained, refused) = (numbers(drained), numbers(refused));
        self.with(|file| {
            refused.iter().try_for_each(|id| file.set_entry_aside(*id, "refused"))?;
            file.remove(&drained)
        })?;
        if self.seen.entries.load(Ordering::Relaxed) == 0 {
            self.salvage();
            self.with(|_| Ok(()))?;
        }
        self.cut("refused", refused.len() as u64);
        self.seen.is_full.store(false, Ordering::Relaxed);
        self.metrics.spool_drained.inc_by(drained.len() as u64);
        Ok(())
    }

    fn cut(&self, reason: &str, entries: u64) {
        if entries > 0 {
            self.metrics.spool_cut.with_label_values(&[reason]).inc_by(entries);
            tracing::error!(entries, reason, "entries of the spool will not be drained");
        }
    }

    /// Does something with the file, opened if need be.
    fn with<T>(&mut self, work: impl FnOnce(&mut File) -> Result<T, FileError>) -> Result<T, SpoolError> {
        if self.failed_at.is_some_and(|failed_at| failed_at.elapsed() < REOPEN) {
            return Err(SpoolError::Failed);
        }
        let result = self.opened().and_then(work);
        let usage = self.file.as_ref().and_then(|file| file.usage().ok());
        if let Some(usage) = usage {
            self.seen.entries.store(usage.entries, Ordering::Relaxed);
            self.seen.oldest.store(usage.oldest, Ordering::Relaxed);
            self.metrics.spool_entries.set(i64::try_from(usage.entries).unwrap_or(i64::MAX));
            self.metrics.spool_bytes.set(i64::try_from(usage.bytes).unwrap_or(i64::MAX));
        }
        result.map_err(|error| {
            match error {
                FileError::Full => return SpoolError::Full,
                FileError::Damaged => {
                    tracing::error!("the spool is damaged; setting it aside");
                    self.file = None;
                    if let Err(error) = set_aside(&self.folder) {
                        tracing::error!(kind = %error.kind(), "cannot set the spool aside");
                    }
                    return SpoolError::Failed;
                }
                FileError::Failed(error) => tracing::error!(%error, "the spool fails"),
            }
            self.file = None;
            self.failed_at = Some(Instant::now());
            SpoolError::Failed
        })
    }

    /// Takes over what can be read of damaged files. What fails now is tried again when the spool is
    /// empty, and at the next start.
    fn salvage(&mut self) {
        while let Some(file) = &mut self.file {
            match file.salvage(Utc::now().timestamp()) {
                Ok(Some(cut)) => {
                    tracing::error!(cut, "a damaged spool was read as far as it goes");
                    self.cut("damaged", cut);
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(?error, "a damaged spool cannot be read now");
                    break;
                }
            }
        }
    }

    fn opened(&mut self) -> Result<&mut File, FileError> {
        if self.file.is_none() {
            self.file = Some(File::open(&self.folder, self.max_bytes)?);
            self.openings += 1;
            self.failed_at = None;
            self.salvage();
        }
        self.file.as_mut().ok_or(FileError::Damaged)
    }
}

#[cfg(test)]
mod tests;
