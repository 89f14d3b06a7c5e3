//! Lists of executions, page by page.
//!
//! A page is found by its position, which an index knows, and never by counting rows from the
//! beginning: the rollups tell how many records every day has, so that the days before the page are
//! skipped, and the search ends with the last day that is needed.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use uuid::Uuid;

use crate::ingest::execution::Execution;
use crate::store::keep::sums::Cover;
use crate::store::model::rollup::os_family;
use crate::store::model::row::Stored;
use crate::store::read::snapshot::{Filter, Snapshot};

/// More applications than this are not looked up one by one.
const FEW_APPS: usize = 50;
/// What no rollup counts is counted up to here.
pub const COUNT_BOUND: i64 = 10_000;

/// Which records are meant, besides the [`Filter`]. A `None` does not restrict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// `success`, `failed`, `blocked`, `aborted`, `installing` (running), `unfinished`.
    pub outcome: Option<&'static str>,
    /// Applications.
    pub apps: Option<Vec<String>>,
    /// Operating system of the guest.
    pub os: Option<String>,
    /// Its version.
    pub os_version: Option<String>,
    /// An open run is running if its last event lies here or later; a full hour.
    pub running_since: DateTime<Utc>,
}

impl Choice {
    /// All records.
    #[must_use]
    pub const fn all(running_since: DateTime<Utc>) -> Self {
        Self { outcome: None, apps: None, os: None, os_version: None, running_since }
    }
}

impl Choice {
    /// The distributions that are counted as the one that is asked for; the rollups do the same.
    fn os_types(&self) -> Option<Vec<String>> {
        let asked = self.os.as_deref()?;
        let all = [asked, "wolfi"].into_iter().filter(|os| os_family(os) == asked);
        Some(all.map(str::to_owned).collect())
    }
}

/// How records are sorted. The rest is by time and key, in the same direction.
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

/// Where a record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Application.
    pub app: String,
    /// First event.
    pub first_seen: DateTime<Utc>,
    /// Key of the run.
    pub key: Uuid,
}

impl Position {
    /// The place of a record in every order.
    #[must_use]
    pub fn of(execution: &Execution) -> Self {
        let app = execution.facts.app.get().map_or_else(String::new, |app| app.as_str().to_owned());
        Self { app, first_seen: execution.first_seen, key: execution.key.0 }
    }
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// After so many records.
    Offset(i64),
    /// Behind a record.
    Behind(Position),
}

/// How many records there are.
#[derive(Debug)]
pub struct Total {
    /// Their number; at most [`COUNT_BOUND`] where the rollups do not know.
    pub runs: i64,
    /// By day, newest first; `None` where the rollups do not know.
    days: Option<Vec<DayRuns>>,
}

impl Total {
    /// Whether there are not more.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        self.days.is_some() || self.runs < COUNT_BOUND
    }

    /// Whether the records before a page can be skipped by day.
    #[must_use]
    pub const fn is_by_day(&self) -> bool {
        self.days.is_some()
    }
}

#[derive(Debug)]
struct DayRuns {
    day: NaiveDate,
    runs: i64,
}

/// The part of the history in which a page lies.
#[derive(Debug, PartialEq, Eq)]
struct Window {
    first: NaiveDate,
    last: NaiveDate,
    offset: i64,
}

impl Snapshot<'_> {
    /// Applications whose name contains `part`, at most `length`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn find_apps(&mut self, part: &str, length: i64) -> sqlx::Result<Vec<String>> {
        sqlx::query_file_scalar!("src/store/sql/keep/find_apps.sql", part, length)
            .fetch_all(&mut *self.transaction)
            .await
    }

    /// How many records there are.
    ///
    /// # Errors
    /// What the database says.
    pub async fn total(&mut self, choice: &Choice) -> sqlx::Result<Total> {
        let (first, last) = self.kept().await?;
        let is_open = matches!(choice.outcome, Some("installing" | "unfinished"));
        let by_os = choice.os.is_some() || choice.os_version.is_some();
        let rollup = match (choice.apps.is_some(), by_os) {
            (_, false) if is_open => "open",
            (false, false) => "all",
            (true, false) => "app",
            (false, true) if !is_open => "os",
            (_, true) => {
                let runs = self.count(choice, first, last).await?;
                return Ok(Total { runs, days: None });
            }
        };
        let cover = if rollup == "all" { self.cover_by_day().await? } else { Cover::default() };
        let f = self.filter;
        let days = sqlx::query_file_as!(
            DayRuns,
            "src/store/sql/read/record_days.sql",
            first,
            last,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref(),
            rollup,
            choice.outcome,
            choice.running_since,
            choice.os.as_deref(),
            choice.apps.as_deref(),
            choice.os_version.as_deref(),
            &cover.days,
            &cover.spans
        )
        .fetch_all(&mut *self.transaction)
        .await?;
        Ok(Total { runs: days.iter().map(|day| day.runs).sum(), days: Some(days) })
    }

    async fn count(&mut self, choice: &Choice, first: NaiveDate, last: NaiveDate) -> sqlx::Result<i64> {
        let (f, os_types) = (self.filter, choice.os_types());
        // Collecting all rows of an application first would miss that the bound is soon reached; how
        // many it has is not known when the query is planned.
        sqlx::query!("set local enable_bitmapscan = off").execute(&mut *self.transaction).await?;
        let count = sqlx::query_file_scalar!(
            "src/store/sql/read/count_records.sql",
            start_of(first),
            end_of(last),
            COUNT_BOUND,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref(),
            choice.outcome,
            choice.running_since,
            os_types.as_deref(),
            choice.apps.as_deref(),
            choice.os_version.as_deref()
        )
        .fetch_one(&mut *self.transaction)
        .await?;
        sqlx::query!("set local enable_bitmapscan = on").execute(&mut *self.transaction).await?;
        Ok(count)
    }

    /// A page of records. `total` shortens the search; without it all days are searched.
    ///
    /// # Errors
    /// What the database says.
    pub async fn records(
        &mut self,
        choice: &Choice,
        order: Order,
        start: &Start,
        limit: i64,
        total: Option<&Total>,
    ) -> sqlx::Result<Vec<Execution>> {
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
        let os_types = choice.os_types();
        let position = if let Start::Behind(position) = start { Some(position) } else { None };
        let of_few = choice.apps.as_ref().is_some_and(|apps| apps.len() <= FEW_APPS);
        let f = self.filter;
        macro_rules! page {
            ($file:literal, $one:expr, $two:expr, $three:expr $(, $more:expr)*) => {
                sqlx::query_file_scalar!(
                    $file,
                    $one,
                    $two,
                    $three,
                    f.repo.as_deref(),
                    f.slug.as_deref(),
                    f.kind.as_deref(),
                    f.platform.as_deref(),
                    choice.outcome,
                    choice.running_since,
                    os_types.as_deref(),
                    choice.apps.as_deref(),
                    limit,
                    offset,
                    choice.os_version.as_deref()
                    $(, $more)*
                )
                .fetch_all(&mut *self.transaction)
                .await
            };
        }
        let (time, key) = match (position, order) {
            (Some(position), _) => (position.first_seen, position.key),
            (None, Order::Oldest) => (first, Uuid::nil()),
            (None, _) => (last, Uuid::nil()),
        };
        let (app, app_time) = (position.map(|p| p.app.as_str()), position.map(|p| p.first_seen));
        let app_key = position.map(|p| p.key);
        let rows: Vec<Stored> = match order {
            Order::Newest if of_few => {
                page!("src/store/sql/read/records_of_apps_newest.sql", time, key, first)
            }
            Order::Newest => page!("src/store/sql/read/records_newest.sql", time, key, first),
            Order::Oldest if of_few => {
                page!("src/store/sql/read/records_of_apps_oldest.sql", time, key, last)
            }
            Order::Oldest => page!("src/store/sql/read/records_oldest.sql", time, key, last),
            Order::App => {
                page!("src/store/sql/read/records_by_app.sql", first, last, app, app_time, app_key)
            }
            Order::AppDescending => {
                page!("src/store/sql/read/records_by_app_descending.sql", first, last, app, app_time, app_key)
            }
        }?;
        Ok(rows.into_iter().map(|row| row.execution).collect())
    }

    /// The first and the last day of which records can be listed: older ones may be deleted.
    async fn kept(&mut self) -> sqlx::Result<(NaiveDate, NaiveDate)> {
        let horizon = sqlx::query_scalar!(
            "select convert_from(value, 'UTF8')::date as \"day!\" from setting where name = 'retention_horizon'"
        );
        let horizon = horizon.fetch_optional(&mut *self.transaction).await?;
        let Filter { from, to, .. } = self.filter;
        Ok((from.or(Some(EARLIEST)).max(horizon).unwrap_or(EARLIEST), to.unwrap_or(LATEST)))
    }
}

/// Nothing is older.
pub(crate) const EARLIEST: NaiveDate = NaiveDate::from_ymd_opt(2000, 1, 1).expect("a day");
/// Nothing is newer.
pub(crate) const LATEST: NaiveDate = NaiveDate::from_ymd_opt(2200, 1, 1).expect("a day");

fn start_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

fn end_of(day: NaiveDate) -> DateTime<Utc> {
    start_of(day + Days::new(1))
}

/// The days in which a page lies, given the days in the order of the page; `None` for a page behind
/// the end.
fn window<'a>(
    days: impl Iterator<Item = &'a DayRuns>,
    start: &Start,
    limit: i64,
    newest_first: bool,
) -> Option<Window> {
    let mut days = days.peekable();
    let (begin, mut offset, mut missing) = match start {
        Start::Offset(offset) => {
            let mut offset = *offset;
            while let Some(day) = days.next_if(|day| day.runs <= offset) {
                offset -= day.runs;
            }
            (days.peek()?.day, offset, offset + limit)
        }
        Start::Behind(position) => {
            let day = position.first_seen.date_naive();
            // How much of that day is left is not known.
            while days.next_if(|next| if newest_first { next.day >= day } else { next.day <= day }).is_some()
            {
            }
            (day, 0, limit)
        }
    };
    let mut end = begin;
    for day in days.take_while(|day| {
        let is_needed = missing > 0;
        missing -= day.runs;
        is_needed
    }) {
        end = day.day;
    }
    offset = offset.max(0);
    Some(if newest_first {
        Window { first: end, last: begin, offset }
    } else {
        Window { first: begin, last: end, offset }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, day).expect("a day")
    }

    fn newest(start: &Start, limit: i64) -> Option<(NaiveDate, NaiveDate, i64)> {
        let days = [(9, 5), (7, 1), (3, 10), (1, 2)].map(|(date, runs)| DayRuns { day: day(date), runs });
        window(days.iter(), start, limit, true).map(|window| (window.first, window.last, window.offset))
    }

    #[test]
    fn the_days_before_a_page_and_behind_it_are_not_searched() {
        assert_eq!(newest(&Start::Offset(0), 5), Some((day(9), day(9), 0)));
        assert_eq!(newest(&Start::Offset(0), 6), Some((day(7), day(9), 0)));
        assert_eq!(newest(&Start::Offset(5), 1), Some((day(7), day(7), 0)));
        assert_eq!(newest(&Start::Offset(7), 9), Some((day(3), day(3), 1)));
        assert_eq!(newest(&Start::Offset(7), 10), Some((day(1), day(3), 1)));
        assert_eq!(newest(&Start::Offset(18), 10), None);
    }

    #[test]
    fn behind_a_record_its_day_and_as_many_days_as_hold_a_page_are_searched() {
        let behind = |date| {
            Start::Behind(Position { app: String::new(), first_seen: start_of(day(date)), key: Uuid::nil() })
        };
        assert_eq!(newest(&behind(9), 1), Some((day(7), day(9), 0)));
        assert_eq!(newest(&behind(8), 2), Some((day(3), day(8), 0)));
        assert_eq!(newest(&behind(1), 2), Some((day(1), day(1), 0)));
    }
}
