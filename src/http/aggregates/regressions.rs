//! `/api/regressions`: scripts whose failure rate rose beyond chance.

#![allow(unused_qualifications, reason = "utoipa generates the paths")]

use actix_web::HttpResponse;
use chrono::{Days, NaiveDate};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::expose::regressions::{Regressions, names, regressions};
use crate::http::error::ApiError;
use crate::http::reply::described::CachedResponses;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::{FilterParameters, ListParameters, set};
use crate::regression::histories::series;
use crate::regression::{HISTORY_DAYS, Window, find};
use crate::store::read::filter::Filter;
use crate::store::read::snapshot::Snapshot;

/// The parameters of [`list`] besides the common ones.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RegressionParameters {
    /// The period that is compared with the 28 days before it: `today`, `24h`, `3d`, `7d` or `all` (default).
    window: Option<String>,
}

impl RegressionParameters {
    fn windows(self) -> Result<Vec<Window>, ApiError> {
        let Some(name) = set(self.window).filter(|name| name != "all") else {
            return Ok(Window::ALL.to_vec());
        };
        let window = Window::ALL.into_iter().find(|window| window.as_str() == name);
        window
            .map(|window| vec![window])
            .ok_or(ApiError::BadParameter { name: "window", reason: "must be today, 24h, 3d, 7d or all" })
    }
}

/// Scripts whose failure rate rose beyond chance
///
/// Each with its evidence. `days`, `from` and `to` have no effect: the last days are always compared with the days
/// before them.
#[utoipa::path(
    get,
    path = "/api/regressions",
    operation_id = "regressions",
    tag = "aggregates",
    security((), ("token" = [])),
    params(FilterParameters, ListParameters, RegressionParameters),
    responses((status = 200, description = "Regressions, clearest first", body = Regressions), CachedResponses)
)]
pub async fn list(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let windows = request.parameters::<RegressionParameters>()?.windows()?;
    let today = request.today;
    let dates = days_compared(today);
    let filter = Filter { from: dates.0, to: dates.1, ..request.filter()? };
    request.answer(&filter, &windows, async |_, snapshot| read(snapshot, today, &windows).await).await
}

/// First and last day that a search for regressions compares.
#[must_use]
pub fn days_compared(today: NaiveDate) -> (Option<NaiveDate>, Option<NaiveDate>) {
    (Some(today - Days::new(HISTORY_DAYS)), Some(today))
}

/// Reads the regressions. The filter has the days of [`days_compared`].
///
/// # Errors
/// Any error from the database.
pub async fn read(
    snapshot: &mut Snapshot<'_>,
    today: NaiveDate,
    windows: &[Window],
) -> Result<Regressions, ApiError> {
    let as_of = snapshot.as_of().await?;
    let findings = find(&series(&snapshot.platform_series(None).await?), today, windows);
    let apps: Vec<_> = findings.regressions.iter().map(|found| found.app.clone()).collect();
    let since: Vec<_> = findings.regressions.iter().map(|found| found.evidence[0].first_bad_day).collect();
    let (signatures, codes) = snapshot.reasons(&apps, &since).await?;
    let known = snapshot.known(names(&findings, &signatures)).await?;
    Ok(regressions(as_of, findings, &signatures, &codes, &known))
}
