//! `/admin`: for the operator, by a token. Without a token in the configuration there is no such path.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;

use crate::expose::execution_view::rfc3339;
use crate::http::error::ApiError;
use crate::http::guard::sender;
use crate::http::health::busy_and_idle;
use crate::limit::limits::Kind;
use crate::state::AppState;

/// Proof that the request carries the token: `Authorization: Bearer …`. A handler that takes it is
/// the operator's.
#[derive(Clone, Copy, Debug)]
pub struct Operator(());

impl FromRequest for Operator {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = request.app_data::<web::Data<AppState>>();
        ready(state.ok_or(ApiError::Internal).and_then(|state| recognise(request, state)))
    }
}

/// Every attempt is counted before it is looked at, so that a right guess among too many is none; the
/// right token takes the count back.
fn recognise(request: &HttpRequest, state: &AppState) -> Result<Operator, ApiError> {
    let token = state.protection.admin_token.as_ref().ok_or(ApiError::NoSuchPath)?;
    let sender = sender(request, state);
    state.limits.check(Kind::Admin, &sender).map_err(|limited| ApiError::TooOften {
        kind: Kind::Admin,
        retry_after_seconds: limited.retry_after_seconds,
    })?;
    let given = request.headers().get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
    if given.is_some_and(|given| token.is(given)) {
        state.limits.forgive(Kind::Admin, &sender);
        return Ok(Operator(()));
    }
    state.metrics.admin_denied.inc();
    Err(ApiError::Unauthorized)
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

#[derive(Serialize)]
struct Status {
    version: &'static str,
    #[serde(serialize_with = "rfc3339")]
    as_of: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339")]
    started_at: DateTime<Utc>,
    uptime_seconds: i64,
    queue_events: i64,
    limiter_keys: LimiterKeys,
    connections: Connections,
    database_connections: Pools,
}

#[derive(Serialize)]
struct LimiterKeys {
    run: usize,
    address: usize,
    admin: usize,
}

#[derive(Serialize)]
struct Connections {
    open: usize,
    max: usize,
}

#[derive(Serialize)]
struct Pools {
    read: Pool,
    write: Pool,
}

#[derive(Serialize)]
struct Pool {
    busy: i64,
    idle: i64,
}

impl Pool {
    fn of(pool: &PgPool) -> Self {
        let (busy, idle) = busy_and_idle(pool);
        Self { busy, idle }
    }
}

/// How the server is doing.
pub async fn status(_: Operator, state: web::Data<AppState>) -> HttpResponse {
    let as_of = Utc::now();
    let keys = |kind| state.limits.keys(kind);
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Status {
        version: env!("CARGO_PKG_VERSION"),
        as_of,
        started_at: state.started_at,
        uptime_seconds: (as_of - state.started_at).num_seconds(),
        queue_events: state.metrics.queue_events.get(),
        limiter_keys: LimiterKeys {
            run: keys(Kind::Run),
            address: keys(Kind::Address),
            admin: keys(Kind::Admin),
        },
        connections: Connections { open: state.connections.count(), max: state.connections.most() },
        database_connections: Pools { read: Pool::of(&state.read_pool), write: Pool::of(&state.write_pool) },
    })
}
