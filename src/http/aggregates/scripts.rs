//! `/api/scripts`: the most frequent scripts and how their runs end.

use actix_web::HttpResponse;

use super::{TOP, newest};
use crate::expose::execution_view::ExecutionView;
use crate::expose::scripts::{Scripts, ScriptsCounts, busiest, scripts};
use crate::http::error::ApiError;
use crate::http::reply::described::CachedResponses;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::{FilterParameters, ListParameters};
use crate::state::AppState;
use crate::store::read::records::Choice;
use crate::store::read::snapshot::Snapshot;

/// The most frequent scripts, by outcome
///
/// A script is an application together with its type.
#[utoipa::path(
    get,
    path = "/api/scripts",
    operation_id = "scripts",
    tag = "aggregates",
    security((), ("token" = [])),
    params(FilterParameters, ListParameters),
    responses(
        (status = 200, description = "The most frequent scripts, and the newest runs", body = Scripts),
        CachedResponses,
    )
)]
pub async fn list(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    request.answer(&request.filter()?, (), read).await
}

async fn read(state: &AppState, snapshot: &mut Snapshot<'_>) -> Result<Scripts, ApiError> {
    let as_of = snapshot.as_of().await?;
    let running_since = state.running_since(as_of);
    let counted = snapshot.scripts(running_since, TOP).await?;
    let (apps, kinds): (Vec<_>, Vec<_>) =
        busiest(&counted).into_iter().map(|(app, row)| (app, row.kind.as_str())).unzip();
    let first_days = snapshot.first_days(&apps, &kinds).await?;
    let recent = newest(snapshot, &Choice::all(running_since)).await?;
    Ok(scripts(ScriptsCounts {
        as_of,
        period: (snapshot.filter.from, snapshot.filter.to.unwrap_or(as_of.date_naive())),
        first_days,
        recent: recent.iter().map(|run| ExecutionView::of(run, running_since).into()).collect(),
        scripts: counted,
    }))
}
