//! One batch of events into the database, in one transaction: read the rows of their runs, join,
//! write them back and add the difference to the rollups.

use std::collections::{BTreeMap, HashMap};

use sqlx::{Connection, PgConnection};

use crate::ingest::execution::Execution;
use crate::ingest::identity::RunKey;
use crate::store::difference::Difference;
use crate::store::population::Populations;
use crate::store::rollup::PopulationKey;
use crate::store::row::{Columns, Row};

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// Everything is committed.
    Committed,
    /// Another writer changed one of the rows in between. Nothing was written; try again.
    Outrun,
}

/// Joins events of the same run, so that each run is written once. Sorted by key: every writer
/// locks rows in this order.
#[must_use]
pub fn join_events(events: impl IntoIterator<Item = Execution>) -> BTreeMap<RunKey, Execution> {
    let mut runs = BTreeMap::<RunKey, Execution>::new();
    for event in events {
        match runs.entry(event.key) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(event);
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => entry.get_mut().join(event),
        }
    }
    runs
}

/// A run as it stands and as it will stand.
struct Change {
    old: Option<(Execution, i32)>,
    new: Execution,
}

/// Merges runs into the database. `connection` is in no transaction.
///
/// # Errors
/// What the database says; then nothing is written.
pub async fn merge(
    connection: &mut PgConnection,
    populations: &mut Populations,
    runs: &BTreeMap<RunKey, Execution>,
) -> sqlx::Result<Merged> {
    let stored = read_rows(connection, runs.keys().copied()).await?;
    let changes = changes(runs, stored);
    if changes.is_empty() {
        return Ok(Merged::Committed);
    }
    populations.learn(connection, &touched(&changes)).await?;

    let mut difference = Difference::default();
    let mut rows = Columns::default();
    for Change { old, new } in &changes {
        // A population that was just learnt has an id.
        let id = |execution| populations.id(PopulationKey::of(execution)).unwrap_or_default();
        difference.count(new, id(new), 1);
        if let Some((old, _)) = old {
            difference.count(old, id(old), -1);
        }
        rows.push(new, old.as_ref().map_or(1, |(_, revision)| revision + 1));
    }

    let mut transaction = connection.begin().await?;
    if rows.write(&mut transaction).await? < changes.len() as u64 {
        transaction.rollback().await?;
        return Ok(Merged::Outrun);
    }
    difference.write(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Merged::Committed)
}

async fn read_rows(
    connection: &mut PgConnection,
    keys: impl Iterator<Item = RunKey>,
) -> sqlx::Result<HashMap<RunKey, (Execution, i32)>> {
    let keys: Vec<_> = keys.map(|key| key.0).collect();
    let rows = sqlx::query_as!(Row, "select * from execution where run_key = any($1)", &keys)
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(Row::into_execution).map(|read| (read.0.key, read)).collect())
}

/// The populations to which the runs belong and belonged.
fn touched(changes: &[Change]) -> Vec<PopulationKey<'_>> {
    let old = changes.iter().filter_map(|change| change.old.as_ref().map(|(old, _)| old));
    changes.iter().map(|change| &change.new).chain(old).map(PopulationKey::of).collect()
}

/// What is to be written: runs that are new or that the events change.
fn changes(runs: &BTreeMap<RunKey, Execution>, mut stored: HashMap<RunKey, (Execution, i32)>) -> Vec<Change> {
    let change = |(key, run): (&RunKey, &Execution)| match stored.remove(key) {
        None => Some(Change { old: None, new: run.clone() }),
        Some((old, revision)) => {
            let mut new = old.clone();
            new.join(run.clone());
            (new != old).then_some(Change { old: Some((old, revision)), new })
        }
    };
    runs.iter().filter_map(change).collect()
}
