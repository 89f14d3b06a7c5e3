//! The ids of the runs that this host reported, so that a person can ask the server for them, or
//! have them erased. Nobody else knows these ids.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use crate::event::{CleanEvent, is_id};
use crate::spool::Spool;
use crate::storage;

/// As many as a host installs in years.
const MOST_RUNS: usize = 500;

/// The list of a host's runs: one line per run, `seconds id application`.
#[derive(Clone, Debug)]
pub struct KnownRuns(PathBuf);

impl KnownRuns {
    /// The list that lies beside the events.
    #[must_use]
    pub fn of(spool: &Spool) -> Self {
        Self(spool.file("runs"))
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

    /// Adds the run of an event, once. The folder is there when the event could be written.
    ///
    /// # Errors
    /// What the file system says.
    pub fn remember(&self, event: &CleanEvent, now_s: u64) -> io::Result<()> {
        let lines = self.lines();
        if lines.iter().any(|line| id_of(line) == Some(&event.run_id)) {
            return Ok(());
        }
        if lines.len() >= MOST_RUNS {
            self.write(&lines[lines.len() - MOST_RUNS / 2..])?;
        }
        let app = event.app.replace(char::is_whitespace, "_");
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.0)?;
        // One short write: lines of processes that run at the same time do not mix.
        file.write_all(format!("{now_s} {} {app}\n", event.run_id).as_bytes())
    }

    /// Takes runs off the list.
    ///
    /// # Errors
    /// What the file system says.
    pub fn forget(&self, ids: &[String]) -> io::Result<()> {
        let mut lines = self.lines();
        let before = lines.len();
        lines.retain(|line| id_of(line).is_none_or(|id| !ids.iter().any(|gone| gone == id)));
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
        let spool = Spool::new(folder.path().to_owned(), 1 << 20, Duration::from_hours(1));
        (folder, KnownRuns::of(&spool))
    }

    fn event(id: &str) -> CleanEvent {
        CleanEvent { json: String::new(), run_id: id.to_owned(), app: "a b".to_owned() }
    }

    #[test]
    fn a_run_is_listed_once() {
        let (_folder, runs) = list();
        for id in ["a", "b", "a"] {
            runs.remember(&event(id), 1).unwrap();
        }
        assert_eq!(runs.ids(), ["a", "b"]);
        runs.forget(&["a".to_owned()]).unwrap();
        assert_eq!(runs.ids(), ["b"]);
    }

    #[test]
    fn the_list_is_bounded_and_keeps_the_newest() {
        let (_folder, runs) = list();
        for number in 0..1200 {
            runs.remember(&event(&number.to_string()), 1).unwrap();
        }
        let ids = runs.ids();
        assert!(ids.len() <= MOST_RUNS);
        assert_eq!(ids.last().map(String::as_str), Some("1199"));
    }

    #[test]
    fn a_torn_line_is_no_run() {
        let (_folder, runs) = list();
        fs::write(&runs.0, "1 good app\n17\n1 ../../etc app\n").unwrap();
        assert_eq!(runs.ids(), ["good"]);
    }
}
