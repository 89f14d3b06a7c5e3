//! Lists of executions, page by page.
//!
//! The rollups know how many records each day has. So the search for a page skips the days before it, and ends
//! with the last day that it needs.

mod choice;
mod window;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use uuid::Uuid;

use crate::ingest::execution::Execution;
use crate::store::keep::horizon::horizon;
use crate::store::model::row::Stored;
use crate::store::read::filter::EARLIEST;
use crate::store::read::known::Shown;
pub use crate::store::read::records::choice::Choice;
use crate::store::read::records::choice::Visible;
use crate::store::read::records::window::{DayRuns, Window, window};
use crate::store::read::snapshot::Snapshot;

/// Up to so many applications are looked up one by one.
const FEW_APPS: usize = 50;
/// Bound of the count where no rollup has the number.
pub const COUNT_BOUND: i64 = 10_000;

/// Sort order of records. Equal ones are sorted by time and key in the same direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By the first event, latest first.
    Newest,
    /// By the first event, earliest first.
    Oldest,
    /// By application.
    App,
    /// By application, backwards.
    AppDescending,
}

/// Position of a record in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Application.
    pub app: String,
    /// First event.
    pub first_seen: DateTime<Utc>,
    /// Key of the execution.
    pub key: Uuid,
}

impl Position {
    /// The position of a record in every order.
    #[must_use]
    pub fn of(execution: &Execution) -> Self {
        let app = execution.facts.app.get().map_or_else(String::new, |app| app.as_str().to_owned());
        Self { app, first_seen: execution.first_seen, key: execution.key.0 }
    }
}

/// Start of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// After so many records.
    Offset(i64),
    /// Behind a record.
    Behind(Position),
}

/// The number of records.
#[derive(Debug)]
pub struct Total {
    /// Their number; at most [`COUNT_BOUND`] where no rollup has it.
    pub runs: i64,
    /// By day, newest first; `None` where no rollup has it.
    days: Option<Vec<DayRuns>>,
}

impl Total {
    /// Whether the number is exact.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        self.days.is_some() || self.runs < COUNT_BOUND
    }

    /// Whether a search can skip the days before a page.
    #[must_use]
    pub const fn is_by_day(&self) -> bool {
        self.days.is_some()
    }
}

impl Snapshot<'_> {
    /// Applications whose name the view shows and contains `part`, at most `length`.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn find_apps(&mut self, part: &str, length: i64) -> sqlx::Result<Vec<String>> {
        let only_known = self.hides_rare().await?.then_some(true);
        sqlx::query_file_scalar!("src/store/sql/read/records/find_apps.sql", part, length, only_known as _)
            .fetch_all(&mut *self.transaction)
            .await
    }

    /// The number of records.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn total(&mut self, choice: &Choice) -> sqlx::Result<Total> {
        let Some(visible) = &self.visible(choice).await? else {
            return Ok(Total { runs: 0, days: Some(Vec::new()) });
        };
        let choice = &visible.choice;
        let (first, last) = self.kept().await?;
        let is_open = matches!(choice.outcome, Some("installing" | "unfinished"));
        let by_os = choice.os.is_some() || choice.os_version.is_some();
        let rollup = match (choice.apps.is_some(), by_os) {
            _ if choice.is_by_row() => return self.counted(visible, first, last).await,
            (_, false) if is_open => "open",
            (false, false) => "all",
            (true, false) => "app",
            (false, true) if !is_open => "os",
            (_, true) => return self.counted(visible, first, last).await,
        };
        let selection = self.selection().await?;
        let days = sqlx::query_file_as!(
            DayRuns,
            "src/store/sql/read/records/record_days.sql",
            selection as _,
            first,
            rollup,
            choice.outcome,
            choice.os.as_deref() as _,
            choice.os_version.as_deref(),
            choice.apps.as_deref(),
            choice.running_since
        )
        .fetch_all(&mut *self.transaction)
        .await?;
        Ok(Total { runs: days.iter().map(|day| day.runs).sum(), days: Some(days) })
    }

    async fn counted(&mut self, visible: &Visible, first: NaiveDate, last: NaiveDate) -> sqlx::Result<Total> {
        // A bitmap scan would collect all rows of an application before it could stop at the bound, and the planner
        // cannot know how many there are.
        sqlx::query!("set local enable_bitmapscan = off").execute(&mut *self.transaction).await?;
        let runs = sqlx::query_file_scalar!(
            "src/store/sql/read/records/count_records.sql",
            start_of(first),
            end_of(last),
            COUNT_BOUND,
            visible.filter(&self.filter) as _,
            visible.choice.apps.as_deref()
        )
        .fetch_one(&mut *self.transaction)
        .await?;
        sqlx::query!("set local enable_bitmapscan = on").execute(&mut *self.transaction).await?;
        Ok(Total { runs, days: None })
    }

    /// A page of records. `total` shortens the search; without it all days are searched.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn records(
        &mut self,
        choice: &Choice,
        order: Order,
        start: &Start,
        limit: i64,
        total: Option<&Total>,
    ) -> sqlx::Result<Vec<Shown>> {
        let Some(visible) = &self.visible(choice).await? else { return Ok(Vec::new()) };
        let (first, last) = self.kept().await?;
        let days = total.and_then(|total| total.days.as_deref());
        let Window { first, last, offset } = match (days, order) {
            (Some(days), Order::Newest) => window(days.iter(), start, limit, true),
            (Some(days), Order::Oldest) => window(days.iter().rev(), start, limit, false),
            _ => Some(Window {
                first,
                last,
                offset: if let Start::Offset(offset) = start { *offset } else { 0 },
            }),
        }
        .unwrap_or(Window { first: last, last: first, offset: 0 });
        if first > last {
            return Ok(Vec::new());
        }
        let (first, last) = (start_of(first), end_of(last));
        let (filter, apps) = (visible.filter(&self.filter), visible.choice.apps.as_deref());
        let position = if let Start::Behind(position) = start { Some(position) } else { None };
        let of_few = apps.is_some_and(|apps| apps.len() <= FEW_APPS);
        let (time, key) = match (position, order) {
            (Some(position), _) => (position.first_seen, position.key),
            (None, Order::Oldest) => (first, Uuid::nil()),
            (None, _) => (last, Uuid::nil()),
        };
        let (app, app_time) = (position.map(|p| p.app.as_str()), position.map(|p| p.first_seen));
        let app_key = position.map(|p| p.key);
        let rare = match order {
            Order::App | Order::AppDescending => self.rare_apps().await?,
            Order::Newest | Order::Oldest => Vec::new(),
        };
        // The statements differ in their order, and with it in their index.
        macro_rules! page {
            ($file:literal, $($arguments:tt)*) => {
                sqlx::query_file_scalar!($file, $($arguments)*).fetch_all(&mut *self.transaction).await
            };
            (by_time $file:literal, $bound:expr) => {
                page!($file, time, key, $bound, filter as _, apps, limit, offset)
            };
            (by_app $file:literal) => {
                page!($file, first, last, filter as _, apps, limit, offset, app, app_time, app_key, &rare)
            };
        }
        let rows: Vec<Stored> = match order {
            Order::Newest if of_few => {
                page!(by_time "src/store/sql/read/records/records_of_apps_newest.sql", first)
            }
            Order::Newest => page!(by_time "src/store/sql/read/records/records_newest.sql", first),
            Order::Oldest if of_few => {
                page!(by_time "src/store/sql/read/records/records_of_apps_oldest.sql", last)
            }
            Order::Oldest => page!(by_time "src/store/sql/read/records/records_oldest.sql", last),
            Order::App => page!(by_app "src/store/sql/read/records/records_by_app.sql"),
            Order::AppDescending => {
                page!(by_app "src/store/sql/read/records/records_by_app_descending.sql")
            }
        }?;
        self.show(rows.into_iter().map(|row| row.execution).collect()).await
    }

    /// The execution with this key, unless it has no application; `None` for an unknown key. Ignores the filter.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn record(&mut self, key: Uuid) -> sqlx::Result<Option<Shown>> {
        let row = sqlx::query_scalar!(
            "select execution as \"row!: Stored\" from execution where run_key = $1 and app is not null",
            key
        );
        let row: Option<Stored> = row.fetch_optional(&mut *self.transaction).await?;
        Ok(self.show(row.into_iter().map(|row| row.execution).collect()).await?.pop())
    }

    /// The newest executions of one day, so that a search for something rare does not read the whole history.
    /// Ignores the dates of the filter.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn recent_of_day(
        &mut self,
        day: NaiveDate,
        limit: i64,
        app: Option<&str>,
        signature: Option<i64>,
    ) -> sqlx::Result<Vec<Shown>> {
        let choice = Choice { signature, ..Choice::all(DateTime::UNIX_EPOCH) };
        let Some(visible) = self.visible(&choice).await? else { return Ok(Vec::new()) };
        let rows = sqlx::query_scalar!(
            "select execution as \"row!: Stored\" from execution
             where app is not null and first_seen >= $1 and first_seen < $2 and is_listed(execution, $3)
                 and ($4::text is null or app = $4)
                 and ($5::bigint is null or signature = $5 and outcome = 'failed')
             order by first_seen desc, run_key desc limit $6",
            start_of(day),
            end_of(day),
            visible.filter(&self.filter) as _,
            app,
            signature,
            limit
        )
        .fetch_all(&mut *self.transaction)
        .await?;
        self.show(rows.into_iter().map(|row: Stored| row.execution).collect()).await
    }

    /// The first and the last day to list. Records before the retention horizon may have been deleted.
    pub(super) async fn kept(&mut self) -> sqlx::Result<(NaiveDate, NaiveDate)> {
        let horizon = horizon(&mut self.transaction).await?;
        let (first, last) = self.filter.days();
        Ok((first.max(horizon.unwrap_or(EARLIEST)), last))
    }
}

pub(super) fn start_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

pub(super) fn end_of(day: NaiveDate) -> DateTime<Utc> {
    start_of(day + Days::new(1))
}
