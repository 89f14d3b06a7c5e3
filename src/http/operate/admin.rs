//! `/admin/status`, and the check of the admin token. Without `ADMIN_TOKEN` these paths do not exist.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;

use crate::expose::execution_view::rfc3339;
use crate::http::error::ApiError;
use crate::http::operate::health::busy_and_idle;
use crate::http::request::authorise::{bearer, check_token};
use crate::http::request::session::{Role, Session};
use crate::limit::limits::Kind;
use crate::state::AppState;

/// Proof that a request carries the admin token (`Authorization: Bearer …`) or the session of an administrator. Only such
/// requests reach a handler that has this parameter.
#[derive(Clone, Copy, Debug)]
pub struct Operator(());

impl FromRequest for Operator {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = request.app_data::<web::Data<AppState>>();
        ready(state.ok_or(ApiError::Internal).and_then(|state| authenticate(request, state)))
    }
}

fn authenticate(request: &HttpRequest, state: &AppState) -> Result<Operator, ApiError> {
    if state.protection.admin_token.is_none() {
        return Err(ApiError::NoSuchPath);
    }
    let is_signed_in = Session::of(request, state).is_some_and(|session| session.role == Role::Administrator);
    if is_signed_in && !request.headers().contains_key(AUTHORIZATION) {
        return Ok(Operator(()));
    }
    let checked = check_token(request, state, bearer(request), &[Role::Administrator]);
    checked.map(|_| Operator(())).inspect_err(|error| {
        if *error == ApiError::Unauthorized {
            state.metrics.admin_denied.inc();
        }
    })
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

/// State of the process: uptime, queue, limits and connections.
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
        connections: Connections { open: state.connections.count(), max: state.connections.max() },
        database_connections: Pools { read: Pool::of(&state.read_pool), write: Pool::of(&state.write_pool) },
    })
}
