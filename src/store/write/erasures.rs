//! Remembers which executions were erased by id, so that events that arrived before do not bring them back. All
//! instances use the same table, so it does not matter on which machine an event waits.
//!
//! The statement that writes a batch takes a shared lock, looks at the table, and holds the lock until it is committed
//! (`check_batch` in the schema); erasing takes the lock exclusively. So a batch is either committed before the rows
//! are deleted, or it fails and is committed without the erased events. That holds as well for a statement that
//! outlives the patience of the server that sent it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ingest::execution::Execution;

/// Leaves out events that arrived before their execution was erased.
///
/// # Errors
/// Any error from the database.
pub async fn without_erased<'a>(
    connection: &mut PgConnection,
    events: &[&'a Execution],
) -> sqlx::Result<Vec<&'a Execution>> {
    let mut keys: Vec<_> = events.iter().flat_map(|event| keys_of(event)).collect();
    keys.sort_unstable();
    keys.dedup();
    let erased = sqlx::query!("select key, at from erased where key = any($1) order by key", &keys);
    let erased = erased.fetch_all(connection).await?;
    let is_erased = |event: &Execution| {
        keys_of(event).any(|key| {
            let found = erased.binary_search_by_key(&key, |row| row.key);
            found.is_ok_and(|place| event.first_seen <= erased[place].at)
        })
    };
    Ok(events.iter().copied().filter(|event| !is_erased(event)).collect())
}

/// The keys of events, and when the events arrived.
pub(crate) fn arrivals<'a>(events: impl Iterator<Item = &'a Execution>) -> Vec<(Uuid, DateTime<Utc>)> {
    events.flat_map(|event| keys_of(event).map(|key| (key, event.first_seen))).collect()
}

fn keys_of(event: &Execution) -> impl Iterator<Item = Uuid> + use<> {
    [Some(event.key), event.session].into_iter().flatten().map(|key| key.0)
}

/// Takes the exclusive lock until the transaction ends.
///
/// # Errors
/// Any error from the database.
pub(crate) async fn lock(transaction: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(erasure_lock())").fetch_one(transaction).await.map(drop)
}

/// Takes the shared lock until the transaction ends, before the locks of tables.
///
/// # Errors
/// Any error from the database.
pub(crate) async fn lock_shared(transaction: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_advisory_xact_lock_shared(erasure_lock())").fetch_one(transaction).await.map(drop)
}

/// Records that executions or sessions were erased.
///
/// # Errors
/// Any error from the database.
pub(crate) async fn note(
    transaction: &mut PgConnection,
    keys: &[Uuid],
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    let note = sqlx::query!(
        "insert into erased (key, at) select distinct key, $2::timestamptz from unnest($1::uuid[]) as key order by key
         on conflict (key) do update set at = greatest(erased.at, excluded.at)",
        keys,
        at
    );
    note.execute(transaction).await.map(drop)
}

/// Deletes the records of what was erased before a time.
///
/// # Errors
/// Any error from the database.
pub(crate) async fn forget(connection: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("delete from erased where at < $1", before).execute(connection).await.map(drop)
}
