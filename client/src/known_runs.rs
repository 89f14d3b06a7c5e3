//! The ids of the runs that this host reported, which are needed to view or erase them on the server.
//! They are stored only on this host.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use crate::event::{CleanEvent, is_id};
use crate::outbox::Outbox;
use crate::storage;

/// Maximum number of runs in the list: several years of installs.
const MAX_RUNS: usize = 500;

/// The list of a host's runs: one line per run, `unix-time id application`.
#[derive(Clone, Debug)]
pub struct KnownRuns(PathBuf);

impl KnownRuns {
    /// The list in the folder of the outbox.
    #[must_use]
    pub fn of(outbox: &Outbox) -> Self {
        Self(outbox.file("runs"))
    }

    /// All ids, oldest first.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.lines().iter().filter_map(|line| id_of(line)).map(str::to_owned).collect()
    }

    fn lines(&self) -> Vec<String> {
        let content = fs::read_to_string(&self.0).unwrap_or_default();
        content.lines().filter(|line| id_of(line).is_some()).map(str::to_owned).collect()
    }

    /// Adds the run of an event, unless it is listed. Requires the folder, which writing the event creates.
    ///
    /// # Errors
    /// Any error from the file system.
    pub fn add(&self, event: &CleanEvent, now_s: u64) -> io::Result<()> {
        let lines = self.lines();
        if lines.iter().any(|line| id_of(line) == Some(&event.run_id)) {
            return Ok(());
        }
        if lines.len() >= MAX_RUNS {
            self.write(&lines[lines.len() - MAX_RUNS / 2..])?;
        }
        let app = event.app.replace(char::is_whitespace, "_");
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.0)?;
        // A single short write, so that lines from concurrent processes do not interleave.
        file.write_all(format!("{now_s} {} {app}\n", event.run_id).as_bytes())
    }

    /// Removes runs from the list.
    ///
    /// # Errors
    /// Any error from the file system.
    pub fn remove(&self, ids: &[String]) -> io::Result<()> {
        let mut lines = self.lines();
        let before = lines.len();
        lines.retain(|line| id_of(line).is_none_or(|id| !ids.iter().any(|removed| removed == id)));
        if lines.len() == before { Ok(()) } else { self.write(&lines) }
    }

    fn write(&self, lines: &[String]) -> io::Result<()> {
        let content: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
        storage::replace(&self.0, content.as_bytes(), 0o600)
    }
}

fn id_of(line: &str) -> Option<&str> {
    line.split(' ').nth(1).filter(|id| is_id(id))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn list() -> (tempfile::TempDir, KnownRuns) {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(folder.path().to_owned(), 1 << 20, Duration::from_hours(1));
        (folder, KnownRuns::of(&outbox))
    }

    fn event(id: &str) -> CleanEvent {
        CleanEvent { json: String::new(), run_id: id.to_owned(), app: "a b".to_owned() }
    }

    #[test]
    fn a_run_is_listed_once() {
        let (_folder, runs) = list();
        for id in ["a", "b", "a"] {
            runs.add(&event(id), 1).unwrap();
        }
        assert_eq!(runs.ids(), ["a", "b"]);
        runs.remove(&["a".to_owned()]).unwrap();
        assert_eq!(runs.ids(), ["b"]);
    }

    #[test]
    fn the_list_is_bounded_and_keeps_the_newest() {
        let (_folder, runs) = list();
        for number in 0..1200 {
            runs.add(&event(&number.to_string()), 1).unwrap();
        }
        let ids = runs.ids();
        assert!(ids.len() <= MAX_RUNS);
        assert_eq!(ids.last().map(String::as_str), Some("1199"));
    }

    #[test]
    fn a_malformed_line_is_ignored() {
        let (_folder, runs) = list();
        fs::write(&runs.0, "1 good app\n17\n1 ../../etc app\n").unwrap();
        assert_eq!(runs.ids(), ["good"]);
    }
}
