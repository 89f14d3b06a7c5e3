//! `/api/sessions`: attempts per session, by day and by script.

use actix_web::HttpResponse;

use crate::expose::sessions::{Sessions, sessions};
use crate::http::error::ApiError;
use crate::http::reply::described::CachedResponses;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::{FilterParameters, ListParameters};
use crate::state::AppState;
use crate::store::read::snapshot::Snapshot;

/// Attempts per session, by day and by script
///
/// A session is all attempts of one person at one script. Counted every 15 to 60 seconds; `as_of` is the time of the
/// count.
#[utoipa::path(
    get,
    path = "/api/sessions",
    operation_id = "sessions",
    tag = "aggregates",
    security((), ("token" = [])),
    params(FilterParameters, ListParameters),
    responses(
        (status = 200, description = "Sessions, and how many succeeded after a retry", body = Sessions),
        CachedResponses,
    )
)]
pub async fn list(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    request.answer(&request.filter()?, (), read).await
}

async fn read(_: &AppState, snapshot: &mut Snapshot<'_>) -> Result<Sessions, ApiError> {
    let as_of = snapshot.sessions_as_of().await?.ok_or(ApiError::DatabaseUnavailable)?;
    Ok(sessions(as_of, &snapshot.sessions(None).await?))
}
