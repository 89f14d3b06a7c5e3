//! Rebuilds the rollups, and everything else that is derived, from the executions.

use std::time::Duration;

use chrono::NaiveDate;
use sqlx::{Connection, PgConnection};

use crate::ingest::execution::Execution;
use crate::ingest::scrub::scrub_facts;
use crate::store::keep::horizon::horizon;
use crate::store::keep::recount::pages::{days, is_before, page_of, position};
use crate::store::keep::{monthly_sums, sessions};
use crate::store::model::difference::Difference;
use crate::store::model::rollup::PopulationKey;
use crate::store::model::row::{Stored, Written};
use crate::store::model::templates::templates;
use crate::store::write::erasures;
use crate::store::write::merge::KnownIds;
use crate::store::write::statement::write;

/// The result of [`rebuild`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Number of rebuilt days.
    pub days: usize,
    /// Days before the horizon, in order. Their rollups are final.
    pub days_left_out: Vec<NaiveDate>,
    /// The last day that was rebuilt or left out.
    last: Option<NaiveDate>,
}

/// Rebuilds the rollups from the executions, a day per transaction. Writers wait only for the day that is being
/// rebuilt.
///
/// # Errors
/// Any error from the database; the days before it are rebuilt.
pub async fn rebuild(connection: &mut PgConnection) -> sqlx::Result<Rebuilt> {
    let mut rebuilt = Rebuilt::default();
    resume(connection, &mut rebuilt).await?;
    Ok(rebuilt)
}

/// Like [`rebuild`], without the days that `rebuilt` has, which it adds to.
///
/// # Errors
/// Any error from the database; `rebuilt` has the days before it.
pub async fn resume(connection: &mut PgConnection, rebuilt: &mut Rebuilt) -> sqlx::Result<()> {
    for day in days(connection).await? {
        if rebuilt.last.is_some_and(|last| day <= last) {
            continue;
        }
        if rebuild_day(connection, day).await? {
            rebuilt.days += 1;
        } else {
            rebuilt.days_left_out.push(day);
        }
        rebuilt.last = Some(day);
    }
    sessions::mark_all(connection).await?;
    while !sessions::refresh(connection).await? {
        // A running server is counting.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

/// Returns false, and changes nothing, for a day before the horizon.
async fn rebuild_day(connection: &mut PgConnection, day: NaiveDate) -> sqlx::Result<bool> {
    let mut transaction = connection.begin().await?;
    // While it is held, no population that the day uses is deleted.
    erasures::lock_shared(&mut transaction).await?;
    let mut known = KnownIds::default();
    // Waits for running batches and holds back new ones, so that nothing is counted twice or left out.
    sqlx::query!("lock table execution in share row exclusive mode").execute(&mut *transaction).await?;
    // Nothing is deleted while the lock is held, and the horizon is stored before anything is deleted.
    if is_before(day, horizon(&mut transaction).await?) {
        transaction.rollback().await?;
        return Ok(false);
    }
    sqlx::query!("delete from rollup_script where day = $1", day).execute(&mut *transaction).await?;
    sqlx::query!("delete from rollup_duration where day = $1", day).execute(&mut *transaction).await?;
    sqlx::query!("delete from rollup_facet where day = $1", day).execute(&mut *transaction).await?;
    sqlx::query!("delete from rollup_exit_code where day = $1", day).execute(&mut *transaction).await?;
    sqlx::query!("delete from rollup_signature where day = $1", day).execute(&mut *transaction).await?;
    sqlx::query!("delete from rollup_environment where day = $1", day).execute(&mut *transaction).await?;
    sqlx::query!("delete from rollup_hour where day = $1", day).execute(&mut *transaction).await?;
    monthly_sums::invalidate(&mut transaction, day).await?;
    let mut last = None;
    loop {
        let page = page_of(&mut transaction, day, last).await?;
        last = page.last().map(position);
        if last.is_none() {
            break;
        }
        rebuild_page(&mut transaction, &mut known, &page).await?;
    }
    transaction.commit().await?;
    Ok(true)
}

/// Counts some executions and derives their derived columns.
async fn rebuild_page(
    connection: &mut PgConnection,
    known: &mut KnownIds,
    page: &[Stored],
) -> sqlx::Result<()> {
    let derived: Vec<_> = page.iter().map(derive).collect();
    let touched: Vec<_> = derived.iter().map(PopulationKey::of).collect();
    known.populations.load_or_insert(connection, &touched).await?;
    let mut difference = Difference::default();
    let mut changed = Vec::new();
    for (execution, row) in derived.iter().zip(page) {
        let population = known.populations.id(PopulationKey::of(execution)).unwrap_or_default();
        difference.count(execution, population, 1);
        if *execution != row.execution || execution.outcome().as_str() != row.outcome.as_str() {
            changed.push(Written { execution, revision: row.revision + 1, is_new: false });
        }
    }
    changed.sort_unstable_by_key(|row| row.execution.key);
    write(connection, &changed, &difference.into_rows(), &templates(derived.iter()), &[]).await
}

/// The row as this version would store it: an earlier one may have scrubbed its texts by other rules, or
/// derived another signature.
pub(crate) fn derive(row: &Stored) -> Execution {
    let execution = row.execution.clone();
    Execution { facts: scrub_facts(execution.facts), ..execution }.diagnosed()
}
