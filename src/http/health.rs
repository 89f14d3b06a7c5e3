//! Whether the server lives, and whether it is of use.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

use crate::state::AppState;
use crate::store::read::snapshot;

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

/// Events are taken: 200, `ready` if the database answers and has everything, `degraded` while
/// something waits for it in the spool. Else 503 with the reason.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    responses(
        (status = 200, description = "Events are taken", body = Health),
        (status = 503, description = "Events are not taken", body = Health),
    )
)]
pub async fn ready(state: web::Data<AppState>) -> HttpResponse {
    let away = match tokio::time::timeout(PROBE_TIMEOUT, snapshot::ping(&state.probe_pool)).await {
        Ok(Ok(())) => state.outage.is_on().then_some("the database does not take events"),
        Ok(Err(_)) => Some("the database is unavailable"),
        Err(_) => Some("the database does not answer in time"),
    };
    let health = match (away, &state.spool) {
        (Some(_), Some(spool)) if spool.is_full() => Err("the database is away and the spool is full"),
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

/// Connections of a pool that are in use, and those that are not.
pub(super) fn busy_and_idle(pool: &PgPool) -> (i64, i64) {
    let idle = i64::try_from(pool.num_idle()).unwrap_or(i64::MAX);
    ((i64::from(pool.size()) - idle).max(0), idle)
}
