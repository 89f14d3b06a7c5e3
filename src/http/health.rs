//! Whether the server lives, whether it is of use, and what it measures.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

use crate::http::error::ApiError;
use crate::state::AppState;
use crate::store::read;

/// Longest time that the database may take to answer a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether the server is of use.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`, `ready` or `unready`.
    status: &'static str,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// The process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operation",
    responses((status = 200, description = "It does", body = Health))
)]
pub async fn healthy() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok", reason: None })
}

/// The database answers: 200, else 503 with the reason.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    responses(
        (status = 200, description = "It does", body = Health),
        (status = 503, description = "It does not", body = Health),
    )
)]
pub async fn ready(state: web::Data<AppState>) -> HttpResponse {
    let reason = match tokio::time::timeout(PROBE_TIMEOUT, read::ping(&state.probe_pool)).await {
        Ok(Ok(())) => return HttpResponse::Ok().json(Health { status: "ready", reason: None }),
        Ok(Err(_)) => "the database is unavailable",
        Err(_) => "the database does not answer in time",
    };
    HttpResponse::ServiceUnavailable().json(Health { status: "unready", reason: Some(reason) })
}

/// Everything that is measured, in the Prometheus text format.
///
/// # Errors
/// [`ApiError::Internal`].
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    responses((status = 200, description = "Metrics", body = String, content_type = "text/plain"))
)]
pub async fn metrics(state: web::Data<AppState>) -> Result<HttpResponse, ApiError> {
    observe_pool(&state, "read", &state.read_pool);
    observe_pool(&state, "write", &state.write_pool);
    state.limits.observe();
    observe_pool(&state, "delete", &state.delete_pool);
    let text = state.metrics.render().map_err(|_| ApiError::Internal)?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

fn observe_pool(state: &AppState, name: &str, pool: &PgPool) {
    let (busy, idle) = busy_and_idle(pool);
    let connections = &state.metrics.database_connections;
    connections.with_label_values(&[name, "idle"]).set(idle);
    connections.with_label_values(&[name, "busy"]).set(busy);
}

/// Connections of a pool that are in use, and those that are not.
pub(super) fn busy_and_idle(pool: &PgPool) -> (i64, i64) {
    let idle = i64::try_from(pool.num_idle()).unwrap_or(i64::MAX);
    ((i64::from(pool.size()) - idle).max(0), idle)
}
