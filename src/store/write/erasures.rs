//! What was erased by id, for whoever drains a spool: an event that waited there when its run was
//! erased must not bring it back. Every instance asks the same table, so it does not matter on
//! which machine the event waits.
//!
//! Who drains a page holds a lock, shared with others that drain, from asking until the page is
//! committed; who erases holds it alone. So a page is either committed before the rows are
//! deleted, or it knows what was erased. The lock belongs to the connection that commits: if
//! that is cut, PostgreSQL lets go of it only when it is done with the statement.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ingest::execution::Execution;

/// The advisory lock between those that drain and those that erase.
const LOCK: i64 = 0x7465_6c65_6572_6173;

/// Leaves out what was erased after it came. `connection` holds the lock from here on, until
/// [`unlock`] or its end.
///
/// # Errors
/// What the database says; the connection may hold the lock then.
pub(crate) async fn without_erased<'a>(
    connection: &mut PgConnection,
    events: &[&'a Execution],
) -> sqlx::Result<Vec<&'a Execution>> {
    sqlx::query!("select pg_advisory_lock_shared($1)", LOCK).fetch_one(&mut *connection).await?;
    let mut keys: Vec<_> = events.iter().flat_map(|event| keys_of(event)).collect();
    keys.sort_unstable();
    keys.dedup();
    // Its own statement, so that it sees what was erased while the lock was waited for.
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

/// Lets whoever waits erase.
///
/// # Errors
/// What the database says.
pub(crate) async fn unlock(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_advisory_unlock_shared($1)", LOCK).fetch_one(connection).await.map(drop)
}

/// Waits until nobody drains, and keeps them from it until the transaction ends.
///
/// # Errors
/// What the database says.
pub(crate) async fn begin(transaction: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_advisory_xact_lock($1)", LOCK).fetch_one(transaction).await.map(drop)
}

/// Remembers what is erased.
///
/// # Errors
/// What the database says.
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

/// Forgets what was erased before a time.
///
/// # Errors
/// What the database says.
pub(crate) async fn forget(connection: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("delete from erased where at < $1", before).execute(connection).await.map(drop)
}
