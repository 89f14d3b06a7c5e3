//! The domain metrics for Prometheus, read from the rollups of the last nine days.
//!
//! One scrape at a time reads them, at most every five seconds. With a scrape at least every minute, no scrape
//! waits for the database: it gets the numbers of the previous one, whose time is in
//! `telemetry_domain_timestamp_seconds`, and starts a new reading.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, TimeDelta, Utc};
use sqlx::PgPool;

use crate::ingest::execution::full_hour;
use crate::metrics::Metrics;
use crate::metrics::domain::{Domain, ExitCodeCount, RunCount, ScriptCount};
use crate::store::read::snapshot;

/// A scrape within this time gets the same numbers.
const FRESH: Duration = Duration::from_secs(5);
/// A scrape within this time gets the same numbers while new ones are read in the background.
const USABLE: Duration = Duration::from_secs(60);
/// Longest time for the database, shorter than Prometheus waits for a scrape.
const PATIENCE: Duration = Duration::from_secs(2);
/// Days before today that count as recent.
const RECENT_DAYS: u64 = 1;
/// Days before the recent ones, for comparison.
const BEFORE_DAYS: u64 = 7;

/// The domain metrics as text. A failure is kept as long as numbers are, so that scrapes do not burden a
/// database that is in trouble.
#[derive(Debug)]
pub struct DomainText {
    pool: PgPool,
    /// The primary, if `pool` leads to a replica.
    primary: Option<PgPool>,
    metrics: Arc<Metrics>,
    /// The last text and the time it was read.
    last: Mutex<Option<(Instant, Arc<str>)>>,
    /// Held during a reading.
    reading: tokio::sync::Mutex<()>,
}

impl DomainText {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(pool: &PgPool, primary: Option<PgPool>, metrics: &Arc<Metrics>) -> Self {
        let (last, reading) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { pool: pool.clone(), primary, metrics: Arc::clone(metrics), last, reading }
    }

    /// The metrics, or an empty text if the database did not answer. An open execution is unfinished if its last
    /// event came before `running_since`.
    pub async fn read(self: &Arc<Self>, now: DateTime<Utc>, running_since: DateTime<Utc>) -> Arc<str> {
        if let Some((age, text)) = self.last() {
            if age < FRESH {
                return text;
            }
            if age < USABLE {
                let this = Arc::clone(self);
                tokio::spawn(async move { this.renew(now, running_since).await });
                return text;
            }
        }
        self.renew(now, running_since).await
    }

    /// Reads the metrics, or waits for a reading in progress.
    async fn renew(&self, now: DateTime<Utc>, running_since: DateTime<Utc>) -> Arc<str> {
        let _reading = self.reading.lock().await;
        if let Some((_, text)) = self.last().filter(|(age, _)| *age < FRESH) {
            return text;
        }
        let begun = Instant::now();
        let read = tokio::time::timeout(PATIENCE, domain(&self.pool, now, running_since)).await;
        let text = read.ok().and_then(Result::ok).and_then(|domain| domain.render().ok());
        let up = |database: &str, is_up: bool| {
            self.metrics.database_up.with_label_values(&[database]).set(i64::from(is_up));
        };
        match &self.primary {
            None => up("primary", text.is_some()),
            Some(primary) => {
                up("replica", text.is_some());
                let answer = tokio::time::timeout(PATIENCE, snapshot::ping(primary)).await;
                up("primary", matches!(answer, Ok(Ok(()))));
            }
        }
        match &text {
            Some(_) => self.metrics.domain_read_seconds.observe(begun.elapsed().as_secs_f64()),
            None => self.metrics.domain_read_failures.inc(),
        }
        let text: Arc<str> = Arc::from(text.unwrap_or_default());
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::clone(&text)));
        text
    }

    fn last(&self) -> Option<(Duration, Arc<str>)> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|(read, text)| (read.elapsed(), Arc::clone(text)))
    }
}

/// Reads all numbers in one snapshot.
///
/// # Errors
/// Any error from the database.
pub async fn domain(pool: &PgPool, now: DateTime<Utc>, running_since: DateTime<Utc>) -> sqlx::Result<Domain> {
    let begin = "begin transaction isolation level repeatable read read only";
    let mut snapshot = pool.begin_with(begin).await?;
    let hour = full_hour(now);
    let (day, recent) = (hour - TimeDelta::hours(23), hour - TimeDelta::hours(2));
    let runs =
        sqlx::query_file_as!(RunCount, "src/store/sql/read/metrics_input/scrape_runs.sql", day, recent);
    let runs = runs.fetch_all(&mut *snapshot).await?;
    let today = now.date_naive();
    let recent = today.checked_sub_days(Days::new(RECENT_DAYS)).unwrap_or(today);
    let first = recent.checked_sub_days(Days::new(BEFORE_DAYS)).unwrap_or(recent);
    let scripts = sqlx::query_file_as!(
        ScriptCount,
        "src/store/sql/read/metrics_input/scrape_scripts.sql",
        first,
        recent,
        running_since
    );
    let scripts = scripts.fetch_all(&mut *snapshot).await?;
    let exit_codes = sqlx::query_file_as!(
        ExitCodeCount,
        "src/store/sql/read/metrics_input/scrape_exit_codes.sql",
        first,
        recent
    );
    let exit_codes = exit_codes.fetch_all(&mut *snapshot).await?;
    let newest = sqlx::query!(
        "select now() as \"as_of!\", (select max(first_seen) from execution) as newest_run,
            (select count(*) from signature where created >= $1) as \"new_signatures!\"",
        now - TimeDelta::days(1)
    );
    let newest = newest.fetch_one(&mut *snapshot).await?;
    snapshot.rollback().await?;
    Ok(Domain {
        as_of: newest.as_of,
        newest_run: newest.newest_run,
        new_signatures: newest.new_signatures,
        runs,
        scripts,
        exit_codes,
    })
}
