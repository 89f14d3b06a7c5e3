//! `/` for browsers.

use actix_web::HttpResponse;
use chrono::NaiveDate;

use crate::http::aggregates::{dashboard, days_shown, regressions, signatures};
use crate::http::error::ApiError;
use crate::http::reply::read_request::ReadRequest;
use crate::page::chart::stacked::{Counts, OUTCOMES};
use crate::page::overview::{Overview, overview};
use crate::regression::Window;
use crate::state::AppState;
use crate::store::read::counts::DayCount;
use crate::store::read::signatures::{FAILED, SignatureChoice, SignatureOrder};
use crate::store::read::snapshot::Snapshot;

/// Rows of the list of reasons.
const REASONS: i64 = 10;

/// The overview.
///
/// # Errors
/// [`ApiError::BadParameter`], or any error from the database.
pub async fn show(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let (filter, today) = (request.filter()?, request.today);
    let read = async |state: &AppState, snapshot: &mut Snapshot<'_>| read(state, snapshot, today).await;
    request.page(&[], &filter, (), read, overview).await
}

async fn read(state: &AppState, snapshot: &mut Snapshot<'_>, today: NaiveDate) -> Result<Overview, ApiError> {
    let dashboard = dashboard::read_totals(state, snapshot).await?;
    let days = snapshot.days().await?;
    let first_with_data = days.first().map(|row| row.day);
    let days_shown = days_shown(&snapshot.filter, dashboard.as_of, first_with_data);
    let choice = SignatureChoice { order: SignatureOrder::Priority, today, ..SignatureChoice::of(FAILED) };
    let important = SignatureChoice { with_ignored: false, ..choice };
    let signatures = signatures::read_short_list(snapshot, &important, REASONS).await?;
    let regressed = SignatureChoice { state: Some("regressed"), ..choice };
    let regressed = signatures::read_short_list(snapshot, &regressed, REASONS).await?;
    let (from, to) = regressions::days_compared(today);
    snapshot.change_days(from, to);
    let regressions = regressions::read(snapshot, today, &Window::ALL).await?;
    Ok(Overview { dashboard, regressions, regressed, signatures, outcomes: by_day(&days), days: days_shown })
}

/// Runs by day, in the order of [`OUTCOMES`].
fn by_day(days: &[DayCount]) -> Counts {
    let mut counts = Counts::new();
    for row in days {
        if let Some(position) = OUTCOMES.iter().position(|(_, outcome)| *outcome == row.outcome) {
            counts.entry(row.day).or_insert_with(|| vec![0; OUTCOMES.len()])[position] += row.runs;
        }
    }
    counts
}
