//! POST of an event: receive, read, write, answer.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_ENCODING;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use telemetry_protocol::Generation;

use crate::http::error::{ApiError, ErrorBody};
use crate::ingest::bulk::{self, Encoding, MAX_BATCH_BYTES, decompress};
use crate::ingest::normalise::Route;
use crate::ingest::pipeline::{Accepted, read_event_in_stages};
use crate::limit::limits::Kind;
use crate::state::AppState;
use crate::store::write::writer::WriteError;

/// Events of one batch that are with the writer at once.
const BATCH_IN_FLIGHT: usize = 512;
/// How long the events of a batch may wait for room in the queue, which their fellows have filled.
const BATCH_PATIENCE: Duration = Duration::from_secs(5);
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
    let taken = async {
        if encoding(&request) != Some(Encoding::Identity) {
            return Err(ApiError::UnsupportedEncoding);
        }
        let body = receive(&request, payload, state.max_body_bytes, &state).await?;
        state.queue.admit()?;
        store(&body, route, &state, Duration::ZERO).await
    };
    taken.await.inspect_err(|error| reject(*error, &state))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(ACCEPTED))
}

/// Takes many events at once: each has its own result, in the order of the body.
///
/// # Errors
/// [`ApiError`] if nothing of it is stored: the body cannot be taken apart, or no event could be
/// written now.
#[utoipa::path(
    post,
    path = "/api/v1/events",
    tag = "ingest",
    responses(
        (status = 200, description = "One result for each event, in order", body = serde_json::Value),
        (status = 400, description = "The body cannot be taken apart", body = ErrorBody),
        (status = 413, description = "More than 10,000 events or 16 MiB", body = ErrorBody),
        (status = 415, description = "An encoding other than gzip and zstd", body = ErrorBody),
        (status = 429, description = "Too many requests come from this address; see Retry-After", body = ErrorBody),
        (status = 503, description = "Nothing was stored; see Retry-After", body = ErrorBody),
    )
)]
pub async fn accept_batch(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let refused = |error: ApiError| {
        reject(error, &state);
        error
    };
    let encoding = encoding(&request).ok_or(ApiError::UnsupportedEncoding).map_err(refused)?;
    // A batch takes more memory than anything else that comes in.
    let _place = state.batches.try_acquire().map_err(|_| refused(WriteError::QueueFull.into()))?;
    let body = receive(&request, payload, MAX_BATCH_BYTES, &state).await.map_err(refused)?;
    let body = web::block(move || decompress(&body, encoding).map(Cow::into_owned)).await;
    let body = body.map_err(|_| refused(ApiError::Internal))?.map_err(|error| refused(error.into()))?;
    let events = bulk::split(&body).map_err(|error| refused(error.into()))?;

    let (state, begun) = (state.get_ref(), Instant::now());
    let results = stream::iter(events).map(|event| async move {
        let fits = event.len() <= state.max_body_bytes;
        let too_large = Err(ApiError::BodyTooLarge { max_bytes: state.max_body_bytes });
        let stored = if fits {
            store(event, Route::Telemetry, state, BATCH_PATIENCE.saturating_sub(begun.elapsed())).await
        } else {
            too_large
        };
        stored.inspect_err(|error| reject(*error, state))
    });
    let results: Vec<_> = results.buffered(BATCH_IN_FLIGHT).collect().await;
    let accepted = results.iter().filter(|result| result.is_ok()).count();
    let rejected = results.len() - accepted;
    if let Some(Err(error @ ApiError::NotWritten(_))) = results.first()
        && results.iter().all(|result| matches!(result, Err(ApiError::NotWritten(_))))
    {
        return Err(*error);
    }
    let results = results.into_iter().map(|result| match result {
        Ok(()) => EventResult::Stored { status: "accepted" },
        Err(error) => EventResult::Refused(error.body()),
    });
    Ok(HttpResponse::Ok().json(BatchResult { accepted, rejected, results: results.collect() }))
}

/// The answer to a batch.
#[derive(Serialize)]
struct BatchResult {
    accepted: usize,
    rejected: usize,
    results: Vec<EventResult>,
}

/// What became of one of its events.
#[derive(Serialize)]
#[serde(untagged)]
enum EventResult {
    Stored { status: &'static str },
    Refused(ErrorBody),
}

fn reject(error: ApiError, state: &AppState) {
    state.metrics.events_rejected.with_label_values(&[error.code()]).inc();
}

/// How the body is compressed; `None` for a way that nobody takes.
fn encoding(request: &HttpRequest) -> Option<Encoding> {
    match request.headers().get(CONTENT_ENCODING) {
        None => Some(Encoding::Identity),
        Some(value) => Encoding::from_header(value.to_str().ok()?),
    }
}

/// Reads an event and returns when it is committed. Waits for room in the queue, at most for `patience`.
async fn store(body: &[u8], route: Route, state: &AppState, patience: Duration) -> Result<(), ApiError> {
    let mut watch = state.metrics.stages.stopwatch();
    let ended = |stage| watch.iter_mut().for_each(|watch| watch.lap(stage));
    let Accepted { event, rescues } = read_event_in_stages(body, route, now(), &state.ids, ended)?;
    for kind in rescues {
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
    state.queue.room(&event, patience).await;
    state.queue.write(event).await?;
    state.metrics.events_accepted.with_label_values(&[generation]).inc();
    Ok(())
}

/// The whole body, unless it is too long or too slow. One whose length is said to be too great is not
/// read at all.
async fn receive(
    request: &HttpRequest,
    payload: web::Payload,
    max_bytes: usize,
    state: &AppState,
) -> Result<web::Bytes, ApiError> {
    let mut payload = payload.into_inner();
    let body = web::Bytes::from_request(request, &mut payload);
    // The head had the other half.
    let body = tokio::time::timeout(state.protection.request_timeout / 2, body).await;
    body.map_err(|_| ApiError::TooSlow)?.map_err(|error| match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => ApiError::BodyTooLarge { max_bytes },
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
