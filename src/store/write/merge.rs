//! One batch of events into the database, in one transaction: read the rows of their runs, join,
//! write them back and add the difference to the rollups.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher, RandomState};

use sqlx::PgConnection;

use crate::ingest::execution::Execution;
use crate::store::model::difference::Difference;
use crate::store::model::population::Populations;
use crate::store::model::rollup::PopulationKey;
use crate::store::model::row::{Stored, Written};
use crate::store::model::templates::Signatures;
use crate::store::write::recent::{Expected, Recent};
use crate::store::write::statement::write;

/// SQLSTATE of a batch that was too late.
const SERIALIZATION_FAILURE: &str = "40001";

/// What a writer remembers: the small tables that its rows point to, and rows.
#[derive(Debug, Default)]
pub struct Known {
    /// Ids of populations.
    pub populations: Populations,
    /// Signatures that have a template.
    pub signatures: Signatures,
    /// Rows that it wrote.
    pub recent: Recent,
}

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// Everything is committed.
    Committed,
    /// Another writer changed one of the rows in between. Nothing was written; try again.
    Outrun,
}

/// Joins events of the same run, so that each run is written once. Sorted by key: the order in
/// which every writer locks rows.
#[must_use]
pub fn join_events<'a>(events: impl IntoIterator<Item = &'a Execution>) -> Vec<Cow<'a, Execution>> {
    let mut events: Vec<_> = events.into_iter().collect();
    events.sort_by_key(|event| event.key);
    let same_run = |a: &&Execution, b: &&Execution| a.key == b.key;
    let join = |events: &[&'a Execution]| {
        let mut run = Cow::Borrowed(events[0]);
        events[1..].iter().for_each(|event| run.to_mut().join(event));
        run
    };
    events.chunk_by(same_run).map(join).collect()
}

/// A run as it stands and as it will stand.
struct Change<'a> {
    old: Option<(Box<Execution>, i32)>,
    new: Cow<'a, Execution>,
    revision: i32,
}

/// Merges runs, as [`join_events`] returns them, into the database. `connection` is in no
/// transaction.
///
/// # Errors
/// What the database says; then nothing is written.
pub async fn merge(
    connection: &mut PgConnection,
    known: &mut Known,
    runs: &[Cow<'_, Execution>],
) -> sqlx::Result<Merged> {
    let Known { populations, signatures, recent } = known;
    let rows = rows(connection, recent, runs).await?;
    let changes = changes(runs, rows);
    if changes.is_empty() {
        return Ok(Merged::Committed);
    }
    populations.learn(connection, &touched(&changes)).await?;
    signatures.learn(connection, changes.iter().map(|change| change.new.as_ref())).await?;

    let mut difference = Difference::default();
    let mut rows = Vec::with_capacity(changes.len());
    for Change { old, new, revision } in &changes {
        // A population that was just learnt has an id.
        let id = |execution| populations.id(PopulationKey::of(execution)).unwrap_or_default();
        difference.count(new, id(new), 1);
        if let Some((old, _)) = old {
            difference.count(old, id(old), -1);
        }
        rows.push(Written { execution: new, revision: *revision, is_new: old.is_none() });
    }

    match write(connection, &rows, &difference.into_rows()).await {
        Ok(()) => {
            recent.committed();
            for Change { new, revision, .. } in changes {
                recent.keep(new, revision);
            }
            Ok(Merged::Committed)
        }
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(SERIALIZATION_FAILURE) => {
            recent.outrun();
            Ok(Merged::Outrun)
        }
        Err(error) => Err(error),
    }
}

/// Where a row begins to count its revisions: anywhere, so that a writer that read a row before it
/// was deleted does not take for it the one that a later event has made since.
fn first_revision() -> i32 {
    // 30 bits: far from the end of the integers.
    (RandomState::new().build_hasher().finish() >> 34) as i32
}

/// For each run its row with the revision, if it has one: as remembered, else as stored.
async fn rows(
    connection: &mut PgConnection,
    recent: &mut Recent,
    runs: &[Cow<'_, Execution>],
) -> sqlx::Result<Vec<Option<(Box<Execution>, i32)>>> {
    let expected: Vec<_> = runs.iter().map(|run| recent.expect(run)).collect();
    let unknown = runs.iter().zip(&expected).filter(|(_, expected)| matches!(expected, Expected::Unknown));
    let unknown: Vec<_> = unknown.map(|(run, _)| run.key.0).collect();
    let mut stored = Vec::new();
    if !unknown.is_empty() {
        let rows = sqlx::query_scalar!(
            "select execution as \"row!: Stored\" from execution where run_key = any($1)",
            &unknown
        );
        stored = rows.fetch_all(connection).await?;
        stored.sort_unstable_by_key(|row| row.execution.key);
    }
    let mut stored = stored.into_iter().peekable();
    let row = |(run, expected): (&Cow<'_, Execution>, Expected)| match expected {
        Expected::Row(row, revision) => Some((row, revision)),
        Expected::New => None,
        Expected::Unknown => stored
            .next_if(|row| row.execution.key == run.key)
            .map(|Stored { execution, revision, .. }| (Box::new(execution), revision)),
    };
    Ok(runs.iter().zip(expected).map(row).collect())
}

/// What is to be written: runs that are new or that the events change.
fn changes<'a>(runs: &'a [Cow<'_, Execution>], rows: Vec<Option<(Box<Execution>, i32)>>) -> Vec<Change<'a>> {
    let first_revision = first_revision();
    let mut changes = Vec::with_capacity(runs.len());
    for (run, old) in runs.iter().zip(rows) {
        let Some((old, revision)) = old else {
            let new = Cow::Borrowed(run.as_ref());
            changes.push(Change { old: None, new, revision: first_revision });
            continue;
        };
        let mut new = old.clone();
        new.join(run);
        if new != old {
            changes.push(Change {
                old: Some((old, revision)),
                new: Cow::Owned(*new),
                revision: revision + 1,
            });
        }
    }
    changes
}

/// The populations to which the runs belong and belonged.
fn touched<'a>(changes: &'a [Change<'_>]) -> Vec<PopulationKey<'a>> {
    let old = changes.iter().filter_map(|change| Some(change.old.as_ref()?.0.as_ref()));
    changes.iter().map(|change| change.new.as_ref()).chain(old).map(PopulationKey::of).collect()
}
