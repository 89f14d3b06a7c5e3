//! Monthly sums: the rollups of a calendar month that is over, summed, so that a year is read from few rows.
//!
//! They are a copy of the daily rollups, and a reader that uses them is exact because of four steps. One instance
//! marks a month (a row in `month_sum`) while no writer is in the middle of a transaction. Writers that change a
//! day of the month delete the mark in the same statement (`write_batch.sql`). The sums are made in one statement,
//! from one snapshot, and become ready only if the mark is still there. Readers see marks, sums and days in one
//! snapshot, and read the days of a month that has no ready mark.

use std::time::Duration;

use chrono::{Days, Months, NaiveDate};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::store::database::background::{connect, pass};

/// Days after the end of a month until its sums are made. Hardly anything changes in it by then.
const SETTLED_DAYS: i32 = 2;
/// Time between two passes.
const INTERVAL: Duration = Duration::from_secs(15);
/// The advisory lock of the instance that makes the sums.
pub const LOCK: i64 = 0x7465_6c65_7370_6e00;

/// A month whose sums are ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Month {
    /// Names the sums.
    pub id: i32,
    /// First UTC day.
    pub first_day: NaiveDate,
}

/// A period, split into months that have sums and the remaining days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Days outside these months.
    pub days: Vec<NaiveDate>,
    /// Ids of months.
    pub months: Vec<i32>,
}

/// Splits the days from `first` to `last`. A month is used only if it lies in the period as a whole.
#[must_use]
pub fn split(months: &[Month], first: NaiveDate, last: NaiveDate) -> Split {
    let mut split = Split::default();
    let mut day = first;
    while day <= last {
        let next = day + Months::new(1);
        match months.iter().find(|month| month.first_day == day && next <= last + Days::new(1)) {
            Some(month) => {
                split.months.push(month.id);
                day = next;
            }
            None => {
                split.days.push(day);
                day = day + Days::new(1);
            }
        }
    }
    split
}

/// The months whose sums are ready.
///
/// # Errors
/// Any error from the database.
pub async fn ready(connection: &mut PgConnection) -> sqlx::Result<Vec<Month>> {
    sqlx::query_as!(Month, "select id, first_day from month_sum where is_ready").fetch_all(connection).await
}

/// Deletes the mark of the month of a day, whose sums are then no longer used. Call it after the first change to
/// the rollups of the day, in the same transaction.
///
/// # Errors
/// Any error from the database.
pub(crate) async fn invalidate(connection: &mut PgConnection, day: NaiveDate) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from month_sum where first_day = date_trunc('month', $1::date::timestamp)::date",
        day
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Makes missing sums at once and then every 15 s. Never returns; may be aborted at any time.
pub async fn keep_making(options: PgConnectOptions) {
    loop {
        let made = async {
            // A connection of its own: closing it releases the advisory lock.
            let mut connection = connect(&options, "telemetry monthly sums").await?;
            make_missing(&mut connection).await?;
            connection.close().await
        };
        pass("monthly sums could not be made", made).await;
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Makes the missing sums of all months that are over. Returns how many months it made, or `None` if another
/// connection is making them.
///
/// # Errors
/// Any error from the database. Sums made before it stay.
pub async fn make_missing(connection: &mut PgConnection) -> sqlx::Result<Option<usize>> {
    let locked = sqlx::query_scalar!("select pg_try_advisory_lock($1) as \"locked!\"", LOCK);
    if !locked.fetch_one(&mut *connection).await? {
        return Ok(None);
    }
    let marked = mark(connection).await?;
    // Also if no month is missing: the last run of a month may have been erased.
    sqlx::query_file!("src/store/sql/keep/delete_outdated_months.sql").execute(&mut *connection).await?;
    let mut made = 0;
    for month in marked {
        let ready = sqlx::query_file!("src/store/sql/keep/make_month.sql", month);
        made += usize::from(ready.execute(&mut *connection).await?.rows_affected() == 1);
    }
    let unlock = sqlx::query_scalar!("select pg_advisory_unlock($1) as \"unlocked!\"", LOCK);
    unlock.fetch_one(connection).await?;
    Ok(Some(made))
}

/// Marks the months that are over and have no sums, newest first. The lock excludes every transaction that
/// changes rollups: later ones see the marks. A lock that is not free soon is left for the next pass.
async fn mark(connection: &mut PgConnection) -> sqlx::Result<Vec<i32>> {
    let missing = sqlx::query_scalar!(
        "select month::date as \"month!\"
         from generate_series(
             date_trunc('month', (select min(day) from rollup_script)::timestamp),
             least((select max(day) from rollup_script)::timestamp,
                 now() at time zone 'UTC' - make_interval(months => 1, days => $1)),
             interval '1 month') as month
         where not exists (select from month_sum where first_day = month::date and is_ready)
             -- Counting its sessions would invalidate the sums again.
             and not exists (
                 select from session_touched where day >= month and day < month + interval '1 month')
         order by month desc",
        SETTLED_DAYS
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
    sqlx::query!("delete from month_sum where first_day = any($1)", &missing)
        .execute(&mut *transaction)
        .await?;
    let marked = sqlx::query_scalar!(
        "insert into month_sum (first_day) select unnest($1::date[]) returning id",
        &missing
    );
    let marked = marked.fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(marked)
}

/// A monthly sum that does not equal its days.
#[derive(Debug)]
pub(crate) struct Differing {
    pub(crate) month: NaiveDate,
    pub(crate) row: String,
}

/// The monthly sums that do not equal their days, at most a thousand.
///
/// # Errors
/// Any error from the database.
pub(crate) async fn differing(connection: &mut PgConnection) -> sqlx::Result<Vec<Differing>> {
    sqlx::query_file_as!(Differing, "src/store/sql/keep/differing_months.sql").fetch_all(connection).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, month, day).expect("a day")
    }

    #[test]
    fn only_months_that_lie_in_the_period_as_a_whole_are_used() {
        let months = [(1, 1), (2, 2), (4, 4)].map(|(id, month)| Month { id, first_day: day(month, 1) });
        let split = |first, last| split(&months, first, last);
        assert_eq!(split(day(1, 1), day(2, 28)), Split { days: vec![], months: vec![1, 2] });
        assert_eq!(
            split(day(1, 30), day(3, 1)),
            Split { days: vec![day(1, 30), day(1, 31), day(3, 1)], months: vec![2] }
        );
        let most_of_april = split(day(4, 1), day(4, 29));
        assert!(most_of_april.months.is_empty());
        assert_eq!(most_of_april.days.len(), 29);
        assert_eq!(split(day(4, 2), day(4, 1)), Split::default());
    }
}
