//! `/api/repo-slugs`: runs by the repository of the script.

use actix_web::HttpResponse;

use crate::expose::legacy::RepoSlugs;
use crate::http::error::ApiError;
use crate::http::reply::described::CachedResponses;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::{FilterParameters, ListParameters};
use crate::state::AppState;
use crate::store::read::snapshot::Snapshot;

/// Length of the list.
const REPOSITORIES: i64 = 1_000;

/// Runs by repository
#[utoipa::path(
    get,
    path = "/api/repo-slugs",
    operation_id = "repositories",
    tag = "aggregates",
    security((), ("token" = [])),
    params(FilterParameters, ListParameters),
    responses((status = 200, description = "Repositories, most runs first", body = RepoSlugs), CachedResponses)
)]
pub async fn list(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    request.answer(&request.filter()?, (), read).await
}

async fn read(_: &AppState, snapshot: &mut Snapshot<'_>) -> Result<RepoSlugs, ApiError> {
    Ok(RepoSlugs::of(snapshot.as_of().await?, snapshot.slugs(REPOSITORIES).await?))
}
