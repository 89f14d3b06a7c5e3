//! `POST` of one event, as all scripts in the field send it.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::error::{ApiError, ErrorBody};
use crate::http::events::{count_rejection, encoding, ingest, receive};
use crate::ingest::bulk::Encoding;
use crate::ingest::normalise::Route;
use crate::state::AppState;

/// The answer to an accepted event.
#[derive(Serialize, ToSchema)]
pub struct Accepted {
    /// `accepted`.
    status: &'static str,
}

/// Accepts one event that came by `route`; answers after it is committed, or saved on disk while the
/// database is away.
///
/// # Errors
/// [`ApiError`], counted by its code.
pub async fn accept(
    route: Route,
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let stored = async {
        if encoding(&request) != Some(Encoding::Identity) {
            return Err(ApiError::UnsupportedEncoding);
        }
        let body = receive(&request, payload, state.max_body_bytes, &state).await?;
        state.queue.check_capacity()?;
        ingest(&body, route, &state).await
    };
    stored.await.inspect_err(|error| count_rejection(*error, &state))?;
    Ok(HttpResponse::Ok().json(Accepted { status: "accepted" }))
}

/// `HEAD`: the documented health check of clients.
pub async fn head() -> HttpResponse {
    HttpResponse::Ok().finish()
}

/// Describes a path that accepts events; the handler of all of them is [`accept`].
macro_rules! describe {
    ($name:ident, $path:literal, $summary:literal) => {
        #[utoipa::path(
            post,
            path = $path,
            tag = "ingest",
            summary = $summary,
            description = "Answers after the event is committed, or saved on disk while the database is away. An event that \
                           is sent again changes nothing.",
            request_body(
                content = Object,
                description = "A JSON object as the scripts send it. Malformed JSON is repaired if its meaning is clear."
            ),
            responses(
                (status = 200, description = "The event is committed or saved on disk", body = Accepted),
                (status = 400, description = "The event is not valid; sending it again cannot succeed", body = ErrorBody),
                (status = 408, description = "The body did not arrive in time", body = ErrorBody),
                (status = 413, description = "The body is too long", body = ErrorBody),
                (status = 415, description = "The body has a content encoding", body = ErrorBody),
                (status = 429, description = "The run or the address sends too many requests; see Retry-After", body = ErrorBody),
                (status = 503, description = "The event may not be stored; see Retry-After", body = ErrorBody),
            )
        )]
        #[allow(dead_code, reason = "only its description is used")]
        pub(in crate::http) fn $name() {}
    };
}

describe!(telemetry, "/telemetry", "Reports an event (clients of 2026)");
describe!(upload, "/upload", "Reports the start of a run (clients of 2025)");
describe!(update_status, "/upload/updatestatus", "Reports the end of a run (clients of 2025)");
describe!(
    dev_upload,
    "/dev/upload",
    "Reports the start of a run of the development repository (clients of 2025)"
);
describe!(
    dev_update_status,
    "/dev/upload/updatestatus",
    "Reports the end of a run of the development repository (clients of 2025)"
);
