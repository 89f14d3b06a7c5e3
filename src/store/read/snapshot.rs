//! One snapshot of the database for all parts of an answer. Its counts are methods in the modules below.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc};
use sqlx::{PgPool, Postgres, Transaction};

use crate::store::keep::monthly_sums::{Month, Split, ready, split};
use crate::store::read::filter::Filter;
use crate::store::read::view::View;

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

/// A selection in a view, as a value of the SQL type `view_selection`. Its fields have the same order.
#[derive(Clone, Debug, sqlx::Type)]
#[sqlx(type_name = "view_selection")]
pub(crate) struct ViewSelection {
    /// The period and the populations.
    pub(crate) chosen: Selection,
    /// Whether rare names are replaced.
    pub(crate) hides_rare: bool,
}

/// What every count of a snapshot needs, looked up once.
#[derive(Clone, Debug)]
struct Scope {
    months: Vec<Month>,
    /// First and last day of the rollups; `None` without any.
    bounds: Option<(NaiveDate, NaiveDate)>,
    populations: Option<Vec<i32>>,
    hides_rare: bool,
}

/// One snapshot of the database, so that all parts of an answer describe the same moment.
#[derive(Debug)]
pub struct Snapshot<'a> {
    pub(crate) transaction: Transaction<'static, Postgres>,
    pub(crate) filter: Cow<'a, Filter>,
    pub(crate) view: View,
    scope: Option<Scope>,
}

impl ViewSelection {
    /// The same without any day.
    pub(crate) fn without_days(&self) -> Self {
        let populations = self.chosen.populations.clone();
        Self { chosen: Selection { populations, ..Selection::default() }, ..*self }
    }
}

impl<'a> Snapshot<'a> {
    /// Opens a snapshot of the executions that `filter` selects, for a reader with this view. Waits while all connections are in use.
    ///
    /// # Errors
    /// Any error from the database, or that no connection was free in time.
    pub async fn open(pool: &PgPool, filter: &'a Filter, view: View) -> sqlx::Result<Self> {
        let transaction = pool.begin_with(BEGIN_SNAPSHOT).await?;
        Ok(Self { transaction, filter: Cow::Borrowed(filter), view, scope: None })
    }

    /// Counts other days from now on, under the same filter.
    pub fn change_days(&mut self, from: Option<NaiveDate>, to: Option<NaiveDate>) {
        self.filter = Cow::Owned(Filter { from, to, ..self.filter.as_ref().clone() });
    }

    async fn scope(&mut self) -> sqlx::Result<Scope> {
        if let Some(scope) = &self.scope {
            return Ok(scope.clone());
        }
        let connection = &mut *self.transaction;
        let bounds = sqlx::query!(
            "select (select min(day) from rollup_script) as first, (select max(day) from rollup_script) as last,
                 hides_rare as \"hides_rare!\"
             from hides_rare"
        );
        let bounds = bounds.fetch_one(&mut *connection).await?;
        let hides_rare = self.view == View::Public && bounds.hides_rare;
        let scope = Scope {
            bounds: bounds.first.zip(bounds.last),
            months: ready(connection).await?,
            populations: self.filter.populations(connection, hides_rare).await?,
            hides_rare,
        };
        Ok(self.scope.insert(scope).clone())
    }

    /// What the filter selects.
    pub(crate) async fn selection(&mut self) -> sqlx::Result<ViewSelection> {
        self.selection_of(self.filter.days()).await
    }

    /// What the filter selects without its dates.
    pub(crate) async fn all_time(&mut self) -> sqlx::Result<ViewSelection> {
        self.selection_of(Filter::default().days()).await
    }

    /// Whether names that few sessions have are replaced by `(rare)`.
    pub(crate) async fn hides_rare(&mut self) -> sqlx::Result<bool> {
        Ok(self.scope().await?.hides_rare)
    }

    /// Whether no execution can pass the filter.
    pub(crate) async fn is_empty(&mut self) -> sqlx::Result<bool> {
        Ok(self.scope().await?.populations.is_some_and(|populations| populations.is_empty()))
    }

    /// What the filter selects, from the first to the last of these days instead of its own.
    pub(crate) async fn selection_of(
        &mut self,
        (first_day, last_day): (NaiveDate, NaiveDate),
    ) -> sqlx::Result<ViewSelection> {
        let Scope { months, bounds, populations, hides_rare } = self.scope().await?;
        let Split { months, days } = bounds.map_or_else(Split::default, |(oldest, newest)| {
            // Whole months, for these may have sums.
            let (oldest, newest) = (first_of(oldest), first_of(newest) + Months::new(1) - Days::new(1));
            split(&months, first_day.max(oldest), last_day.min(newest))
        });
        let chosen = Selection { first_day, last_day, months, days, populations };
        Ok(ViewSelection { chosen, hides_rare })
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
