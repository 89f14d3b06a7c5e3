//! The description of the API, made from the code, and a page that shows it.
//!
//! The page is our own: it has no inline script or style and asks nobody else for anything, so that a
//! strict content security policy needs no exception.

#![allow(unused_qualifications, reason = "utoipa names types so")]

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::web::Bytes;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::http::error::ErrorBody;
use crate::http::{
    aggregates, dashboard, exit_codes, health, ingest, insight, legacy, records, regressions, runs, scrape,
    signatures,
};

/// What is said about everything.
const ABOUT: &str = "Counts are of runs, not of messages, by the UTC day of the first message; runs whose \
    start never arrived are in no count but `unattributed_count`. Success and failure rates are over \
    succeeded and failed runs only. Times are RFC 3339 in UTC. `as_of` is the time for which an answer is \
    true; an answer may be given again for a few seconds, with the same `as_of`. Unknown parameters are \
    ignored, and an empty one is not set. A refusal is always `{error, field, message}`. A path that \
    takes another method answers 405, an unknown one 404.";

/// All paths.
#[derive(OpenApi)]
#[openapi(
    info(title = "Telemetry server of the Proxmox VE helper scripts", description = ABOUT),
    paths(
        telemetry,
        upload,
        update_status,
        dev_upload,
        dev_update_status,
        ingest::accept_batch,
        runs::show,
        runs::erase,
        dashboard::show,
        records::list,
        aggregates::errors_of,
        aggregates::scripts_of,
        aggregates::repo_slugs,
        insight::show_script,
        insight::show_sessions,
        insight::show_runtimes,
        insight::show_timeseries,
        regressions::show,
        signatures::list,
        signatures::show,
        exit_codes::list,
        exit_codes::show,
        legacy::counts,
        legacy::paginated,
        legacy::all,
        legacy::of_app,
        legacy::of_status,
        legacy::of_os,
        legacy::of_days,
        legacy::errors,
        health::healthy,
        health::ready,
        scrape::metrics,
    ),
    tags(
        (name = "aggregates", description = "Numbers, from counts that are kept for ever."),
        (name = "executions", description = "Single runs, for as long as they are kept."),
        (name = "catalogue", description = "What exit codes mean."),
        (name = "ingest", description = "What the scripts report."),
        (name = "2025", description = "The shapes of the service of 2025."),
        (name = "operation", description = "For whoever runs the server."),
    )
)]
struct Api;

/// The answer to a report.
#[derive(Serialize, ToSchema)]
struct Accepted {
    /// `accepted`.
    status: &'static str,
}

/// Documents a path that takes events; the handler of all of them is `ingest::accept`.
macro_rules! events {
    ($name:ident, $path:literal, $about:literal) => {
        #[doc = $about]
        #[utoipa::path(
            post,
            path = $path,
            tag = "ingest",
            request_body(content = Object, description = "A JSON object as the scripts send it; broken JSON is mended where its meaning is clear"),
            responses(
                (status = 200, description = "The event is committed", body = Accepted),
                (status = 400, description = "It can never be stored as it is", body = ErrorBody),
                (status = 413, description = "It is too long", body = ErrorBody),
                (status = 415, description = "It has a content encoding", body = ErrorBody),
                (status = 503, description = "It was not stored, or nobody knows; see Retry-After", body = ErrorBody),
            )
        )]
        #[allow(dead_code, reason = "only its description is used")]
        fn $name() {}
    };
}

events!(telemetry, "/telemetry", "Takes an event of a client of 2026.");
events!(upload, "/upload", "Takes the start of a run of a client of 2025.");
events!(update_status, "/upload/updatestatus", "Takes the end of a run of a client of 2025.");
events!(dev_upload, "/dev/upload", "Takes the start of a run of the development repository.");
events!(
    dev_update_status,
    "/dev/upload/updatestatus",
    "Takes the end of a run of the development repository."
);

/// The description as JSON.
#[must_use]
pub fn document() -> &'static Bytes {
    static DOCUMENT: LazyLock<Bytes> =
        LazyLock::new(|| Api::openapi().to_json().map_or_else(|_| Bytes::new(), Bytes::from));
    &DOCUMENT
}

/// `/openapi.json`.
pub async fn description() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document().clone())
}

/// `/docs`.
pub async fn page() -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(include_str!("docs/index.html"))
}

/// `/docs/docs.js`.
pub async fn script() -> HttpResponse {
    HttpResponse::Ok().content_type("text/javascript; charset=utf-8").body(include_str!("docs/docs.js"))
}

/// `/docs/docs.css`.
pub async fn style() -> HttpResponse {
    HttpResponse::Ok().content_type("text/css; charset=utf-8").body(include_str!("docs/docs.css"))
}
