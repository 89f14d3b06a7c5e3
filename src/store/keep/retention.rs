//! Retention: deletes executions when the day of their first event is older than the retention period. Their
//! counts stay in the rollups.
//!
//! Batches are small, with pauses between them, so that ingest is not slowed down. One instance at a time does
//! this. It may be stopped anywhere: each step is a transaction, and the next pass continues. While the clock is
//! in doubt (`clock_check`), nothing is deleted. Each pass also deletes what no run has any more (`unused`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::metrics::Metrics;
use crate::store::database::background::{connect, pass};
use crate::store::keep::clock_check::deletable_before;
use crate::store::keep::horizon::{advance, horizon};
use crate::store::keep::unused::delete_unused;
use crate::store::write::erasures;

/// Time between two passes.
const INTERVAL: Duration = Duration::from_secs(3600);
/// Time until a failed pass is repeated.
const RETRY: Duration = Duration::from_secs(60);
/// Executions in one transaction.
const BATCH_ROWS: i64 = 1_000;
/// The pause after a batch, as a multiple of its duration.
const PAUSE_SHARE: u32 = 4;
/// Shortest pause.
const MIN_PAUSE: Duration = Duration::from_millis(20);
/// How long erasures are remembered: longer than an event should ever wait in a spool.
const ERASED_KEPT: TimeDelta = TimeDelta::days(30);
/// The advisory lock of the instance that deletes.
const LOCK: i64 = 0x7465_6c65_6167_6500;

/// The first UTC day that is kept: `days` days before today.
#[must_use]
pub fn first_kept_day(now: DateTime<Utc>, days: u32) -> NaiveDate {
    let today = now.date_naive();
    today.checked_sub_days(Days::new(days.into())).unwrap_or(NaiveDate::MIN)
}

/// A task that deletes expired executions.
pub struct Retention {
    /// Options of its own connection.
    pub options: PgConnectOptions,
    /// Days that executions are kept; `None`: forever.
    pub days: Option<u32>,
    /// All metrics.
    pub metrics: Arc<Metrics>,
}

impl Retention {
    /// Deletes at once and then every hour. Never returns; may be aborted at any time.
    pub async fn run(self) {
        loop {
            let deleted =
                pass("expired executions could not be deleted", self.delete_expired(Utc::now())).await;
            if deleted.is_none() {
                self.metrics.retention_failures.inc();
            }
            let pause = if deleted.is_some() { INTERVAL } else { RETRY };
            tokio::time::sleep(pause).await;
        }
    }

    async fn delete_expired(&self, now: DateTime<Utc>) -> sqlx::Result<()> {
        // A connection of its own: it holds the advisory lock, and closing it releases the lock.
        let mut connection = connect(&self.options, "telemetry retention").await?;
        let deleted = &self.metrics.executions_deleted.with_label_values(&["age"]);
        if let Some(days) = self.days {
            let day = first_kept_day(now, days);
            match deletable_before(&mut connection, now, day).await? {
                Ok(day) => delete_before(&mut connection, day, |rows| deleted.inc_by(rows)).await?,
                Err(reason) => {
                    tracing::warn!(
                        reason = reason.code(),
                        "the clock may be wrong: no expired executions are deleted"
                    );
                    self.metrics.retention_refusals.with_label_values(&[reason.code()]).inc();
                }
            }
        }
        erasures::forget(&mut connection, now - ERASED_KEPT).await?;
        delete_unused(&mut connection).await?;
        // Also if another instance deletes, or did so before.
        if let Some(day) = horizon(&mut connection).await? {
            self.metrics.retention_horizon.set(day.and_time(NaiveTime::MIN).and_utc().timestamp());
        }
        connection.close().await
    }
}

/// Deletes the executions of all days before this one, unless another instance does. Calls `deleted` with the
/// size of each batch. The lock ends with the connection.
///
/// # Errors
/// Any error from the database; the batches before it stay deleted.
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
