//! The SQLite file of the spool: one row an entry, one transaction a group, oldest first out.
//!
//! In the folder of the spool stands `queue/`, which holds the file and its log. A file that is
//! damaged is set aside by one rename of that folder (`damaged-…`); what can be read of it is
//! copied into the new file, and then it is `cut-…`, the last of which is kept for whoever wants
//! to look.

use std::fs::{self, File as Folder};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::entry::{Unreadable, read};
use crate::ingest::execution::Execution;

const QUEUE: &str = "queue";
const DAMAGED: &str = "damaged-";
const CUT: &str = "cut-";
const FILE: &str = "spool.sqlite3";
const PAGE_BYTES: u64 = 4096;
/// What the log beside the file may take: it is written back every [`LOG_PAGES`], and a
/// transaction adds at most a group.
const LOG_BYTES: u64 = 4 << 20;
const LOG_PAGES: u32 = 256;
/// A file that does nothing but take room. It is given up so that entries can be removed on a full
/// disk, for which the log has to grow at first.
const RESERVE: &str = "reserve";
const RESERVE_BYTES: usize = 3 << 20;
/// Entries of a damaged file that are copied in one transaction.
const COPIED_AT_ONCE: usize = 256;

/// Why the file did not do what it should.
#[derive(Debug)]
pub(super) enum FileError {
    /// The disk or the file is full. The file is as it was.
    Full,
    /// The file is not what was written.
    Damaged,
    /// The disk fails, or something that should not happen. What was asked for may be done.
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

/// An entry that waits to be drained.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) execution: Box<Execution>,
}

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
}

impl File {
    /// Opens the file of a spool, made new if it is not there. One that is damaged is set aside.
    pub(super) fn open(folder: &Path, max_bytes: u64) -> Result<Self, FileError> {
        match Self::open_queue(folder, max_bytes) {
            Err(FileError::Damaged) => {
                set_aside(folder)?;
                Self::open_queue(folder, max_bytes)
            }
            result => result,
        }
    }

    fn open_queue(folder: &Path, max_bytes: u64) -> Result<Self, FileError> {
        let queue = folder.join(QUEUE);
        fs::create_dir_all(&queue)?;
        Folder::open(folder)?.sync_all()?;
        let connection = connect(&queue)?;
        connection.execute_batch(&format!(
            // Small tables cannot be given back to the disk without it.
            "pragma auto_vacuum = incremental; pragma journal_mode = wal; pragma synchronous = full;
             pragma wal_autocheckpoint = {LOG_PAGES}; pragma journal_size_limit = {LOG_BYTES};"
        ))?;
        let others = LOG_BYTES + RESERVE_BYTES as u64;
        let pages = (max_bytes.saturating_sub(others) / PAGE_BYTES).max(16);
        connection.pragma_update(None, "max_page_count", i64::try_from(pages).unwrap_or(i64::MAX))?;
        connection.execute_batch(
            "create table if not exists entry (id integer primary key, at integer not null, \
                 sum integer not null, body text not null);
             create table if not exists aside (id integer primary key, at integer not null, \
                 sum integer not null, body text not null, reason text not null);",
        )?;
        // What the log holds goes into the file: a log whose fsync once failed is not written on.
        connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
        let found = connection.query_row("pragma quick_check(1)", [], |row| row.get::<_, String>(0))?;
        if found != "ok" {
            return Err(FileError::Damaged);
        }
        // A program that did not know their format is replaced by one that may.
        connection.execute_batch(
            "insert into entry (at, sum, body) select at, sum, body from aside where reason = 'version';
             delete from aside where reason = 'version';",
        )?;
        reserve(folder);
        let entries = connection.query_row("select count(*) from entry", [], |row| row.get::<_, i64>(0))?;
        Ok(Self { folder: folder.to_owned(), connection, entries: entries.cast_unsigned() })
    }

    /// Writes entries; they are on the disk when this returns.
    pub(super) fn append(&mut self, at: i64, bodies: &[String]) -> Result<(), FileError> {
        let transaction = self.connection.transaction()?;
        {
            let insert = "insert into entry (at, sum, body) values (?1, ?2, ?3)";
            let mut insert = transaction.prepare(insert)?;
            for body in bodies {
                insert.execute(params![at, crc32fast::hash(body.as_bytes()), body])?;
            }
        }
        transaction.commit()?;
        self.entries += bodies.len() as u64;
        Ok(())
    }

    /// The oldest entries, at most so many and hardly more than so many bytes. Those that cannot be
    /// read are set aside; returns how many.
    pub(super) fn oldest(&mut self, entries: usize, bytes: usize) -> Result<(Vec<Row>, u64), FileError> {
        let (mut rows, mut unreadable, mut taken) = (Vec::new(), Vec::new(), 0);
        let mut statement =
            self.connection.prepare("select id, sum, body from entry order by id limit ?1")?;
        let mut found = statement.query([i64::try_from(entries).unwrap_or(i64::MAX)])?;
        while let Some(row) = found.next()?
            && taken < bytes
        {
            let id = row.get(0)?;
            let body = row.get_ref(2)?.as_bytes_or_null().ok().flatten().unwrap_or_default();
            taken += body.len();
            let read = match std::str::from_utf8(body) {
                Ok(text) if row.get::<_, i64>(1)? == i64::from(crc32fast::hash(body)) => read(text),
                _ => Err(Unreadable::Garbled),
            };
            match read {
                Ok(execution) => rows.push(Row { id, execution: Box::new(execution) }),
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

    /// Keeps an entry that will never be drained where an operator finds it.
    pub(super) fn set_entry_aside(&mut self, id: i64, reason: &str) -> Result<(), FileError> {
        let transaction = self.connection.transaction()?;
        let copy =
            "insert into aside (at, sum, body, reason) select at, sum, body, ?2 from entry where id = ?1";
        transaction.execute(copy, params![id, reason])?;
        let removed = transaction.execute("delete from entry where id = ?1", [id])?;
        transaction.commit()?;
        self.entries = self.entries.saturating_sub(removed as u64);
        Ok(())
    }

    /// Forgets entries that are committed elsewhere.
    pub(super) fn remove(&mut self, ids: &[i64]) -> Result<(), FileError> {
        match self.delete(ids) {
            Err(FileError::Full) => {
                fs::remove_file(self.folder.join(RESERVE)).map_err(|_| FileError::Full)?;
                self.delete(ids)?;
            }
            result => result?,
        }
        if self.entries == 0 {
            // An outage is over: its room goes back to the disk. On a full disk it waits for the next.
            let _ = self.shrink();
            reserve(&self.folder);
        }
        Ok(())
    }

    fn delete(&mut self, ids: &[i64]) -> Result<(), FileError> {
        let transaction = self.connection.transaction()?;
        let mut removed = 0;
        {
            let mut delete = transaction.prepare("delete from entry where id = ?1")?;
            for id in ids {
                removed += delete.execute([id])?;
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

    /// Copies what can be read of a damaged file, and returns how many entries were lost; `None` if
    /// there is no such file. When it fails it can be done again: entries that come twice are
    /// merged as one.
    pub(super) fn salvage(&mut self, at: i64) -> Result<Option<u64>, FileError> {
        let Some(damaged) = find(&self.folder, DAMAGED)? else { return Ok(None) };
        // From both ends up to what cannot be read.
        let old = connect(&damaged).ok();
        let forwards = self.copy(old.as_ref(), at, "select id, sum, body from entry order by id")?;
        let mut cut = forwards.skipped;
        if !forwards.is_whole {
            let last = forwards.last.unwrap_or(0);
            let select = format!("select id, sum, body from entry where id > {last} order by id desc");
            let backwards = self.copy(old.as_ref(), at, &select)?;
            let gap = backwards.last.unwrap_or(last + 2) - last - 1;
            cut += backwards.skipped + u64::try_from(gap).unwrap_or(0).max(1);
        }
        drop(old);
        if let Some(earlier) = find(&self.folder, CUT)? {
            fs::remove_dir_all(earlier)?;
        }
        let name = damaged.file_name().map(|name| name.to_string_lossy().replacen(DAMAGED, CUT, 1));
        fs::rename(&damaged, self.folder.join(name.unwrap_or_else(|| CUT.to_owned())))?;
        Ok(Some(cut))
    }

    /// Copies entries of a damaged file until it cannot be read on.
    fn copy(&mut self, old: Option<&Connection>, at: i64, select: &str) -> Result<Copied, FileError> {
        let mut copied = Copied::default();
        let Some(mut statement) = old.and_then(|old| old.prepare(select).ok()) else { return Ok(copied) };
        let Ok(mut found) = statement.query([]) else { return Ok(copied) };
        let mut bodies = Vec::new();
        while let Ok(row) = found.next() {
            let Some(row) = row else {
                copied.is_whole = true;
                break;
            };
            let entry = || Some((row.get::<_, i64>(1).ok()?, row.get::<_, String>(2).ok()?));
            copied.last = row.get(0).ok().or(copied.last);
            match entry() {
                Some((sum, body)) if sum == i64::from(crc32fast::hash(body.as_bytes())) => bodies.push(body),
                _ => copied.skipped += 1,
            }
            if bodies.len() == COPIED_AT_ONCE {
                self.append(at, &bodies)?;
                bodies.clear();
            }
        }
        self.append(at, &bodies)?;
        Ok(copied)
    }
}

/// What was read of a damaged file.
#[derive(Default)]
struct Copied {
    /// The end was reached.
    is_whole: bool,
    /// The entry that was read last.
    last: Option<i64>,
    /// Entries that are not what was written.
    skipped: u64,
}

fn connect(queue: &Path) -> Result<Connection, FileError> {
    let connection = Connection::open(queue.join(FILE))?;
    connection.execute_batch(&format!(
        // Nobody else opens it, so the index of the log need not be shared: it stays in memory.
        "pragma locking_mode = exclusive; pragma page_size = {PAGE_BYTES}; pragma cache_size = -512;
         pragma mmap_size = 0; pragma temp_store = memory; pragma trusted_schema = off;"
    ))?;
    Ok(connection)
}

/// Takes the room of the reserve, if there is some.
fn reserve(folder: &Path) {
    let file = folder.join(RESERVE);
    let is_there = fs::metadata(&file).is_ok_and(|found| found.len() == RESERVE_BYTES as u64);
    if !is_there && fs::write(&file, vec![0; RESERVE_BYTES]).is_err() {
        let _ = fs::remove_file(&file);
    }
}

/// Sets the damaged file aside, so that a new one can be made.
pub(super) fn set_aside(folder: &Path) -> io::Result<()> {
    let mut number = 1_u32;
    while folder.join(format!("{DAMAGED}{number}")).exists() {
        number += 1;
    }
    fs::rename(folder.join(QUEUE), folder.join(format!("{DAMAGED}{number}")))?;
    Folder::open(folder)?.sync_all()
}

/// A folder whose name begins so.
fn find(folder: &Path, prefix: &str) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}
