//! One's own run.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::execution::{ExecutionView, rfc3339};
use crate::http::error::{ApiError, ErrorBody};
use crate::state::AppState;
use crate::store::keep::erase;
use crate::store::read::runs::runs;

/// Longest time that erasing may take. Shorter than the time that the database gives a statement.
const ERASE_PATIENCE: Duration = Duration::from_secs(20);

/// The answer.
#[derive(Serialize, ToSchema)]
struct Runs {
    /// The time for which this is true.
    #[serde(serialize_with = "rfc3339")]
    as_of: DateTime<Utc>,
    /// Newest first.
    executions: Vec<ExecutionView>,
}

/// What is stored about a `random_id` or `execution_id`. Whoever knows it may see it.
///
/// # Errors
/// [`ApiError::UnknownRun`].
#[utoipa::path(
    get,
    path = "/api/runs/{id}",
    tag = "executions",
    params(("id" = String, Path, description = "`random_id` or `execution_id`")),
    responses(
        (status = 200, description = "The run, or the attempts of the session", body = Runs),
        (status = 404, description = "Nothing is known about this id", body = ErrorBody),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn show(id: web::Path<String>, state: web::Data<AppState>) -> Result<HttpResponse, ApiError> {
    let as_of = Utc::now();
    let executions = runs(&state.read_pool, state.ids.run_key(id.trim())).await?;
    if executions.is_empty() {
        return Err(ApiError::UnknownRun);
    }
    let running_since = state.running_since(as_of);
    let executions = executions.iter().map(|run| ExecutionView::of(run, running_since)).collect();
    Ok(HttpResponse::Ok().json(Runs { as_of, executions }))
}

/// Erases what [`show`] shows, what it counts for, and what of it still waits to be stored, on whatever
/// instance. Also a success when there is nothing. While the database is away it is refused: nothing could
/// be erased, and a promise to do so later would be worth as much as this machine's disk.
///
/// # Errors
/// [`ApiError::DatabaseUnavailable`].
#[utoipa::path(
    delete,
    path = "/api/runs/{id}",
    tag = "executions",
    params(("id" = String, Path, description = "random_id or execution_id")),
    responses(
        (status = 204, description = "Nothing is stored about it any more"),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn erase(id: web::Path<String>, state: web::Data<AppState>) -> Result<HttpResponse, ApiError> {
    if state.outage.is_on() {
        return Err(ApiError::DatabaseUnavailable);
    }
    let (key, at) = (state.ids.run_key(id.trim()), Utc::now());
    let erasing = async {
        state.queue.settled().await;
        erase::erase(&state.delete_pool, key, at).await
    };
    let erased = tokio::time::timeout(ERASE_PATIENCE, erasing).await;
    let erased = erased.map_err(|_| ApiError::DatabaseUnavailable)??;
    state.metrics.executions_deleted.with_label_values(&["request"]).inc_by(erased);
    Ok(HttpResponse::NoContent().finish())
}
