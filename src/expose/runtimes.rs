//! Where hosts load the scripts from, and how many use an old revision.

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::execution_view::rfc3339;
use crate::expose::numbers::Rate;
use crate::expose::table::lists;
use crate::store::model::names::RARE;
use crate::store::read::counts::RuntimeCount;

/// Days after its first run from which a revision is stale, except the moving branch.
const FRESH_DAYS: u64 = 30;
/// The branch that receives new commits.
const MOVING: &str = "main";
/// Most entries in the list.
const TOP: usize = 100;

/// Runs by the source of the scripts. Only newer clients report it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Runtimes {
    /// The time at which the answer was true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// Runs with a reported source.
    pub total: i64,
    /// Runs with a stale revision: not `main`, and first seen more than 30 days ago.
    pub stale_count: i64,
    /// `stale_count` among `total`.
    pub stale: Rate,
    /// Most frequent first.
    pub refs: Vec<RuntimeRef>,
}

lists!(Runtimes: refs);

/// Runs with one revision of the scripts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RuntimeRef {
    /// `local`, `remote`, `pinned` or `mirror`.
    pub source: String,
    /// `main`, a release tag or a commit; empty if it was not reported.
    #[serde(rename = "ref")]
    pub revision: String,
    /// Number of runs.
    pub count: i64,
    /// UTC day of the first run ever with this revision.
    pub first_seen_day: NaiveDate,
    /// Whether the revision is stale; see `stale_count`.
    pub stale: bool,
}

/// Builds the answer.
#[must_use]
pub fn runtimes(as_of: DateTime<Utc>, rows: Vec<RuntimeCount>) -> Runtimes {
    let oldest_fresh = as_of.date_naive() - Days::new(FRESH_DAYS);
    let is_stale = |row: &&RuntimeCount| {
        !row.revision.is_empty() && row.revision != MOVING && row.first_day < oldest_fresh
    };
    let total = rows.iter().map(|row| row.runs).sum();
    let stale_count = rows.iter().filter(is_stale).map(|row| row.runs).sum();
    let mut refs = Vec::<RuntimeRef>::new();
    for row in &rows {
        let (source, revision, stale) = (&row.source, &row.shown_revision, is_stale(&row));
        // Rare revisions are shown as one, the stale ones apart.
        let same = refs.iter_mut().find(|shown| {
            revision == RARE && shown.revision == *revision && shown.source == *source && shown.stale == stale
        });
        match same {
            Some(shown) => {
                shown.count += row.runs;
                shown.first_seen_day = shown.first_seen_day.min(row.first_day);
            }
            None => refs.push(RuntimeRef {
                source: source.clone(),
                revision: revision.clone(),
                count: row.runs,
                first_seen_day: row.first_day,
                stale,
            }),
        }
    }
    refs.sort_by_key(|shown| -shown.count);
    refs.truncate(TOP);
    Runtimes { as_of, total, stale_count, stale: Rate::of(stale_count, total), refs }
}
