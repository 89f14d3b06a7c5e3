//! Merges a batch: reads the rows of its executions, joins them with the events, and writes them and the
//! difference to the rollups in one statement, unless one of the events has been erased.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use sqlx::PgConnection;

use crate::ingest::execution::Execution;
use crate::ingest::identity::RunKey;
use crate::store::model::difference::Difference;
use crate::store::model::population::Populations;
use crate::store::model::rollup::PopulationKey;
use crate::store::model::row::{Stored, Written};
use crate::store::model::templates::{is_counted, templates};
use crate::store::write::erasures::arrivals;
use crate::store::write::statement::write;

/// SQLSTATE of a batch that conflicts with another writer.
const SERIALIZATION_FAILURE: &str = "40001";

/// Cache of the small table that rows refer to.
#[derive(Debug, Default)]
pub struct KnownIds {
    /// Ids of populations.
    pub populations: Populations,
}

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// Everything is committed.
    Committed,
    /// Another writer changed one of the rows after it was read, an event has been erased, or a population in the
    /// cache has been deleted. Nothing was written, and the cache is empty; try again without the erased events.
    Conflict,
}

/// Joins the events of each execution, so that each row is written once. Sorted by key: every writer locks
/// rows in this order.
#[must_use]
pub fn join_events<'a>(events: impl IntoIterator<Item = &'a Execution>) -> Vec<Cow<'a, Execution>> {
    let mut events: Vec<_> = events.into_iter().collect();
    events.sort_by_key(|event| event.key);
    let have_same_key = |a: &&Execution, b: &&Execution| a.key == b.key;
    let join = |events: &[&'a Execution]| {
        let mut joined = Cow::Borrowed(events[0]);
        events[1..].iter().for_each(|event| joined.to_mut().join(event));
        joined
    };
    events.chunk_by(have_same_key).map(join).collect()
}

/// A row before and after a batch.
struct Change<'a> {
    old: Option<Execution>,
    new: Cow<'a, Execution>,
    revision: i32,
}

/// Merges executions, as [`join_events`] returns them, into the database. `connection` is not in a
/// transaction.
///
/// # Errors
/// Any error from the database; then nothing is written.
pub async fn merge(
    connection: &mut PgConnection,
    known: &mut KnownIds,
    executions: &[Cow<'_, Execution>],
) -> sqlx::Result<Merged> {
    let populations = &mut known.populations;
    let changes = changes(connection, executions).await?;
    if changes.is_empty() {
        return Ok(Merged::Committed);
    }
    populations.load_or_insert(connection, &populations_of(&changes)).await?;
    // A template is stored with the first run that is counted under it.
    let is_stored = |old: &Execution, new: &Execution| is_counted(old) && old.signature == new.signature;
    let without =
        changes.iter().filter(|change| !change.old.as_ref().is_some_and(|old| is_stored(old, &change.new)));
    let templates = templates(without.map(|change| change.new.as_ref()));

    let mut difference = Difference::default();
    let mut rows = Vec::with_capacity(changes.len());
    for Change { old, new, revision } in &changes {
        // Every population has an id by now.
        let id = |execution| populations.id(PopulationKey::of(execution)).unwrap_or_default();
        difference.count(new, id(new), 1);
        if let Some(old) = old {
            difference.count(old, id(old), -1);
        }
        rows.push(Written { execution: new, revision: *revision, is_new: old.is_none() });
    }

    let arrivals = arrivals(executions.iter().map(AsRef::as_ref));
    match write(connection, &rows, &difference.into_rows(), &templates, &arrivals).await {
        Ok(()) => Ok(Merged::Committed),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(SERIALIZATION_FAILURE) => {
            // One of the populations may have been deleted.
            *known = KnownIds::default();
            Ok(Merged::Conflict)
        }
        Err(error) => Err(error),
    }
}

/// The first revision of new rows. It is random: a writer that read a row before it was deleted must not
/// mistake the row that a later event inserts for the one that it read.
fn first_revision() -> i32 {
    // 30 bits leave plenty of revisions before an overflow.
    (RandomState::new().build_hasher().finish() >> 34) as i32
}

/// The rows that the executions insert or change, in the order of the executions.
async fn changes<'a>(
    connection: &mut PgConnection,
    executions: &'a [Cow<'_, Execution>],
) -> sqlx::Result<Vec<Change<'a>>> {
    let keys: Vec<_> = executions.iter().map(|execution| execution.key.0).collect();
    let stored = sqlx::query_scalar!(
        "select execution as \"row!: Stored\" from execution where run_key = any($1)",
        &keys
    );
    let stored = stored.fetch_all(connection).await?.into_iter();
    let mut stored: HashMap<RunKey, Stored> = stored.map(|row| (row.execution.key, row)).collect();

    let first_revision = first_revision();
    let mut changes = Vec::with_capacity(executions.len());
    for execution in executions {
        match stored.remove(&execution.key) {
            None => {
                let new = Cow::Borrowed(execution.as_ref());
                changes.push(Change { old: None, new, revision: first_revision });
            }
            Some(Stored { execution: old, revision, .. }) => {
                let mut new = old.clone();
                new.join(execution);
                if new != old {
                    let (old, new) = (Some(old), Cow::Owned(new));
                    changes.push(Change { old, new, revision: revision + 1 });
                }
            }
        }
    }
    Ok(changes)
}

/// The populations to which the rows belong and belonged.
fn populations_of<'a>(changes: &'a [Change<'_>]) -> Vec<PopulationKey<'a>> {
    let old = changes.iter().filter_map(|change| change.old.as_ref());
    changes.iter().map(|change| change.new.as_ref()).chain(old).map(PopulationKey::of).collect()
}
