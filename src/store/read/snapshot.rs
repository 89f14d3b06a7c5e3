//! One snapshot of the database for all parts of an answer. Its counts are methods in the modules below.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc};
use sqlx::{PgPool, Postgres, Transaction};

use crate::store::keep::monthly_sums::{Month, Split, ready, split};
use crate::store::read::filter::Filter;

/// Statement that starts a snapshot.
pub(crate) const BEGIN_SNAPSHOT: &str = "begin transaction isolation level repeatable read read only";

/// Checks that the database answers.
///
/// # Errors
/// Any error from the database.
pub async fn ping(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query!("select 1 as one").fetch_one(pool).await.map(drop)
}

/// What a query counts, as a value of the SQL type `selection`. Its fields have the same order.
#[derive(Clone, Debug, Default, sqlx::Type)]
#[sqlx(type_name = "selection")]
pub(crate) struct Selection {
    /// First UTC day.
    pub(crate) first_day: NaiveDate,
    /// Last UTC day.
    pub(crate) last_day: NaiveDate,
    /// Ids of the monthly sums that cover part of the period.
    pub(crate) months: Vec<i32>,
    /// The days of the period outside these months.
    pub(crate) days: Vec<NaiveDate>,
    /// Ids of populations; `None` for all.
    pub(crate) populations: Option<Vec<i32>>,
}

/// What every count of a snapshot needs, looked up once.
#[derive(Clone, Debug)]
struct Scope {
    months: Vec<Month>,
    /// First and last day of the rollups; `None` without any.
    bounds: Option<(NaiveDate, NaiveDate)>,
    populations: Option<Vec<i32>>,
}

/// One snapshot of the database, so that all parts of an answer describe the same moment.
#[derive(Debug)]
pub struct Snapshot<'a> {
    pub(crate) transaction: Transaction<'static, Postgres>,
    pub(crate) filter: &'a Filter,
    scope: Option<Scope>,
}

impl<'a> Snapshot<'a> {
    /// Opens a snapshot of the executions that `filter` selects. Waits while all connections are in use.
    ///
    /// # Errors
    /// Any error from the database, or that no connection was free in time.
    pub async fn open(pool: &PgPool, filter: &'a Filter) -> sqlx::Result<Self> {
        let transaction = pool.begin_with(BEGIN_SNAPSHOT).await?;
        Ok(Self { transaction, filter, scope: None })
    }

    async fn scope(&mut self) -> sqlx::Result<Scope> {
        if let Some(scope) = &self.scope {
            return Ok(scope.clone());
        }
        let connection = &mut *self.transaction;
        let bounds = sqlx::query!(
            "select (select min(day) from rollup_script) as first, (select max(day) from rollup_script) as last"
        );
        let bounds = bounds.fetch_one(&mut *connection).await?;
        let scope = Scope {
            bounds: bounds.first.zip(bounds.last),
            months: ready(connection).await?,
            populations: self.filter.populations(connection).await?,
        };
        Ok(self.scope.insert(scope).clone())
    }

    /// What the filter selects.
    pub(crate) async fn selection(&mut self) -> sqlx::Result<Selection> {
        self.selection_of(self.filter.days()).await
    }

    /// What the filter selects without its dates.
    pub(crate) async fn all_time(&mut self) -> sqlx::Result<Selection> {
        self.selection_of(Filter::default().days()).await
    }

    async fn selection_of(
        &mut self,
        (first_day, last_day): (NaiveDate, NaiveDate),
    ) -> sqlx::Result<Selection> {
        let Scope { months, bounds, populations } = self.scope().await?;
        let Split { months, days } = bounds.map_or_else(Split::default, |(oldest, newest)| {
            // Whole months, for these may have sums.
            let (oldest, newest) = (first_of(oldest), first_of(newest) + Months::new(1) - Days::new(1));
            split(&months, first_day.max(oldest), last_day.min(newest))
        });
        Ok(Selection { first_day, last_day, months, days, populations })
    }

    /// The time for which everything in this snapshot is true.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn as_of(&mut self) -> sqlx::Result<DateTime<Utc>> {
        // A replica is as fresh as the last transaction that it has replayed.
        let time = sqlx::query_scalar!(
            "select case when pg_is_in_recovery() then coalesce(pg_last_xact_replay_timestamp(), now())
                 else now() end as \"as_of!\""
        );
        time.fetch_one(&mut *self.transaction).await
    }

    /// Ends the snapshot. Dropping it does the same later.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn close(self) -> sqlx::Result<()> {
        self.transaction.rollback().await
    }
}

/// The first day of the month of a day.
fn first_of(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}
