//! POST of an event: receive, read, write, answer.

use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_ENCODING;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use telemetry_protocol::Generation;

use crate::http::error::ApiError;
use crate::ingest::normalise::Route;
use crate::ingest::pipeline::{Accepted, read_event};
use crate::limit::limits::Kind;
use crate::state::AppState;

/// The body of every success.
const ACCEPTED: &str = r#"{"status":"accepted"}"#;

/// Takes one event that came by `route`; answers when it is committed.
///
/// # Errors
/// [`ApiError`], counted by its code.
pub async fn accept(
    route: Route,
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    match take(route, &request, payload, &state).await {
        Ok(()) => Ok(HttpResponse::Ok().content_type("application/json").body(ACCEPTED)),
        Err(error) => {
            state.metrics.events_rejected.with_label_values(&[error.code()]).inc();
            Err(error)
        }
    }
}

async fn take(
    route: Route,
    request: &HttpRequest,
    payload: web::Payload,
    state: &AppState,
) -> Result<(), ApiError> {
    let encoding = request.headers().get(CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        return Err(ApiError::UnsupportedEncoding);
    }
    let body = receive(request, payload, state).await?;
    let Accepted { event, rescues } = read_event(&body, route, now(), &state.ids)?;
    for kind in rescues.iter() {
        state.metrics.events_rescued.with_label_values(&[kind.code()]).inc();
    }
    // A start without an id is a run of its own, and always its first.
    if event.execution().generation != Generation::Zero {
        let limited = state.limits.check(Kind::Run, &event.execution().key);
        limited.map_err(|limited| ApiError::TooOften {
            kind: Kind::Run,
            retry_after_seconds: limited.retry_after_seconds,
        })?;
    }
    let generation = ["0", "1", "2", "3"][usize::from(event.execution().generation.number())];
    state.queue.write(event).await?;
    state.metrics.events_accepted.with_label_values(&[generation]).inc();
    Ok(())
}

/// The whole body, unless it is too long or too slow. One whose length is said to be too great is not
/// read at all.
async fn receive(
    request: &HttpRequest,
    payload: web::Payload,
    state: &AppState,
) -> Result<web::Bytes, ApiError> {
    let mut payload = payload.into_inner();
    let body = web::Bytes::from_request(request, &mut payload);
    // The head had the other half.
    let body = tokio::time::timeout(state.protection.request_timeout / 2, body).await;
    body.map_err(|_| ApiError::TooSlow)?.map_err(|error| match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => ApiError::BodyTooLarge { max_bytes: state.max_body_bytes },
        _ => ApiError::BodyBroken,
    })
}

/// The clock of arrivals, as fine as the database keeps it: what is stored equals what is joined.
fn now() -> DateTime<Utc> {
    let now = Utc::now();
    now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now)
}

/// HEAD: the health check of documented clients.
pub async fn alive() -> HttpResponse {
    HttpResponse::Ok().finish()
}
