//! `POST` of events: receive the body, run it through the ingest pipeline, and answer after the commit, or
//! after the event is saved on disk while the database is away.

pub mod single;
pub mod bulk;

use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_ENCODING;
use actix_web::{FromRequest, HttpRequest, web};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use crate::http::error::ApiError;
use crate::ingest::bulk::Encoding;
use crate::ingest::normalise::Route;
use crate::ingest::pipeline::{Accepted, read_event};
use crate::state::AppState;

/// Runs an event through the pipeline and returns after it is committed or saved on disk.
async fn ingest(body: &[u8], route: Route, state: &AppState) -> Result<(), ApiError> {
    let Accepted { event, rescues } = read_event(body, route, now(), &state.ids)?;
    for kind in rescues.iter() {
        state.metrics.events_rescued.with_label_values(&[kind.code()]).inc();
    }
    state.limits.check_run(event.execution())?;
    let generation = ["0", "1", "2", "3"][usize::from(event.execution().generation.number())];
    state.queue.submit(event).await?;
    state.metrics.events_accepted.with_label_values(&[generation]).inc();
    Ok(())
}

/// Receives the whole body. A body whose declared length is too great is refused unread.
pub(in crate::http) async fn receive(
    request: &HttpRequest,
    payload: web::Payload,
    max_bytes: usize,
    state: &AppState,
) -> Result<web::Bytes, ApiError> {
    let mut payload = payload.into_inner();
    let body = web::Bytes::from_request(request, &mut payload);
    // The other half of the time is for the head.
    let body = tokio::time::timeout(state.protection.request_timeout / 2, body).await;
    body.map_err(|_| ApiError::TooSlow)?.map_err(|error| match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => ApiError::BodyTooLarge { max_bytes },
        _ => ApiError::BodyBroken,
    })
}

/// The content encoding of the body; `None` for one that no path accepts.
fn encoding(request: &HttpRequest) -> Option<Encoding> {
    match request.headers().get(CONTENT_ENCODING) {
        None => Some(Encoding::Identity),
        Some(value) => Encoding::from_header(value.to_str().ok()?),
    }
}

fn count_rejection(error: ApiError, state: &AppState) {
    state.metrics.events_rejected.with_label_values(&[error.code()]).inc();
}

/// The time of arrival in microseconds, the resolution of the database: a stored row equals the joined one.
fn now() -> DateTime<Utc> {
    let now = Utc::now();
    now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now)
}
