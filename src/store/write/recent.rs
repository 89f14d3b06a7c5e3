//! Rows that a writer wrote a moment ago, so that the next event of their run needs no look into the
//! database; nor does a first event, which has no row.
//!
//! Both are guesses: another instance, an erasure or a lost answer may know better. Then the row has another
//! revision, or is there, or is gone; the batch is undone as outrun and begun again with what the
//! database says (`write_batch.sql`).

use std::borrow::Cow;

use hashlink::LruCache;
use telemetry_protocol::Status;

use crate::ingest::execution::Execution;
use crate::ingest::identity::RunKey;

/// Most rows, of about a kilobyte each.
const MAX_ROWS: usize = 2048;
/// So many batches are read after one that was outrun, lest a client that repeats itself have every batch
/// written twice.
const CAREFUL_BATCHES: u32 = 100;

/// What is known of a run without asking the database.
#[derive(Debug)]
pub(crate) enum Expected {
    /// This is its row, with its revision.
    Row(Box<Execution>, i32),
    /// It has none.
    New,
    /// Only the database can tell.
    Unknown,
}

/// The rows of runs that go on.
#[derive(Debug)]
pub struct Recent {
    rows: LruCache<RunKey, (Box<Execution>, i32)>,
    careful: u32,
}

impl Default for Recent {
    fn default() -> Self {
        Self { rows: LruCache::new(MAX_ROWS), careful: 0 }
    }
}

impl Recent {
    /// What to expect of the row of a run of which there is this event. A row is given away: after the
    /// batch there is another one.
    pub(crate) fn expect(&mut self, event: &Execution) -> Expected {
        if self.careful > 0 {
            return Expected::Unknown;
        }
        match self.rows.remove(&event.key) {
            Some((row, revision)) => Expected::Row(row, revision),
            None if is_first(event) => Expected::New,
            None => Expected::Unknown,
        }
    }

    /// A batch was committed.
    pub(crate) fn committed(&mut self) {
        self.careful = self.careful.saturating_sub(1);
    }

    /// Keeps a row that was committed, if more is to come.
    pub(crate) fn keep(&mut self, row: Cow<'_, Execution>, revision: i32) {
        if !row.status().is_end() {
            self.rows.insert(row.key, (Box::new(row.into_owned()), revision));
        }
    }

    /// A guess was wrong.
    pub(crate) fn outrun(&mut self) {
        self.rows.clear();
        self.careful = CAREFUL_BATCHES;
    }
}

/// Whether a run begins with this event, unless somebody repeats it.
fn is_first(event: &Execution) -> bool {
    event.status() == Status::Installing
}
