//! The outbox: unsent events on disk, one file each, so that concurrent processes never write to the same
//! file and a torn write loses at most one event.
//!
//! The outbox is bounded by disk space (each file counts as at least one block) and by age.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::de::IgnoredAny;

use crate::event::CleanEvent;
use crate::storage::{self, UNFINISHED};
use crate::system::Host;

const FOLDER: &str = "/var/lib/community-scripts/telemetry";
const SUFFIX: &str = ".json";
/// Disk space of a small file, in bytes.
const BLOCK: u64 = 4096;
/// Maximum number of events that the server accepts in one request.
const MAX_EVENTS: usize = 10_000;
const MAX_EVENT_BYTES: u64 = 256 * 1024;

/// The folder of unsent events, which also contains the client's other files.
#[derive(Clone, Debug)]
pub struct Outbox {
    folder: PathBuf,
    max_bytes: u64,
    max_age: Duration,
}

/// An unsent event and the file that holds it; `None` when it could not be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The file of the event.
    pub path: Option<PathBuf>,
    /// One line of JSON.
    pub json: String,
}

impl Pending {
    /// Size of the event in a batch, with the newline.
    #[must_use]
    pub fn line_bytes(&self) -> usize {
        self.json.len() + 1
    }
}

struct Stored {
    path: PathBuf,
    /// Unix time in milliseconds.
    written: u64,
    bytes: u64,
}

impl Outbox {
    /// The outbox of this host, limited to 5 MiB and 7 days. `TELEMETRY_SPOOL_DIR` overrides its folder.
    #[must_use]
    pub fn of(host: &Host) -> Self {
        let folder = host.variable("TELEMETRY_SPOOL_DIR").map_or_else(|| host.path(FOLDER), PathBuf::from);
        Self::new(folder, 5 * 1024 * 1024, Duration::from_hours(7 * 24))
    }

    /// An outbox in `folder` with these limits.
    #[must_use]
    pub fn new(folder: PathBuf, max_bytes: u64, max_age: Duration) -> Self {
        Self { folder, max_bytes, max_age }
    }

    /// The path of another file of the client.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes an event, removing the oldest ones to stay within the limits.
    ///
    /// # Errors
    /// Any error from the file system, such as a full or read-only disk.
    pub fn add(&self, event: &CleanEvent, now_ms: u64) -> io::Result<PathBuf> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        storage::make_private_folder(&self.folder)?;
        self.make_room(space(event.json.len() as u64), now_ms);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("{now_ms:013}-{}-{number}{SUFFIX}", std::process::id()));
        storage::replace(&path, event.json.as_bytes(), 0o600)?;
        Ok(path)
    }

    /// All events, oldest first, up to the number that fits into one request. Removes invalid files.
    #[must_use]
    pub fn pending(&self, now_ms: u64) -> Vec<Pending> {
        self.make_room(0, now_ms);
        let stored = self.stored();
        stored.into_iter().filter_map(|stored| self.read(stored)).take(MAX_EVENTS).collect()
    }

    fn read(&self, stored: Stored) -> Option<Pending> {
        let json = fs::read_to_string(&stored.path).ok()?;
        let is_event = json.starts_with('{') && serde_json::from_str::<IgnoredAny>(&json).is_ok();
        if !is_event || stored.bytes > MAX_EVENT_BYTES || json.contains('\n') {
            self.remove(&stored.path);
            return None;
        }
        Some(Pending { path: Some(stored.path), json })
    }

    /// Removes an event, if it still exists.
    pub fn remove(&self, path: &Path) {
        let _ = fs::remove_file(path);
    }

    /// Removes the events of these runs, or all events for `None`.
    pub fn remove_events_of(&self, runs: Option<&[String]>) {
        for stored in self.stored() {
            let is_of_one = |runs: &[String]| {
                let json = fs::read_to_string(&stored.path).unwrap_or_default();
                runs.iter().any(|run| json.contains(&format!("\"{run}\"")))
            };
            if runs.is_none_or(is_of_one) {
                self.remove(&stored.path);
            }
        }
    }

    /// Number of events, and their disk space in bytes.
    #[must_use]
    pub fn size(&self) -> (usize, u64) {
        let stored = self.stored();
        (stored.len(), stored.iter().map(|stored| space(stored.bytes)).sum())
    }

    /// The lock for sending all events, held until it is dropped. `None` if another process holds it or the
    /// folder does not exist.
    #[must_use]
    pub fn lock(&self) -> Option<File> {
        let file = File::options().create(true).append(true).open(self.file("lock")).ok()?;
        match file.try_lock() {
            Ok(()) => Some(file),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
        }
    }

    fn make_room(&self, needed: u64, now_ms: u64) {
        let max_age = u64::try_from(self.max_age.as_millis()).unwrap_or(u64::MAX);
        let mut stored = self.stored();
        stored.retain(|stored| {
            let keep = now_ms.saturating_sub(stored.written) <= max_age;
            if !keep {
                self.remove(&stored.path);
            }
            keep
        });
        let mut total: u64 = stored.iter().map(|stored| space(stored.bytes)).sum();
        for oldest in stored {
            if total + needed <= self.max_bytes {
                break;
            }
            self.remove(&oldest.path);
            total -= space(oldest.bytes);
        }
    }

    /// The events in the folder, oldest first. Removes old unfinished files of killed processes.
    fn stored(&self) -> Vec<Stored> {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        let mut stored = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(metadata) = entry.metadata() else { continue };
            if name.starts_with(UNFINISHED) {
                let age = metadata.modified().ok().and_then(|time| time.elapsed().ok());
                if age.is_some_and(|age| age > Duration::from_mins(10)) {
                    self.remove(&entry.path());
                }
                continue;
            }
            let written = name.strip_suffix(SUFFIX).and_then(|name| name.split('-').next()?.parse().ok());
            if let Some(written) = written.filter(|_| metadata.is_file()) {
                stored.push(Stored { path: entry.path(), written, bytes: metadata.len() });
            }
        }
        stored.sort_by(|a, b| (a.written, &a.path).cmp(&(b.written, &b.path)));
        stored
    }
}

fn space(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK).max(1) * BLOCK
}

#[cfg(test)]
mod tests;
