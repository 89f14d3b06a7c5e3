//! Sessions: the attempts of one person at one script, counted in `rollup_session`.
//!
//! Two writers may hold two attempts of one session at the same time, so a count in their transactions
//! would race. Instead one instance counts them from the rows, in one snapshot: the days since the last
//! time, and earlier days of which rows were written since (`session_touched`). Readers are told the
//! time of that snapshot, for which the counts are exact.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::store::keep::monthly_sums;

/// Time between two counts.
const INTERVAL: Duration = Duration::from_secs(60);
/// Where a count takes long, so many times its duration pass before the next one: it reads whole days.
const PAUSE_SHARE: u32 = 20;
/// But no more than this.
const MAX_PAUSE: Duration = Duration::from_secs(900);
/// The advisory lock that whoever counts holds.
const LOCK: i64 = 0x7465_6c65_7365_7300;

/// A row of `rollup_session` but for its day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    /// Population of the first attempt.
    pub population: i32,
    /// Script of the first attempt.
    pub app: String,
    /// Sessions.
    pub sessions: i64,
    /// Those with more than one attempt.
    pub retried: i64,
    /// Those in which a later attempt succeeded after one that failed.
    pub saved: i64,
}

/// The time of the last count; `None` before the first one.
///
/// # Errors
/// What the database says.
pub async fn as_of(connection: &mut PgConnection) -> sqlx::Result<Option<DateTime<Utc>>> {
    let time = sqlx::query_scalar!(
        "select convert_from(value, 'UTF8')::timestamptz as \"time!\" from setting where name = 'sessions_as_of'"
    );
    time.fetch_optional(connection).await
}

/// Counts at once and then about every minute. Never returns; may be aborted at any time.
pub async fn keep_counting(options: PgConnectOptions) {
    loop {
        let begun = Instant::now();
        // A connection of its own: it may take long after a rebuild, and reads have a time-out.
        let counted = async {
            let mut connection = PgConnection::connect_with(&options).await?;
            let counted = refresh(&mut connection).await?;
            connection.close().await?;
            Ok::<_, sqlx::Error>(counted)
        };
        let pause = match counted.await {
            Ok(true) => (begun.elapsed() * PAUSE_SHARE).clamp(INTERVAL, MAX_PAUSE),
            Ok(false) => INTERVAL,
            Err(error) => {
                let code = error.as_database_error().and_then(|error| error.code());
                tracing::warn!(sqlstate = code.as_deref(), "sessions could not be counted");
                INTERVAL
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Counts what may have changed since the last time. Returns whether it did: not if somebody else is at it.
///
/// # Errors
/// What the database says; then nothing has changed.
pub async fn refresh(connection: &mut PgConnection) -> sqlx::Result<bool> {
    unless_outrun(count(connection, false).await)
}

/// Counts all days whose rows are kept. Returns as [`refresh`].
///
/// # Errors
/// What the database says; then nothing has changed.
pub async fn recount(connection: &mut PgConnection) -> sqlx::Result<bool> {
    unless_outrun(count(connection, true).await)
}

/// Who took the snapshot before another one had written its counts can write none.
fn unless_outrun(counted: sqlx::Result<bool>) -> sqlx::Result<bool> {
    match counted {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("40001") => Ok(false),
        counted => counted,
    }
}

/// Where nothing was ever stored, nothing need be counted to be known.
///
/// # Errors
/// What the database says.
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

async fn count(connection: &mut PgConnection, all: bool) -> sqlx::Result<bool> {
    let mut snapshot = connection.begin_with("begin transaction isolation level repeatable read").await?;
    // Before the snapshot is taken, so that it has the marks of all months that it may have to delete.
    sqlx::query!("lock table rollup_session in row exclusive mode").execute(&mut *snapshot).await?;
    let may = sqlx::query_scalar!("select pg_try_advisory_xact_lock($1) as \"may!\"", LOCK);
    if !may.fetch_one(&mut *snapshot).await? {
        snapshot.rollback().await?;
        return Ok(false);
    }
    // A day is due again for 24 h after it: whose row was written last on it was not marked.
    let last = as_of(&mut snapshot).await?.filter(|_| !all);
    let marks = sqlx::query!("select id, day from session_touched").fetch_all(&mut *snapshot).await?;
    let days = match last {
        Some(time) => {
            let marked: Vec<_> = marks.iter().map(|mark| mark.day).collect();
            let first = time.date_naive().pred_opt().unwrap_or_default();
            due_days(&mut snapshot, first, &marked).await?
        }
        None => kept_days(&mut snapshot).await?,
    };
    for day in days {
        let counted = of_day(&mut snapshot, day).await?;
        if stored(&mut snapshot, day).await? == counted.iter().cloned().collect() {
            continue;
        }
        sqlx::query!("delete from rollup_session where day = $1", day).execute(&mut *snapshot).await?;
        monthly_sums::invalidate(&mut snapshot, day).await?;
        write(&mut snapshot, day, &counted).await?;
    }
    // Only the marks that were seen: others may have come since.
    let seen: Vec<_> = marks.iter().map(|mark| mark.id).collect();
    sqlx::query!("delete from session_touched where id = any($1)", &seen).execute(&mut *snapshot).await?;
    sqlx::query!(
        "insert into setting (name, value) values ('sessions_as_of', convert_to(now()::text, 'UTF8'))
         on conflict (name) do update set value = excluded.value"
    )
    .execute(&mut *snapshot)
    .await?;
    snapshot.commit().await?;
    Ok(true)
}

/// The days from `first` on and those that are marked, and the days on which sessions with an attempt on
/// one of these began. Not those whose rows are deleted for their age.
async fn due_days(
    connection: &mut PgConnection,
    first: NaiveDate,
    marked: &[NaiveDate],
) -> sqlx::Result<Vec<NaiveDate>> {
    let days = sqlx::query_file_scalar!("src/store/sql/keep/due_session_days.sql", first, marked);
    days.fetch_all(connection).await
}

/// All days with executions, but those of which some are deleted for their age.
async fn kept_days(connection: &mut PgConnection) -> sqlx::Result<Vec<NaiveDate>> {
    let days = sqlx::query_scalar!(
        "select day::date as \"day!\"
         from generate_series(
             (select min(first_seen) at time zone 'UTC' from execution)::date,
             (select max(first_seen) at time zone 'UTC' from execution)::date, interval '1 day') as day
         where day >= coalesce(
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

/// The days whose counts do not equal their recount, of those of which nothing was written since the last
/// count. `connection` is in a snapshot.
///
/// # Errors
/// What the database says.
pub(crate) async fn differing_days(connection: &mut PgConnection) -> sqlx::Result<Vec<NaiveDate>> {
    let Some(time) = as_of(connection).await? else { return Ok(Vec::new()) };
    let touched = sqlx::query_scalar!("select distinct day from session_touched").fetch_all(&mut *connection);
    let touched: BTreeSet<_> = touched.await?.into_iter().collect();
    let mut differing = Vec::new();
    for day in kept_days(connection).await? {
        if day >= time.date_naive() || touched.contains(&day) {
            continue;
        }
        if stored(connection, day).await? != of_day(connection, day).await?.into_iter().collect() {
            differing.push(day);
        }
    }
    Ok(differing)
}
