//! `POST` of many events at once, each with its own result.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use actix_web::http::header::CONTENT_LENGTH;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::http::error::{ApiError, ErrorBody};
use crate::http::events::{count_rejection, encoding, ingest};
use crate::http::request::guard::address_of;
use crate::ingest::bulk::{self, Encoding, MAX_BATCH_BYTES, decompress};
use crate::ingest::normalise::Route;
use crate::state::AppState;
use crate::store::write::queue::WriteError;

/// Events of one body that wait for the writer at the same time.
const IN_FLIGHT: usize = 512;
/// Longest time that the events of one body together wait for room in the queue.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

/// The answer to many events.
#[derive(Serialize, ToSchema)]
pub struct BulkResult {
    /// Number of events that are committed, or saved on disk while the database is away.
    accepted: usize,
    /// Number of the other events.
    rejected: usize,
    /// One result for each event, in the order of the body.
    results: Vec<EventResult>,
}

/// The result of one event.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum EventResult {
    /// The event is committed, or saved on disk while the database is away.
    Stored {
        /// `accepted`.
        status: &'static str,
    },
    /// The event is not stored.
    Refused(ErrorBody),
}

/// Accepts many events; answers after they are committed, or saved on disk while the database is away.
///
/// # Errors
/// [`ApiError`] if no event is stored: the body cannot be split, or no event could be written now.
#[utoipa::path(
    post,
    path = "/api/v1/events",
    operation_id = "report_events",
    tag = "ingest",
    summary = "Reports many events",
    description = "A JSON array, or one JSON object per line, of up to 10,000 events and 16 MiB after decompression. \
                   An event that is not valid does not affect the others.",
    request_body(content = Object, description = "A JSON array or NDJSON, uncompressed or compressed with gzip or zstd"),
    responses(
        (status = 200, description = "One result for each event, in the order of the body", body = BulkResult),
        (status = 400, description = "The body cannot be split into events", body = ErrorBody),
        (status = 408, description = "The body did not arrive in time", body = ErrorBody),
        (status = 413, description = "More than 10,000 events or 16 MiB", body = ErrorBody),
        (status = 415, description = "An encoding other than gzip and zstd", body = ErrorBody),
        (status = 429, description = "The address sends too many requests; see Retry-After", body = ErrorBody),
        (status = 503, description = "No event is stored; see Retry-After", body = ErrorBody),
    )
)]
pub async fn accept(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let counted = |error: &ApiError| count_rejection(*error, &state);
    let encoding = encoding(&request).ok_or(ApiError::UnsupportedEncoding).inspect_err(counted)?;
    let sender = state.bulk_senders.take(&address_of(&request, &state));
    let _sender = sender.ok_or(WriteError::QueueFull.into()).inspect_err(counted)?;
    let body = timeout(state.protection.request_timeout / 2, receive(&request, payload, &state)).await;
    let body = body.unwrap_or(Err(ApiError::TooSlow)).inspect_err(counted)?;
    // Processing takes more memory than any other request. A client takes its place only now, so that a slow one does
    // not keep others waiting.
    let place = timeout(QUEUE_TIMEOUT, state.bulk_bodies.acquire()).await;
    let _place = place.ok().and_then(Result::ok).ok_or(WriteError::QueueFull.into()).inspect_err(counted)?;
    let body = unpack(body, encoding).await.inspect_err(counted)?;
    let events = bulk::split(&body.bytes).map_err(ApiError::from).inspect_err(counted)?;

    let (state, started) = (state.get_ref(), Instant::now());
    let results = stream::iter(events).map(|event| async move {
        let stored = if event.len() <= state.max_body_bytes {
            state.queue.wait_for_capacity(QUEUE_TIMEOUT.saturating_sub(started.elapsed())).await;
            ingest(event, Route::Telemetry, state).await
        } else {
            Err(ApiError::BodyTooLarge { max_bytes: state.max_body_bytes })
        };
        stored.inspect_err(|error| count_rejection(*error, state))
    });
    let results: Vec<_> = results.buffered(IN_FLIGHT).collect().await;
    if let Some(Err(error @ ApiError::NotWritten(_))) = results.first()
        && results.iter().all(|result| matches!(result, Err(ApiError::NotWritten(_))))
    {
        return Err(*error);
    }
    let accepted = results.iter().filter(|result| result.is_ok()).count();
    let rejected = results.len() - accepted;
    let results = results.into_iter().map(|result| match result {
        Ok(()) => EventResult::Stored { status: "accepted" },
        Err(error) => EventResult::Refused(error.body()),
    });
    Ok(HttpResponse::Ok().json(BulkResult { accepted, rejected, results: results.collect() }))
}

/// A body and its share of the memory for all bodies.
struct Body<'a> {
    bytes: Vec<u8>,
    _kib: SemaphorePermit<'a>,
}

/// Receives the whole body. A body whose declared length is too great is refused unread.
async fn receive<'a>(
    request: &HttpRequest,
    mut payload: web::Payload,
    state: &'a AppState,
) -> Result<Body<'a>, ApiError> {
    let too_large = ApiError::BodyTooLarge { max_bytes: MAX_BATCH_BYTES };
    let declared: Option<usize> =
        request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|bytes| bytes > MAX_BATCH_BYTES) {
        return Err(too_large);
    }
    let take = |kib| state.bulk_kib.try_acquire_many(kib).map_err(|_| ApiError::from(WriteError::QueueFull));
    let (mut bytes, mut held) = (Vec::new(), take(0)?);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| ApiError::BodyBroken)?;
        if bytes.len() + chunk.len() > MAX_BATCH_BYTES {
            return Err(too_large);
        }
        if let Some(declared) = declared.filter(|_| bytes.is_empty()) {
            // Memory of which nothing is written yet costs nothing; doubling would cost twice the length.
            bytes.reserve_exact(declared);
        }
        bytes.extend_from_slice(&chunk);
        let missing = bytes.len().div_ceil(1024).saturating_sub(held.num_permits());
        held.merge(take(u32::try_from(missing).unwrap_or(u32::MAX))?);
    }
    Ok(Body { bytes, _kib: held })
}

async fn unpack(body: Body<'_>, encoding: Encoding) -> Result<Body<'_>, ApiError> {
    if encoding == Encoding::Identity {
        return Ok(body);
    }
    let Body { bytes, _kib } = body;
    let bytes = web::block(move || decompress(&bytes, encoding).map(Cow::into_owned)).await;
    Ok(Body { bytes: bytes.map_err(|_| ApiError::Internal)??, _kib })
}
