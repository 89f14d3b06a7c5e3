//! Deleting by age: executions go when the day of their first event is older than is kept; what was
//! counted of them stays in the rollups.
//!
//! Small batches with pauses, so that ingest does not notice. One instance at a time does it. It can be
//! cut off anywhere: each step is a transaction, and the next pass goes on. While the clock is in doubt
//! (`sanity`) nothing goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::metrics::Metrics;
use crate::store::keep::clock_check::doubt;
use crate::store::keep::horizon::{advance, horizon};
use crate::store::write::erasures;

/// Time between two passes.
const INTERVAL: Duration = Duration::from_secs(3600);
/// Time until a pass that failed is tried again.
const RETRY: Duration = Duration::from_secs(60);
/// Executions in one transaction.
const BATCH_ROWS: i64 = 1_000;
/// After a batch so many times its duration are paused.
const PAUSE_SHARE: u32 = 4;
/// Shortest pause.
const MIN_PAUSE: Duration = Duration::from_millis(20);
/// How long it is remembered what was erased: longer than an event should ever wait in a spool.
const ERASED_KEPT: TimeDelta = TimeDelta::days(30);
/// The advisory lock that whoever deletes holds.
const LOCK: i64 = 0x7465_6c65_6167_6500;

/// The first UTC day that is kept: `days` days before the day of `now`.
#[must_use]
pub fn first_kept_day(now: DateTime<Utc>, days: u32) -> NaiveDate {
    let today = now.date_naive();
    today.checked_sub_days(Days::new(days.into())).unwrap_or(NaiveDate::MIN)
}

/// A task that deletes what is too old.
pub struct Retention {
    /// The way to the database.
    pub options: PgConnectOptions,
    /// Days that executions are kept; `None`: for ever.
    pub days: Option<u32>,
    /// All metrics.
    pub metrics: Arc<Metrics>,
}

impl Retention {
    /// Deletes at once and then every hour. Never returns; may be aborted at any time.
    pub async fn run(self) {
        loop {
            let pause = match self.pass(Utc::now()).await {
                Ok(()) => INTERVAL,
                Err(error) => {
                    let code = error.as_database_error().and_then(|error| error.code());
                    tracing::warn!(sqlstate = code.as_deref(), "old executions could not be deleted");
                    self.metrics.retention_failures.inc();
                    RETRY
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn pass(&self, now: DateTime<Utc>) -> sqlx::Result<()> {
        // A connection of its own: it holds the advisory lock, and closing it lets go.
        let mut connection = PgConnection::connect_with(&self.options).await?;
        let deleted = &self.metrics.executions_deleted.with_label_values(&["age"]);
        if let Some(days) = self.days {
            let day = first_kept_day(now, days);
            match doubt(&mut connection, now, day).await? {
                None => delete_before(&mut connection, day, |rows| deleted.inc_by(rows)).await?,
                Some(doubt) => {
                    tracing::warn!(
                        reason = doubt.code(),
                        "the clock may be wrong: nothing is deleted for its age"
                    );
                    self.metrics.retention_refusals.with_label_values(&[doubt.code()]).inc();
                }
            }
        }
        erasures::forget(&mut connection, now - ERASED_KEPT).await?;
        // Also when another instance deletes, or did so before.
        if let Some(day) = horizon(&mut connection).await? {
            self.metrics.retention_horizon.set(day.and_time(NaiveTime::MIN).and_utc().timestamp());
        }
        connection.close().await
    }
}

/// Deletes the executions of all days before this one, unless somebody else is at it. `deleted` is
/// told the size of each batch. The lock ends with the connection.
///
/// # Errors
/// What the database says; what was deleted so far stays deleted.
pub async fn delete_before(
    connection: &mut PgConnection,
    day: NaiveDate,
    mut deleted: impl FnMut(u64),
) -> sqlx::Result<()> {
    let end = day.and_time(NaiveTime::MIN).and_utc();
    let may = sqlx::query_scalar!("select pg_try_advisory_lock($1) as \"may!\"", LOCK);
    if !may.fetch_one(&mut *connection).await? {
        return Ok(());
    }
    let oldest = sqlx::query_scalar!("select min(first_seen) from execution where first_seen < $1", end);
    let mut position = oldest.fetch_one(&mut *connection).await?;
    if position.is_some() {
        let horizon = advance(connection, day).await?;
        tracing::info!(%horizon, "deleting the executions of earlier days");
    }
    while let Some(start) = position {
        let begun = Instant::now();
        let batch = sqlx::query_file!("src/store/sql/keep/delete_older.sql", end, start, BATCH_ROWS);
        let batch = batch.fetch_one(&mut *connection).await?;
        deleted(batch.rows.unsigned_abs());
        position = batch.last;
        if position.is_some() {
            tokio::time::sleep((begun.elapsed() * PAUSE_SHARE).max(MIN_PAUSE)).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_days_before_today_are_kept() {
        let now = DateTime::parse_from_rfc3339("2026-03-10T23:59:59.999Z").expect("a time").to_utc();
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        assert_eq!(first_kept_day(now, 1), day("2026-03-09"));
        assert_eq!(first_kept_day(now, 365), day("2025-03-10"));
        assert_eq!(first_kept_day(now, u32::MAX), NaiveDate::MIN);
    }
}
