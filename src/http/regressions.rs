//! Scripts that fail more than before.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Days;
use serde::Deserialize;

use crate::expose::regression::{Regressions, regressions};
use crate::http::answer::{give, lasts, today, whole_or_list};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::parameters::{FilterParameters, ListParameters};
use crate::regression::series::series;
use crate::regression::{HISTORY_DAYS, Window, find};
use crate::state::AppState;
use crate::store::read::filter::Filter;
use crate::store::read::snapshot::Snapshot;

/// The query of [`show`] besides the filter.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    window: Option<String>,
}

impl Parameters {
    fn windows(&self) -> Result<Vec<Window>, ApiError> {
        let Some(name) = self.window.as_deref().filter(|name| !matches!(*name, "" | "all")) else {
            return Ok(Window::ALL.to_vec());
        };
        let window = Window::ALL.into_iter().find(|window| window.as_str() == name);
        window
            .map(|window| vec![window])
            .ok_or(ApiError::BadParameter { name: "window", reason: "must be today, 24h, 3d, 7d or all" })
    }
}

/// Scripts whose failure rate rose beyond chance. The dates of the filter do not matter: it is always
/// today that is compared with its past.
///
/// # Errors
/// [`ApiError::BadParameter`], [`ApiError::DatabaseUnavailable`].
#[utoipa::path(
    get,
    path = "/api/regressions",
    tag = "aggregates",
    params(FilterParameters, ListParameters, ("window" = Option<String>, Query, description = "`today`, `24h`, `3d`, `7d` or `all` (default)")),
    responses(
        (status = 200, description = "Scripts that fail more than before, with the evidence", body = Regressions),
        (status = 304, description = "The answer is the one named by If-None-Match"),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn show(
    request: HttpRequest,
    filter: web::Query<FilterParameters>,
    list: web::Query<ListParameters>,
    parameters: web::Query<Parameters>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (today, windows) = (today(), parameters.windows()?);
    let filter = filter.into_inner().check(today)?;
    let filter = Filter { from: Some(today - Days::new(HISTORY_DAYS)), to: Some(today), ..filter };
    let list = list.check::<Regressions>()?;
    give(&request, &state, (filter, windows, list), async move |state, (filter, windows, list)| {
        let mut snapshot = Snapshot::open(&state.readers, &filter).await?;
        let as_of = snapshot.as_of().await?;
        let by = |property| async move |half: &mut Snapshot<'_>| half.platform_series(Some(property)).await;
        let (mut rows, more) = snapshot.both(by("os"), by("pve")).await?;
        rows.extend(more);
        let findings = find(&series(&rows), today, &windows);
        let apps: Vec<_> = findings.regressions.iter().map(|found| found.app.clone()).collect();
        let since: Vec<_> =
            findings.regressions.iter().map(|found| found.evidence[0].first_bad_day).collect();
        let (signatures, codes) = snapshot.reasons(&apps, &since).await?;
        snapshot.close().await?;
        whole_or_list(&regressions(as_of, findings, &signatures, &codes), list, lasts(&state, &filter))
    })
    .await
}
