//! Whether the server lives, and whether it is of use.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use sqlx::PgPool;

use crate::state::AppState;
use crate::store::read;

/// Longest time that the database may take to answer a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// The process answers.
pub async fn healthy() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok", reason: None })
}

/// The database answers: 200, else 503 with the reason.
pub async fn ready(state: web::Data<AppState>) -> HttpResponse {
    let reason = match tokio::time::timeout(PROBE_TIMEOUT, read::ping(&state.probe_pool)).await {
        Ok(Ok(())) => return HttpResponse::Ok().json(Health { status: "ready", reason: None }),
        Ok(Err(_)) => "the database is unavailable",
        Err(_) => "the database does not answer in time",
    };
    HttpResponse::ServiceUnavailable().json(Health { status: "unready", reason: Some(reason) })
}

/// Connections of a pool that are in use, and those that are not.
pub(super) fn busy_and_idle(pool: &PgPool) -> (i64, i64) {
    let idle = i64::try_from(pool.num_idle()).unwrap_or(i64::MAX);
    ((i64::from(pool.size()) - idle).max(0), idle)
}
