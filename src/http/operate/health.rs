//! `/healthz` and `/readyz`: whether the process runs, and whether it accepts events.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

use crate::state::AppState;
use crate::store::read::snapshot;

/// Longest time for the database to answer a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The state of the server.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`, `ready`, `degraded` or `unready`.
    status: &'static str,
    /// Why the server is degraded or unready.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// Whether the process runs
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "health",
    tag = "operation",
    responses((status = 200, description = "The process runs", body = Health))
)]
pub async fn healthy() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok", reason: None })
}

/// Whether the server accepts events
///
/// `ready` if all events are in the database, `degraded` while events wait in the spool, `unready` if events cannot be
/// stored.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readiness",
    tag = "operation",
    responses(
        (status = 200, description = "Events are accepted", body = Health),
        (status = 503, description = "Events are not accepted", body = Health),
    )
)]
pub async fn ready(state: web::Data<AppState>) -> HttpResponse {
    let database_error = match tokio::time::timeout(PROBE_TIMEOUT, snapshot::ping(&state.probe_pool)).await {
        Ok(Ok(())) => state.outage.is_on().then_some("the database does not accept events"),
        Ok(Err(_)) => Some("the database is unavailable"),
        Err(_) => Some("the database did not answer in time"),
    };
    let health = match (database_error, &state.spool) {
        (Some(_), Some(spool)) if spool.is_full() => Err("the database is unavailable and the spool is full"),
        (Some(reason), None) => Err(reason),
        (Some(reason), Some(_)) => Ok(Health { status: "degraded", reason: Some(reason) }),
        (None, Some(spool)) if spool.entries() > 0 => {
            Ok(Health { status: "degraded", reason: Some("the spool is being drained") })
        }
        (None, _) => Ok(Health { status: "ready", reason: None }),
    };
    match health {
        Ok(health) => HttpResponse::Ok().json(health),
        Err(reason) => {
            HttpResponse::ServiceUnavailable().json(Health { status: "unready", reason: Some(reason) })
        }
    }
}

/// Number of connections of a pool that are in use, and of those that are not.
pub(super) fn busy_and_idle(pool: &PgPool) -> (i64, i64) {
    let idle = i64::try_from(pool.num_idle()).unwrap_or(i64::MAX);
    ((i64::from(pool.size()) - idle).max(0), idle)
}
