//! The SQLite file of the spool: one row an entry, one transaction a group.
//!
//! The file and its log are in the subfolder `queue/`, so that one rename sets a damaged file aside as
//! `damaged-…`. Nothing of it is drained, and nothing of it is deleted: `sqlite3 spool.sqlite3 .recover` may
//! still read most of it.

use std::fs::{self, File as Folder};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use uuid::Uuid;

use super::EntryId;
use super::entry::{Unreadable, decode};
use crate::ingest::execution::Execution;

const QUEUE: &str = "queue";
const DAMAGED: &str = "damaged-";
const FILE: &str = "spool.sqlite3";
const PAGE_BYTES: u64 = 4096;
/// Most bytes of the log beside the file. It is checkpointed every [`LOG_PAGES`], and one transaction adds a
/// group at most.
const LOG_BYTES: u64 = 4 << 20;
const LOG_PAGES: u32 = 256;
/// A file that only takes up space. It is deleted when entries cannot be removed because the disk is full: the
/// log has to grow first.
const RESERVE: &str = "reserve";
const RESERVE_BYTES: usize = 3 << 20;

/// Why an operation failed.
#[derive(Debug)]
pub(super) enum FileError {
    /// The disk or the file is full. Nothing has changed.
    Full,
    /// The file is not a valid database.
    Damaged,
    /// The disk fails, or something unexpected happened. The operation may have taken effect.
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl From<rusqlite::Error> for FileError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            _ => Self::Failed(error.into()),
        }
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::StorageFull { Self::Full } else { Self::Failed(error.into()) }
    }
}

type Entry = (i64, Box<Execution>);

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) entries: u64,
    pub(super) bytes: u64,
    /// When the oldest entry was written, in seconds of Unix time; 0 if there is none.
    pub(super) oldest: i64,
}

/// The open file.
#[derive(Debug)]
pub(super) struct File {
    folder: PathBuf,
    connection: Connection,
    entries: u64,
    /// Ids in an empty file begin after this random number, so that they are never those of a damaged file that it
    /// replaces.
    base: i64,
}

impl File {
    /// Opens the file of a spool, or creates it.
    pub(super) fn open(folder: &Path, max_bytes: u64) -> Result<Self, FileError> {
        let queue = folder.join(QUEUE);
        fs::create_dir_all(&queue)?;
        Folder::open(folder)?.sync_all()?;
        let connection = Connection::open(queue.join(FILE))?;
        connection.execute_batch(&format!(
            // No other process opens the file, so the index of the log stays in private memory. Without
            // auto_vacuum the file could not shrink.
            "pragma locking_mode = exclusive; pragma page_size = {PAGE_BYTES}; pragma cache_size = -512;
             pragma mmap_size = 0; pragma temp_store = memory; pragma trusted_schema = off;
             pragma auto_vacuum = incremental; pragma journal_mode = wal; pragma synchronous = full;
             pragma wal_autocheckpoint = {LOG_PAGES}; pragma journal_size_limit = {LOG_BYTES};"
        ))?;
        let others = LOG_BYTES + RESERVE_BYTES as u64;
        let pages = (max_bytes.saturating_sub(others) / PAGE_BYTES).max(16);
        connection.pragma_update(None, "max_page_count", i64::try_from(pages).unwrap_or(i64::MAX))?;
        connection.execute_batch(
            "create table if not exists entry (id integer primary key, at integer not null, body text not null);
             create table if not exists aside (id integer primary key, at integer not null, \
                 body text not null, reason text not null);",
        )?;
        // Empties the log: a log whose fsync has failed must not be appended to.
        connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
        let found = connection.query_row("pragma quick_check(1)", [], |row| row.get::<_, String>(0))?;
        if found != "ok" {
            return Err(FileError::Damaged);
        }
        // This version may be newer than the one that could not read these entries.
        connection.execute_batch(
            "begin; insert into entry (at, body) select at, body from aside where reason = 'version';
             delete from aside where reason = 'version'; commit;",
        )?;
        reserve(folder);
        let entries = connection.query_row("select count(*) from entry", [], |row| row.get::<_, i64>(0))?;
        let base = i64::from(Uuid::new_v4().as_fields().0) << 24;
        Ok(Self { folder: folder.to_owned(), connection, entries: entries.cast_unsigned(), base })
    }

    /// Writes entries; they are on the disk when this returns.
    pub(super) fn append(&mut self, at: i64, bodies: &[String]) -> Result<(), FileError> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare(
                "insert into entry (id, at, body) select coalesce(max(id), ?1) + 1, ?2, ?3 from entry",
            )?;
            for body in bodies {
                insert.execute(params![self.base, at, body])?;
            }
        }
        transaction.commit()?;
        self.entries += bodies.len() as u64;
        Ok(())
    }

    /// Reads the oldest entries with their ids, at most `entries` of about `bytes` in total. Unreadable ones are
    /// set aside; returns their number as well.
    pub(super) fn oldest(&mut self, entries: usize, bytes: usize) -> Result<(Vec<Entry>, u64), FileError> {
        let (mut rows, mut unreadable, mut read) = (Vec::new(), Vec::new(), 0);
        let mut statement = self.connection.prepare("select id, body from entry order by id limit ?1")?;
        let mut found = statement.query([i64::try_from(entries).unwrap_or(i64::MAX)])?;
        while let Some(row) = found.next()?
            && read < bytes
        {
            let id = row.get(0)?;
            let body = row.get_ref(1)?.as_bytes_or_null().ok().flatten().unwrap_or_default();
            read += body.len();
            match std::str::from_utf8(body).map_err(|_| Unreadable::Garbled).and_then(decode) {
                Ok(execution) => rows.push((id, Box::new(execution))),
                Err(reason) => unreadable.push((id, reason)),
            }
        }
        drop(found);
        drop(statement);
        for (id, reason) in &unreadable {
            self.set_entry_aside(*id, reason.code())?;
        }
        Ok((rows, unreadable.len() as u64))
    }

    /// Moves an entry that cannot be drained to the table `aside`, where an operator can find it.
    pub(super) fn set_entry_aside(&mut self, id: i64, reason: &str) -> Result<(), FileError> {
        let transaction = self.connection.transaction()?;
        let copy = "insert into aside (at, body, reason) select at, body, ?2 from entry where id = ?1";
        transaction.execute(copy, params![id, reason])?;
        let removed = transaction.execute("delete from entry where id = ?1", [id])?;
        transaction.commit()?;
        self.entries = self.entries.saturating_sub(removed as u64);
        Ok(())
    }

    /// Removes entries that are committed to the database.
    pub(super) fn remove(&mut self, ids: &[EntryId]) -> Result<(), FileError> {
        match self.delete(ids) {
            Err(FileError::Full) => {
                fs::remove_file(self.folder.join(RESERVE)).map_err(|_| FileError::Full)?;
                self.delete(ids)?;
            }
            result => result?,
        }
        if self.entries == 0 {
            // Gives the space back to the disk. If that fails, the next outage reuses it.
            let _ = self.shrink();
            reserve(&self.folder);
        }
        Ok(())
    }

    fn delete(&mut self, ids: &[EntryId]) -> Result<(), FileError> {
        let transaction = self.connection.transaction()?;
        let mut removed = 0;
        {
            let mut delete = transaction.prepare("delete from entry where id = ?1")?;
            for id in ids {
                removed += delete.execute([id.0])?;
            }
        }
        transaction.commit()?;
        self.entries = self.entries.saturating_sub(removed as u64);
        Ok(())
    }

    fn shrink(&self) -> rusqlite::Result<()> {
        self.connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
        let mut vacuum = self.connection.prepare("pragma incremental_vacuum")?;
        let mut freed = vacuum.query([])?;
        while freed.next()?.is_some() {}
        self.connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))
    }

    /// How much waits.
    pub(super) fn usage(&self) -> Result<Usage, FileError> {
        let number = |pragma: &str| {
            self.connection.query_row(pragma, [], |row| row.get::<_, i64>(0).map(i64::cast_unsigned))
        };
        let pages = number("pragma page_count")?.saturating_sub(number("pragma freelist_count")?);
        let oldest = "select at from entry order by id limit 1";
        let oldest = self.connection.query_row(oldest, [], |row| row.get(0)).optional()?;
        Ok(Usage { entries: self.entries, bytes: pages * PAGE_BYTES, oldest: oldest.unwrap_or(0) })
    }
}

/// Creates the reserve if there is room for it.
fn reserve(folder: &Path) {
    let file = folder.join(RESERVE);
    let exists = fs::metadata(&file).is_ok_and(|found| found.len() == RESERVE_BYTES as u64);
    if !exists && fs::write(&file, vec![0; RESERVE_BYTES]).is_err() {
        let _ = fs::remove_file(&file);
    }
}

/// Renames the damaged file and its log, so that a new file can be created. Nothing is deleted.
pub(super) fn set_aside(folder: &Path) -> io::Result<()> {
    let mut number = 1_u32;
    while folder.join(format!("{DAMAGED}{number}")).exists() {
        number += 1;
    }
    fs::rename(folder.join(QUEUE), folder.join(format!("{DAMAGED}{number}")))?;
    Folder::open(folder)?.sync_all()
}
