//! Counts, rates and lists over many executions, computed from the rollups in one snapshot each.

pub mod dashboard;
pub mod failures;
pub mod scripts;
pub mod script;
pub mod popular;
pub mod exit_code;
pub mod repositories;
pub mod regressions;
pub mod signatures;
pub mod reasons;
pub mod timeseries;
pub mod sessions;
pub mod runtimes;

use chrono::{DateTime, NaiveDate, Utc};

use crate::expose::dashboard::LENGTH;
use crate::expose::numbers::period_before;
use crate::store::read::filter::Filter;
use crate::store::read::known::Shown;
use crate::store::read::records::{Choice, Order, Start};
use crate::store::read::snapshot::Snapshot;

/// Number of executions in lists of the newest ones.
const RECENT: i64 = 20;
/// Length of the other lists.
const TOP: i64 = LENGTH as i64;

/// The newest executions of a choice.
async fn newest(snapshot: &mut Snapshot<'_>, choice: &Choice) -> sqlx::Result<Vec<Shown>> {
    let total = snapshot.total(choice).await?;
    snapshot.records(choice, Order::Newest, &Start::Offset(0), RECENT, Some(&total)).await
}

/// First and last day of the period of the same length before that of the filter; `None` if it has no first day.
fn previous(filter: &Filter, as_of: DateTime<Utc>) -> Option<(NaiveDate, NaiveDate)> {
    filter.from.map(|from| period_before((from, filter.to.unwrap_or(as_of.date_naive()))))
}

/// First and last day of a series: those of the filter, else the first day with data and the day of the answer.
pub fn days_shown(
    filter: &Filter,
    as_of: DateTime<Utc>,
    first_with_data: Option<NaiveDate>,
) -> (NaiveDate, NaiveDate) {
    let last = filter.to.unwrap_or(as_of.date_naive());
    (filter.from.or(first_with_data).unwrap_or(last), last)
}
