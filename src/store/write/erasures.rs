//! Remembers which executions were erased by id, so that events in a spool do not bring them back. All
//! instances use the same table, so it does not matter on which machine an event waits.
//!
//! Draining a page takes a shared lock before it reads the table and holds it until the page is committed;
//! erasing takes the lock exclusively. So a page is either committed before the rows are deleted, or it leaves
//! out what was erased. The lock belongs to the connection that commits: if the connection is lost, PostgreSQL
//! releases the lock only after the statement has ended.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ingest::execution::Execution;

/// The advisory lock between draining and erasing.
const LOCK: i64 = 0x7465_6c65_6572_6173;

/// Leaves out events that arrived before their execution was erased. `connection` holds the shared lock
/// afterwards, until [`unlock`] or its end.
///
/// # Errors
/// Any error from the database; the connection may hold the lock all the same.
pub(crate) async fn without_erased<'a>(
    connection: &mut PgConnection,
    events: &[&'a Execution],
) -> sqlx::Result<Vec<&'a Execution>> {
    sqlx::query!("select pg_advisory_lock_shared($1)", LOCK).fetch_one(&mut *connection).await?;
    let mut keys: Vec<_> = events.iter().flat_map(|event| keys_of(event)).collect();
    keys.sort_unstable();
    keys.dedup();
    // A separate statement: its snapshot includes what was erased while the lock was awaited.
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

fn keys_of(event: &Execution) -> impl Iterator<Item = Uuid> {
    [Some(event.key), event.session].into_iter().flatten().map(|key| key.0)
}

/// Releases the shared lock.
///
/// # Errors
/// Any error from the database.
pub(crate) async fn unlock(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_advisory_unlock_shared($1)", LOCK).fetch_one(connection).await.map(drop)
}

/// Takes the exclusive lock until the transaction ends.
///
/// # Errors
/// Any error from the database.
pub(crate) async fn lock(transaction: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_advisory_xact_lock($1)", LOCK).fetch_one(transaction).await.map(drop)
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
