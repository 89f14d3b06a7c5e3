//! `/api/runtime`: where the scripts were loaded from.

use actix_web::HttpResponse;

use crate::expose::runtimes::{Runtimes, runtimes};
use crate::http::error::ApiError;
use crate::http::reply::described::CachedResponses;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::{FilterParameters, ListParameters};
use crate::state::AppState;
use crate::store::read::snapshot::Snapshot;

/// Runs by the source and revision of the script
#[utoipa::path(
    get,
    path = "/api/runtime",
    operation_id = "runtime",
    tag = "aggregates",
    security((), ("token" = [])),
    params(FilterParameters, ListParameters),
    responses(
        (status = 200, description = "Sources and revisions, and the share of old ones", body = Runtimes),
        CachedResponses,
    )
)]
pub async fn list(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    request.answer(&request.filter()?, (), read).await
}

async fn read(_: &AppState, snapshot: &mut Snapshot<'_>) -> Result<Runtimes, ApiError> {
    Ok(runtimes(snapshot.as_of().await?, snapshot.runtimes().await?))
}
