//! Sums over 4, 16 and 64 days, so that a year is read from a sixth of the rows.
//!
//! They are a copy, made when the days are over, by one instance. Writers know nothing of them but the
//! mark of a span (`sealed_span`): whoever changes a rollup of a day in it deletes the mark in the same
//! transaction (`write_batch.sql`, `unseal`). A mark is made before the sums, while nobody writes; so
//! whoever writes during or after the adding up sees it. Then the sums are made in one snapshot, and the
//! mark is made ready only if it is still there. So a reader whose snapshot has a ready mark has sums that
//! equal the days; without one it reads the days.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, NaiveDate, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

/// Lengths of spans, longest first.
const LENGTHS: [i32; 3] = [64, 16, 4];
/// The shortest spans; only these also hold what is told by day.
pub const SHORTEST: i32 = 4;
/// Days after its last one until a span is made: by then hardly anything changes in it.
const SETTLED_DAYS: u64 = 2;
/// Time between two passes.
const INTERVAL: Duration = Duration::from_secs(60);
/// After a span so many times its duration are paused.
const PAUSE_SHARE: u32 = 2;
/// The advisory lock that whoever adds up holds.
const LOCK: i64 = 0x7465_6c65_7370_6e00;

/// Days that are added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Names the sums.
    pub id: i32,
    /// First UTC day.
    pub first_day: NaiveDate,
    /// Number of days.
    pub days: i32,
    /// Latest hour of a last event of an open run.
    pub last_open_hour: DateTime<Utc>,
}

/// Of what a period consists: the sums of spans, and the rollups of the other days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cover {
    /// Days.
    pub days: Vec<NaiveDate>,
    /// Ids of spans.
    pub spans: Vec<i32>,
}

/// Covers the days from `first` to `last` with spans of at most `longest` days, as few as there can be.
#[must_use]
pub fn cover<'a>(
    sealed: impl IntoIterator<Item = &'a Sealed>,
    (first, last): (NaiveDate, NaiveDate),
    longest: i32,
) -> Cover {
    let known: HashMap<_, _> =
        sealed.into_iter().map(|span| ((span.first_day, span.days), span.id)).collect();
    let mut cover = Cover::default();
    let mut day = first;
    while day <= last {
        let left = (last - day).num_days() + 1;
        let fitting = LENGTHS.iter().filter(|days| **days <= longest && i64::from(**days) <= left);
        let found = fitting.copied().find_map(|days| Some((days, *known.get(&(day, days))?)));
        match found {
            Some((_, id)) => cover.spans.push(id),
            None => cover.days.push(day),
        }
        day = day + Days::new(found.map_or(1, |(days, _)| days.unsigned_abs().into()));
    }
    cover
}

/// The spans whose sums are ready.
///
/// # Errors
/// What the database says.
pub async fn ready(connection: &mut PgConnection) -> sqlx::Result<Vec<Sealed>> {
    sqlx::query_as!(Sealed, "select id, first_day, days, last_open_hour from sealed_span where is_ready")
        .fetch_all(connection)
        .await
}

/// The first and the last day of all rollups; `None` without any.
///
/// # Errors
/// What the database says.
pub async fn bounds(connection: &mut PgConnection) -> sqlx::Result<Option<(NaiveDate, NaiveDate)>> {
    let bounds = sqlx::query!(
        "select (select min(day) from rollup_script) as first, (select max(day) from rollup_script) as last"
    );
    let bounds = bounds.fetch_one(connection).await?;
    Ok(bounds.first.zip(bounds.last))
}

/// Lets the day count again for the spans that it is in. To be called behind the first change of its rollups,
/// in the same transaction.
///
/// # Errors
/// What the database says.
pub(crate) async fn unseal(connection: &mut PgConnection, day: NaiveDate) -> sqlx::Result<()> {
    sqlx::query!("delete from sealed_span where first_day <= $1 and $1 < first_day + days", day)
        .execute(connection)
        .await
        .map(drop)
}

/// Adds up at once and then every minute what is over and not added up. Never returns; may be aborted at any
/// time.
pub async fn keep_sealing(options: PgConnectOptions) {
    loop {
        let sealed = async {
            // A connection of its own: it holds the advisory lock, and closing it lets go.
            let mut connection = PgConnection::connect_with(&options).await?;
            seal(&mut connection, PAUSE_SHARE).await?;
            connection.close().await
        };
        if let Err(error) = sealed.await {
            let code = error.as_database_error().and_then(|error| error.code());
            tracing::warn!(sqlstate = code.as_deref(), "days could not be added up");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Adds up what is over and not added up, shortest spans first, for the long ones are made of short ones. Returns
/// how many spans it made; `None` if somebody else is at it. The lock ends with the connection. Behind each span
/// `pause_share` times its duration are paused.
///
/// # Errors
/// What the database says; what was made so far stays.
pub async fn seal(connection: &mut PgConnection, pause_share: u32) -> sqlx::Result<Option<usize>> {
    let may = sqlx::query_scalar!("select pg_try_advisory_lock($1) as \"may!\"", LOCK);
    if !may.fetch_one(&mut *connection).await? {
        return Ok(None);
    }
    sweep(connection).await?;
    let mut made = 0;
    for days in LENGTHS.into_iter().rev() {
        for span in mark(connection, days).await? {
            let begun = Instant::now();
            made += usize::from(unless_changed(add_up(connection, &span).await)?);
            tokio::time::sleep(begun.elapsed() * pause_share).await;
        }
    }
    let unlock = sqlx::query_scalar!("select pg_advisory_unlock($1) as \"done!\"", LOCK);
    unlock.fetch_one(connection).await?;
    Ok(Some(made))
}

/// A writer that took the mark away while the sums were made: they are not needed.
fn unless_changed(made: sqlx::Result<bool>) -> sqlx::Result<bool> {
    match made {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("40001") => Ok(false),
        made => made,
    }
}

/// Marks all spans of a length that are over and not ready. Nobody who changes rollups is on the way
/// meanwhile: who comes later sees the marks. If somebody is on the way for long there will be another time.
async fn mark(connection: &mut PgConnection, days: i32) -> sqlx::Result<Vec<Sealed>> {
    let missing = sqlx::query_scalar!(
        "select first_day::date as \"day!\"
         from generate_series(
             (select min(day) - (min(day) - date '2000-01-01') % $1 from rollup_script)::timestamp,
             (now() at time zone 'UTC')::date - $1 - $2::integer, $1 * interval '1 day') as first_day
         where not exists (
             select from sealed_span as known
             where known.first_day = first_day.first_day::date and known.days = $1 and is_ready)
         order by first_day desc",
        days,
        SETTLED_DAYS as i32
    );
    let missing = missing.fetch_all(&mut *connection).await?;
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let mut transaction = connection.begin().await?;
    let locked = async {
        sqlx::query!("set local lock_timeout = '500ms'").execute(&mut *transaction).await?;
        sqlx::query!("lock table rollup_session, rollup_script in share row exclusive mode")
            .execute(&mut *transaction)
            .await
    };
    match locked.await {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("55P03") => {
            transaction.rollback().await?;
            return Ok(Vec::new());
        }
        locked => locked?,
    };
    sqlx::query!("delete from sealed_span where first_day = any($1) and days = $2", &missing, days)
        .execute(&mut *transaction)
        .await?;
    let marked = sqlx::query_as!(
        Sealed,
        "insert into sealed_span (first_day, days) select unnest($1::date[]), $2
         returning id, first_day, days, last_open_hour",
        &missing,
        days
    );
    let marked = marked.fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(marked)
}

/// Makes the sums of a span that is marked. Returns whether it did: not if a writer came in between.
async fn add_up(connection: &mut PgConnection, span: &Sealed) -> sqlx::Result<bool> {
    let mut snapshot = connection.begin_with("begin transaction isolation level repeatable read").await?;
    let last = span.first_day + Days::new((span.days - 1).unsigned_abs().into());
    let parts = ready(&mut snapshot).await?;
    let Cover { days, spans } = cover(&parts, (span.first_day, last), span.days / 4);
    macro_rules! add_up {
        ($($file:literal),+) => {
            $(sqlx::query_file!($file, span.id, &days, &spans).execute(&mut *snapshot).await?;)+
        };
    }
    add_up!(
        "src/store/sql/keep/seal_script.sql",
        "src/store/sql/keep/seal_facet.sql",
        "src/store/sql/keep/seal_exit_code.sql",
        "src/store/sql/keep/seal_signature.sql",
        "src/store/sql/keep/seal_session.sql"
    );
    if span.days == SHORTEST {
        add_up_days(&mut snapshot, span.id, &days).await?;
    }
    let is_ready = sqlx::query!(
        "update sealed_span set is_ready = true, last_open_hour = coalesce(greatest(
             (select max(open_hour) from rollup_script
              where day = any($2) and outcome = 'open' and runs <> 0),
             (select max(part.last_open_hour) from sealed_span as part where part.id = any($3))), 'epoch')
         where id = $1",
        span.id,
        &days,
        &spans
    );
    let is_ready = is_ready.execute(&mut *snapshot).await?.rows_affected() == 1;
    if is_ready {
        snapshot.commit().await?;
    } else {
        snapshot.rollback().await?;
    }
    Ok(is_ready)
}

/// What the shortest spans hold by day.
async fn add_up_days(connection: &mut PgConnection, id: i32, days: &[NaiveDate]) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into span_day
         select $1, day, population, outcome, sum(runs) from rollup_facet
         where day = any($2) and facet = 'generation'
         group by day, population, outcome having sum(runs) <> 0
         order by day, population, outcome",
        id,
        days
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into span_session_day
         select $1, day, population, sum(sessions), sum(retried), sum(saved) from rollup_session
         where day = any($2)
         group by day, population
         order by day, population",
        id,
        days
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Deletes the sums of spans that are no more.
async fn sweep(connection: &mut PgConnection) -> sqlx::Result<()> {
    let gone = sqlx::query_scalar!(
        "with recursive known (span) as (
             select min(span) from span_script
             union all
             select (select min(span) from span_script where span > known.span) from known where span is not null
         )
         select span as \"span!\" from known
         where span is not null and not exists (select from sealed_span where id = span)"
    );
    let gone = gone.fetch_all(&mut *connection).await?;
    macro_rules! delete {
        ($($statement:literal),+) => {
            $(sqlx::query!($statement, &gone).execute(&mut *connection).await?;)+
        };
    }
    if !gone.is_empty() {
        // The one by which they are found last.
        delete!(
            "delete from span_facet where span = any($1)",
            "delete from span_exit_code where span = any($1)",
            "delete from span_signature where span = any($1)",
            "delete from span_day where span = any($1)",
            "delete from span_session where span = any($1)",
            "delete from span_session_day where span = any($1)",
            "delete from span_script where span = any($1)"
        );
    }
    Ok(())
}

/// A row of a span that does not equal the sum over its days.
#[derive(Debug)]
pub(crate) struct Differing {
    pub(crate) first_day: NaiveDate,
    pub(crate) days: i32,
    pub(crate) row: String,
}

/// The rows of spans that do not equal their days, at most a thousand.
///
/// # Errors
/// What the database says.
pub(crate) async fn differing(connection: &mut PgConnection) -> sqlx::Result<Vec<Differing>> {
    sqlx::query_file_as!(Differing, "src/store/sql/keep/differing_spans.sql", SHORTEST)
        .fetch_all(connection)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(after: u64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2000, 1, 1).expect("a day") + Days::new(after)
    }

    fn sealed(id: i32, after: u64, days: i32) -> Sealed {
        Sealed { id, first_day: day(after), days, last_open_hour: DateTime::UNIX_EPOCH }
    }

    #[test]
    fn a_period_is_covered_by_the_longest_spans_that_fit() {
        let known = [sealed(1, 0, 4), sealed(2, 4, 4), sealed(3, 8, 4), sealed(4, 0, 16), sealed(5, 16, 4)];
        let covered = |first, last, longest| cover(&known, (day(first), day(last)), longest);
        assert_eq!(covered(0, 19, 64), Cover { days: vec![], spans: vec![4, 5] });
        assert_eq!(
            covered(0, 19, 4),
            Cover { days: vec![day(12), day(13), day(14), day(15)], spans: vec![1, 2, 3, 5] }
        );
        assert_eq!(
            covered(1, 10, 64),
            Cover { days: vec![day(1), day(2), day(3), day(8), day(9), day(10)], spans: vec![2] }
        );
        assert_eq!(covered(5, 5, 64), Cover { days: vec![day(5)], spans: vec![] });
        assert_eq!(covered(6, 5, 64), Cover::default());
    }
}
