//! The counts behind the domain metrics: runs of the last nine days, read from the rollups in one snapshot.

use chrono::{DateTime, Days, TimeDelta, Utc};
use sqlx::PgPool;

use crate::ingest::execution::full_hour;
use crate::metrics::domain::{Domain, ExitCodeCount, ReasonCount, RunCount, ScriptCount, StateCount};
use crate::store::read::snapshot::BEGIN_SNAPSHOT;

/// Days before today whose runs count as recent.
const RECENT_DAYS: u64 = 1;
/// Days before the recent ones that they are compared with.
const BEFORE_DAYS: u64 = 7;

/// Reads all counts in one snapshot. A run without an end is unfinished if its last event is older than
/// `running_since`.
///
/// # Errors
/// Any error from the database.
pub async fn domain(pool: &PgPool, now: DateTime<Utc>, running_since: DateTime<Utc>) -> sqlx::Result<Domain> {
    let mut snapshot = pool.begin_with(BEGIN_SNAPSHOT).await?;
    let hour = full_hour(now);
    let (day, recent) = (hour - TimeDelta::hours(23), hour - TimeDelta::hours(2));
    let runs =
        sqlx::query_file_as!(RunCount, "src/store/sql/read/scrape_counts/scrape_runs.sql", day, recent);
    let runs = runs.fetch_all(&mut *snapshot).await?;
    let today = now.date_naive();
    let recent = today.checked_sub_days(Days::new(RECENT_DAYS)).unwrap_or(today);
    let first = recent.checked_sub_days(Days::new(BEFORE_DAYS)).unwrap_or(recent);
    let scripts = sqlx::query_file_as!(
        ScriptCount,
        "src/store/sql/read/scrape_counts/scrape_scripts.sql",
        first,
        recent,
        running_since
    );
    let scripts = scripts.fetch_all(&mut *snapshot).await?;
    let exit_codes = sqlx::query_file_as!(
        ExitCodeCount,
        "src/store/sql/read/scrape_counts/scrape_exit_codes.sql",
        first,
        recent
    );
    let exit_codes = exit_codes.fetch_all(&mut *snapshot).await?;
    let reasons = sqlx::query_file_as!(
        ReasonCount,
        "src/store/sql/read/scrape_counts/scrape_reasons.sql",
        first,
        recent
    );
    let reasons = reasons.fetch_all(&mut *snapshot).await?;
    let states = sqlx::query_as!(
        StateCount,
        "select coalesce(state, 'open') as \"state!\", count(*) as \"signatures!\"
         from signature left join signature_state as triaged on triaged.signature = id group by 1"
    );
    let states = states.fetch_all(&mut *snapshot).await?;
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
        reasons,
        states,
    })
}
