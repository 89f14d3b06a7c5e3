//! `/api/errors`: failures by exit code, category, script and day.

use actix_web::HttpResponse;

use super::{TOP, days_shown, newest};
use crate::expose::dashboard::worst;
use crate::expose::errors::{Errors, FailureCounts, errors};
use crate::expose::execution_view::ExecutionView;
use crate::expose::numbers::RunCounts;
use crate::http::error::ApiError;
use crate::http::reply::described::CachedResponses;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::{FilterParameters, ListParameters};
use crate::state::AppState;
use crate::store::read::records::Choice;
use crate::store::read::snapshot::Snapshot;

/// Failures by exit code, category, script and day
///
/// With the newest failed runs. Blocked and aborted runs are not part of `total_errors`.
#[utoipa::path(
    get,
    path = "/api/errors",
    operation_id = "failures",
    tag = "aggregates",
    security((), ("token" = [])),
    params(FilterParameters, ListParameters),
    responses((status = 200, description = "Failures", body = Errors), CachedResponses)
)]
pub async fn list(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    request.answer(&request.filter()?, (), read).await
}

async fn read(state: &AppState, snapshot: &mut Snapshot<'_>) -> Result<Errors, ApiError> {
    let as_of = snapshot.as_of().await?;
    let running_since = state.running_since(as_of);
    let scripts = snapshot.scripts(running_since, TOP).await?;
    let failing: Vec<_> = worst(&scripts).into_iter().map(|(app, _)| app.to_owned()).collect();
    let failed = Choice { outcome: Some("failed"), ..Choice::all(running_since) };
    let recent = newest(snapshot, &failed).await?;
    let days = snapshot.days().await?;
    Ok(errors(FailureCounts {
        runs: RunCounts {
            as_of,
            days_shown: days_shown(&snapshot.filter, as_of, days.first().map(|count| count.day)),
            scripts,
            days,
            exit_codes: snapshot.exit_codes().await?,
        },
        most_hit: snapshot.most_hit().await?,
        reasons: snapshot.reason_counts().await?,
        causes: snapshot.causes(&failing).await?,
        top_reasons: snapshot.top_reasons(&failing).await?,
        recent: recent.iter().map(|run| ExecutionView::of(run, running_since).into()).collect(),
    }))
}
