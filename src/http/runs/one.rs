//! `/api/runs/{id}`: one run, for clients that know its id.

#![allow(unused_qualifications, reason = "utoipa generates the paths")]

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use telemetry_protocol::ERASED_HEADER;
use utoipa::ToSchema;

use crate::expose::execution_view::{ExecutionView, rfc3339};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::request::guard::address_of;
use crate::limit::limits::Kind;
use crate::state::AppState;
use crate::store::keep::erase;
use crate::store::read::known::Shown;
use crate::store::read::runs::runs;

/// Longest time that erasing may take; shorter than the statement time-out of its connections.
const ERASE_TIMEOUT: Duration = Duration::from_secs(20);

/// The stored executions of an id.
#[derive(Serialize, ToSchema)]
struct Runs {
    /// Time of the answer.
    #[serde(serialize_with = "rfc3339")]
    as_of: DateTime<Utc>,
    /// Newest first.
    executions: Vec<ExecutionView>,
}

/// Everything stored about a run
///
/// Anyone who knows the `random_id` or `execution_id` of a run may read it.
#[utoipa::path(
    get,
    path = "/api/runs/{id}",
    operation_id = "run",
    tag = "executions",
    params(("id" = String, Path, description = "A random_id or execution_id")),
    responses(
        (status = 200, description = "The run, or all attempts of the session", body = Runs),
        (status = 404, description = "Nothing is stored under this id", body = ErrorBody),
        (status = 503, description = "The database did not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn show(id: web::Path<String>, state: web::Data<AppState>) -> Result<HttpResponse, ApiError> {
    let (as_of, executions) = find(&state, &id).await?;
    if executions.is_empty() {
        return Err(ApiError::UnknownRun);
    }
    Ok(HttpResponse::Ok().json(Runs { as_of, executions }))
}

/// Everything that is stored about an id, newest first, and the time of the answer.
///
/// # Errors
/// Any error from the database.
pub async fn find(state: &AppState, id: &str) -> Result<(DateTime<Utc>, Vec<ExecutionView>), ApiError> {
    let as_of = Utc::now();
    let executions = runs(&state.read_pool, state.ids.run_key(id.trim())).await?;
    let running_since = state.running_since(as_of);
    let show = |run| ExecutionView::of(&Shown::all(run), running_since);
    Ok((as_of, executions.into_iter().map(show).collect()))
}

/// Erases everything stored about a run
///
/// Removes the run from all counts as well, and its events that still wait to be stored, on every instance. Succeeds
/// if nothing is stored. While the database is unavailable, nothing is erased and the answer is 503.
#[utoipa::path(
    delete,
    path = "/api/runs/{id}",
    operation_id = "erase_run",
    tag = "executions",
    params(("id" = String, Path, description = "A random_id or execution_id")),
    responses(
        (status = 204, description = "Nothing is stored under this id any more", headers(
            ("Telemetry-Erased" = bool, description = "Always true; tells the answer from one of a proxy"),
        )),
        (status = 429, description = "The address erases too many runs; see Retry-After", body = ErrorBody),
        (status = 503, description = "The database did not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn erase(
    request: HttpRequest,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    erase_all(&request, &state, &id).await?;
    Ok(HttpResponse::NoContent().insert_header((ERASED_HEADER, "true")).finish())
}

/// Erases everything that is stored about an id, and returns the number of runs.
///
/// # Errors
/// [`ApiError::RateLimited`], [`ApiError::DatabaseUnavailable`].
pub async fn erase_all(request: &HttpRequest, state: &AppState, id: &str) -> Result<u64, ApiError> {
    // The ids of some tools can be guessed.
    state.limits.check(Kind::Erasure, &address_of(request, state))?;
    // Erasing is not deferred: a note on this machine could be lost with its disk.
    if state.outage.is_on() {
        return Err(ApiError::DatabaseUnavailable);
    }
    let (key, at) = (state.ids.run_key(id.trim()), Utc::now());
    let erasing = async {
        state.queue.settled().await;
        erase::erase(&state.delete_pool, key, at).await
    };
    let erased = tokio::time::timeout(ERASE_TIMEOUT, erasing).await;
    let erased = erased.map_err(|_| ApiError::DatabaseUnavailable)??;
    state.metrics.executions_deleted.with_label_values(&["request"]).inc_by(erased);
    if erased > 0 {
        // They may show the run.
        state.answers.clear();
    }
    Ok(erased)
}
