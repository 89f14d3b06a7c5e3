//! POST of an event: receive, read, write, answer.

use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_ENCODING;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use crate::http::error::ApiError;
use crate::ingest::normalise::Route;
use crate::ingest::pipeline::{Accepted, read_event};
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
    body: Result<web::Bytes, actix_web::Error>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    match take(route, &request, body, &state).await {
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
    body: Result<web::Bytes, actix_web::Error>,
    state: &AppState,
) -> Result<(), ApiError> {
    let encoding = request.headers().get(CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        return Err(ApiError::UnsupportedEncoding);
    }
    let body = body.map_err(|error| match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => ApiError::BodyTooLarge { max_bytes: state.max_body_bytes },
        _ => ApiError::BodyBroken,
    })?;
    state.queue.admit()?;
    let Accepted { event, rescues } = read_event(&body, route, now(), &state.ids)?;
    for kind in rescues.iter() {
        state.metrics.events_rescued.with_label_values(&[kind.code()]).inc();
    }
    let generation = ["0", "1", "2", "3"][usize::from(event.execution().generation.number())];
    state.queue.write(event).await?;
    state.metrics.events_accepted.with_label_values(&[generation]).inc();
    Ok(())
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
