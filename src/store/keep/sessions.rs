//! Sessions: the attempts of one person at one script, counted in `rollup_session` by the day of the
//! first attempt.
//!
//! Two instances may write two attempts of one session at the same time, so a count in their transactions
//! would race. Instead, writers mark each day whose rows they change (`session_touched`), and one instance
//! counts the sessions of marked days from the rows.
//!
//! A few days are counted per transaction, so that a history that arrives at once is counted in bounded
//! steps and a failure keeps the steps before it. A transaction that finds few marks counts all of them in
//! one snapshot. The counts are then exact for the time of that snapshot, which is stored as `sessions_as_of`.
//! While there are more marks, no such time exists and the setting is absent.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::store::database::background::{connect, pass};
use crate::store::keep::monthly_sums;

/// Pause between two counts. Twice this and the time for sums bound how late a figure can be.
const INTERVAL: Duration = Duration::from_secs(15);
/// Longest pause. Below it, a count may take half of the time: it reads whole days.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// Marked days per transaction. One day of the public service takes about 40 ms.
const DAYS_AT_ONCE: usize = 10;
/// The advisory lock of the instance that counts.
pub const LOCK: i64 = 0x7465_6c65_7365_7300;

/// A row of `rollup_session`, without its day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    /// Population of the first attempt.
    pub population: i32,
    /// Script of the first attempt.
    pub app: String,
    /// Number of sessions.
    pub sessions: i64,
    /// Sessions with more than one attempt.
    pub retried: i64,
    /// Sessions in which a later attempt succeeded after one that failed.
    pub saved: i64,
}

/// The time for which the counts are exact; `None` while a backlog is being counted.
///
/// # Errors
/// Any error from the database.
pub async fn as_of(connection: &mut PgConnection) -> sqlx::Result<Option<DateTime<Utc>>> {
    let time = sqlx::query_scalar!(
        "select convert_from(value, 'UTF8')::timestamptz as \"time!\" from setting where name = 'sessions_as_of'"
    );
    time.fetch_optional(connection).await
}

/// Counts at once and then every few seconds. Never returns; may be aborted at any time.
pub async fn keep_counting(options: PgConnectOptions) {
    loop {
        let begun = Instant::now();
        // A connection of its own, because those of readers have a time-out.
        let counted = async {
            let mut connection = connect(&options, "telemetry sessions").await?;
            refresh(&mut connection).await?;
            connection.close().await
        };
        pass("sessions could not be counted", counted).await;
        tokio::time::sleep(begun.elapsed().clamp(INTERVAL, MAX_PAUSE)).await;
    }
}

/// Counts the sessions of all marked days. Returns whether it finished: false if another instance counts, or
/// if another writer changed the same sums.
///
/// # Errors
/// Any error from the database; the days that were counted before it stay counted.
pub async fn refresh(connection: &mut PgConnection) -> sqlx::Result<bool> {
    loop {
        match count_some(connection).await {
            Ok(Progress::More) => {}
            Ok(progress) => return Ok(progress == Progress::Complete),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("40001") => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Marks all days whose rows are kept, so that [`refresh`] counts them.
///
/// # Errors
/// Any error from the database.
pub async fn mark_all(connection: &mut PgConnection) -> sqlx::Result<()> {
    let days = kept_days(connection).await?;
    sqlx::query!("insert into session_touched (day) select unnest($1::date[])", &days)
        .execute(connection)
        .await
        .map(drop)
}

/// An empty database has no sessions: its counts are exact without counting.
///
/// # Errors
/// Any error from the database.
pub async fn begin(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into setting (name, value)
         select 'sessions_as_of', convert_to(now()::text, 'UTF8') where not exists (select from execution)
         on conflict do nothing"
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The result of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// All marked days are counted.
    Complete,
    /// There are more marked days.
    More,
    /// Another instance counts.
    Busy,
}

/// Counts the oldest marked days in one snapshot.
async fn count_some(connection: &mut PgConnection) -> sqlx::Result<Progress> {
    let mut snapshot = connection.begin_with("begin transaction isolation level repeatable read").await?;
    // Before the snapshot is taken, so that it includes the marks of all sums that may have to be deleted.
    sqlx::query!("lock table rollup_session in row exclusive mode").execute(&mut *snapshot).await?;
    let begun = sqlx::query!(
        "select pg_try_advisory_xact_lock($1) as \"is_free!\", statement_timestamp() as \"time!\"",
        LOCK
    );
    let begun = begun.fetch_one(&mut *snapshot).await?;
    if !begun.is_free {
        snapshot.rollback().await?;
        return Ok(Progress::Busy);
    }
    let mut marked = marked_days(&mut snapshot).await?;
    let has_more = marked.len() > DAYS_AT_ONCE;
    marked.truncate(DAYS_AT_ONCE);
    for day in due_days(&mut snapshot, &marked).await? {
        let counted = of_day(&mut snapshot, day).await?;
        if stored(&mut snapshot, day).await? == counted.iter().cloned().collect() {
            continue;
        }
        sqlx::query!("delete from rollup_session where day = $1", day).execute(&mut *snapshot).await?;
        monthly_sums::invalidate(&mut snapshot, day).await?;
        write(&mut snapshot, day, &counted).await?;
    }
    // Marks that were written since are not in the snapshot and stay.
    sqlx::query!("delete from session_touched where day = any($1)", &marked).execute(&mut *snapshot).await?;
    let as_of = (!has_more).then_some(begun.time);
    set_as_of(&mut snapshot, as_of).await?;
    snapshot.commit().await?;
    Ok(if has_more { Progress::More } else { Progress::Complete })
}

async fn set_as_of(connection: &mut PgConnection, time: Option<DateTime<Utc>>) -> sqlx::Result<()> {
    let Some(time) = time else {
        let delete = sqlx::query!("delete from setting where name = 'sessions_as_of'");
        return delete.execute(connection).await.map(drop);
    };
    sqlx::query!(
        "insert into setting (name, value) values ('sessions_as_of', convert_to($1::timestamptz::text, 'UTF8'))
         on conflict (name) do update set value = excluded.value",
        time
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The oldest marked days: one more than a transaction counts, if there are as many.
async fn marked_days(connection: &mut PgConnection) -> sqlx::Result<Vec<NaiveDate>> {
    let limit = DAYS_AT_ONCE as i64 + 1;
    let days = sqlx::query_scalar!("select distinct day from session_touched order by day limit $1", limit);
    days.fetch_all(connection).await
}

/// The given days, and the days on which sessions with an attempt on one of them began. Only days whose
/// sessions are all kept.
async fn due_days(connection: &mut PgConnection, days: &[NaiveDate]) -> sqlx::Result<Vec<NaiveDate>> {
    sqlx::query_file_scalar!("src/store/sql/keep/due_session_days.sql", days).fetch_all(connection).await
}

/// All days with executions or counts whose sessions are all kept.
async fn kept_days(connection: &mut PgConnection) -> sqlx::Result<Vec<NaiveDate>> {
    let days = sqlx::query_scalar!(
        "select day::date as \"day!\"
         from generate_series(
             least((select min(first_seen) at time zone 'UTC' from execution)::date,
                 (select min(day) from rollup_session)),
             greatest((select max(first_seen) at time zone 'UTC' from execution)::date,
                 (select max(day) from rollup_session)), interval '1 day') as day
         where day > coalesce(
             (select convert_from(value, 'UTF8')::date from setting where name = 'retention_horizon'),
             '-infinity')
         order by day"
    );
    days.fetch_all(connection).await
}

async fn of_day(connection: &mut PgConnection, day: NaiveDate) -> sqlx::Result<Vec<Counted>> {
    sqlx::query_file_as!(Counted, "src/store/sql/keep/count_sessions.sql", day).fetch_all(connection).await
}

async fn stored(connection: &mut PgConnection, day: NaiveDate) -> sqlx::Result<BTreeSet<Counted>> {
    let stored = sqlx::query_as!(
        Counted,
        "select population, app, sessions, retried, saved from rollup_session where day = $1",
        day
    );
    Ok(stored.fetch_all(connection).await?.into_iter().collect())
}

async fn write(connection: &mut PgConnection, day: NaiveDate, counted: &[Counted]) -> sqlx::Result<()> {
    let populations: Vec<_> = counted.iter().map(|row| row.population).collect();
    let apps: Vec<_> = counted.iter().map(|row| row.app.as_str()).collect();
    let sessions: Vec<_> = counted.iter().map(|row| row.sessions).collect();
    let retried: Vec<_> = counted.iter().map(|row| row.retried).collect();
    let saved: Vec<_> = counted.iter().map(|row| row.saved).collect();
    sqlx::query!(
        "insert into rollup_session (day, population, app, sessions, retried, saved)
         select $1, * from unnest($2::integer[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])",
        day,
        &populations,
        &apps as _,
        &sessions,
        &retried,
        &saved
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The days whose counts differ from a recount, without those that are waiting to be counted. `connection` is
/// in a snapshot.
///
/// # Errors
/// Any error from the database.
pub(crate) async fn differing_days(connection: &mut PgConnection) -> sqlx::Result<Vec<NaiveDate>> {
    let marked = sqlx::query_scalar!("select distinct day from session_touched").fetch_all(&mut *connection);
    let marked = marked.await?;
    let due: BTreeSet<_> = due_days(connection, &marked).await?.into_iter().collect();
    let mut differing = Vec::new();
    for day in kept_days(connection).await? {
        if !due.contains(&day)
            && stored(connection, day).await? != of_day(connection, day).await?.into_iter().collect()
        {
            differing.push(day);
        }
    }
    Ok(differing)
}
