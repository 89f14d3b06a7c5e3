//! Where the scripts came from, and who still runs old ones.

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::execution::rfc3339;
use crate::expose::numbers::Rate;
use crate::expose::table::lists;
use crate::store::read::counts::RuntimeCount;

/// A revision that is known for more days is stale, unless it is the branch that moves.
const FRESH_DAYS: u64 = 30;
/// The branch that moves.
const MOVING: &str = "main";
/// Length of the list.
const TOP: usize = 100;

/// The answer. Only newer clients tell where their scripts came from.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Runtimes {
    /// For when it is true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// Runs that told a source.
    pub total: i64,
    /// Those with a revision other than `main` that was first seen more than 30 days ago.
    pub stale_count: i64,
    /// The same among succeeded and failed runs.
    pub stale: Rate,
    /// Most frequent first.
    pub refs: Vec<RuntimeRef>,
}

lists!(Runtimes: refs);

/// One revision.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RuntimeRef {
    /// `local`, `remote`, `pinned`, `mirror`.
    pub source: String,
    /// `main`, a release tag or a commit; empty where it was not told.
    #[serde(rename = "ref")]
    pub revision: String,
    /// Runs.
    pub count: i64,
    /// UTC day of the first run with it, in all time.
    pub first_seen_day: NaiveDate,
    /// See `stale_count`.
    pub stale: bool,
}

/// Puts the answer together.
#[must_use]
pub fn runtimes(as_of: DateTime<Utc>, rows: Vec<RuntimeCount>) -> Runtimes {
    let oldest_fresh = as_of.date_naive() - Days::new(FRESH_DAYS);
    let is_stale = |row: &&RuntimeCount| {
        !row.revision.is_empty() && row.revision != MOVING && row.first_day < oldest_fresh
    };
    let stale = || rows.iter().filter(is_stale);
    Runtimes {
        as_of,
        total: rows.iter().map(|row| row.runs).sum(),
        stale_count: stale().map(|row| row.runs).sum(),
        stale: Rate::of(stale().map(|row| row.ended).sum(), rows.iter().map(|row| row.ended).sum()),
        refs: rows
            .iter()
            .take(TOP)
            .map(|row| RuntimeRef {
                source: row.source.clone(),
                revision: row.revision.clone(),
                count: row.runs,
                first_seen_day: row.first_day,
                stale: is_stale(&row),
            })
            .collect(),
    }
}
