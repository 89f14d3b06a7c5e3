//! Erases by id: deletes executions, their counts and their names in one transaction, and notes the erasure for events
//! that are not stored yet.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, PgPool};

use crate::ingest::identity::RunKey;
use crate::store::keep::horizon::horizon;
use crate::store::keep::known_names;
use crate::store::keep::unused::{delete_candidates, delete_zero_rows};
use crate::store::model::difference::Difference;
use crate::store::model::population::Populations;
use crate::store::model::rollup::PopulationKey;
use crate::store::model::row::Stored;
use crate::store::write::erasures;
use crate::store::write::statement::write;

/// Executions in one transaction. A session has a few; a forged one may have many.
const PAGE_ROWS: i64 = 200;

/// Erases the execution with this key and the attempts of the session with this key. Returns their number. `at`
/// is the time of the request: events that arrived before and are not stored yet will not be stored.
///
/// # Errors
/// Any error from the database; some executions may be erased already.
pub async fn erase(pool: &PgPool, key: RunKey, at: DateTime<Utc>) -> sqlx::Result<u64> {
    let mut connection = pool.acquire().await?;
    let mut erased = 0;
    loop {
        let page = erase_page(&mut connection, key, at).await?;
        erased += page;
        if page < PAGE_ROWS as u64 {
            return Ok(erased);
        }
    }
}

/// Erases one page. Waits for a writer that is changing one of the rows. A writer that has read a row before it
/// is erased starts again.
async fn erase_page(connection: &mut PgConnection, key: RunKey, at: DateTime<Utc>) -> sqlx::Result<u64> {
    let mut transaction = connection.begin().await?;
    // First, because a pass over names may hold it for a while, and writers wait for the next one.
    known_names::lock(&mut transaction).await?;
    erasures::lock(&mut transaction).await?;
    // The rows are locked in the order of all writers, and returned as they are when locked.
    let deleted = sqlx::query_scalar!(
        "delete from execution where run_key = any(array(
             select run_key from execution where run_key = $1 or session_key = $1
             order by run_key limit $2 for update
         )) returning execution as \"row!: Stored\"",
        key.0,
        PAGE_ROWS
    );
    let deleted = deleted.fetch_all(&mut *transaction).await?;
    touch_sessions(&mut transaction, &deleted).await?;
    // A waiting event may have the id of the run without that of its session.
    let keys = deleted.iter().map(|row| row.execution.key.0).chain([key.0]).collect::<Vec<_>>();
    erasures::note(&mut transaction, &keys, at).await?;
    // The rollups of days before the horizon are final: they count a run whether it is erased shortly before
    // or shortly after it expires. Read after the rows are locked.
    let horizon = horizon(&mut transaction).await?;
    let counted = deleted.iter().map(|row| &row.execution);
    let counted = counted.filter(|run| horizon.is_none_or(|first| run.first_seen.date_naive() >= first));
    let counted: Vec<_> = counted.collect();
    if !counted.is_empty() {
        let mut populations = Populations::default();
        let keys: Vec<_> = counted.iter().copied().map(PopulationKey::of).collect();
        populations.load_or_insert(&mut transaction, &keys).await?;
        let mut difference = Difference::default();
        for run in counted {
            difference.count(run, populations.id(PopulationKey::of(run)).unwrap_or_default(), -1);
        }
        write(&mut transaction, &[], &difference.into_rows(), &[], &[]).await?;
    }
    known_names::recheck(&mut transaction, deleted.iter().map(|row| &row.execution)).await?;
    let days: BTreeSet<_> = deleted.iter().map(|row| row.execution.first_seen.date_naive()).collect();
    let unused = delete_zero_rows(&mut transaction, &days.into_iter().collect::<Vec<_>>()).await?;
    delete_candidates(&mut transaction, &unused).await?;
    transaction.commit().await?;
    Ok(deleted.len() as u64)
}

/// Marks the days of the remaining attempts: their sessions have lost one.
async fn touch_sessions(connection: &mut PgConnection, deleted: &[Stored]) -> sqlx::Result<()> {
    let sessions: Vec<_> = deleted.iter().filter_map(|row| Some(row.execution.session?.0)).collect();
    if sessions.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into session_touched (day)
         select distinct (first_seen at time zone 'UTC')::date from execution
         where run_key = any($1) or session_key = any($1)",
        &sessions
    )
    .execute(connection)
    .await
    .map(drop)
}
