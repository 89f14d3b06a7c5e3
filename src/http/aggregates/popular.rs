//! `/api/popular`: which scripts are used most and least, and which are new or used more than before.

use actix_web::HttpResponse;

use super::{TOP, previous};
use crate::expose::popular::{Popular, PopularCounts, popular};
use crate::http::error::ApiError;
use crate::http::reply::described::CachedResponses;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::{FilterParameters, ListParameters};
use crate::state::AppState;
use crate::store::read::snapshot::Snapshot;

/// The most and the least used scripts, rising ones and new ones
///
/// Compared with the period of the same length before. The current day is not over, so a short period that includes it
/// has fewer runs than the one before.
#[utoipa::path(
    get,
    path = "/api/popular",
    operation_id = "popular",
    tag = "aggregates",
    security((), ("token" = [])),
    params(FilterParameters, ListParameters),
    responses((status = 200, description = "Lists of scripts", body = Popular), CachedResponses)
)]
pub async fn list(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    request.answer(&request.filter()?, (), read).await
}

/// Reads the lists of scripts.
///
/// # Errors
/// Any error from the database.
pub async fn read(_: &AppState, snapshot: &mut Snapshot<'_>) -> Result<Popular, ApiError> {
    let as_of = snapshot.as_of().await?;
    let previous = previous(&snapshot.filter, as_of);
    Ok(popular(PopularCounts { as_of, previous, scripts: snapshot.popular(previous, TOP).await? }))
}
