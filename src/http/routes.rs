//! The route table.

use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ALLOW,
};
use actix_web::{HttpRequest, HttpResponse, Resource, Responder, web};
use serde_json::json;

use crate::http::aggregates::{
    dashboard, failures, regressions, repositories, runtime, script, scripts, sessions, signatures,
    timeseries,
};
use crate::http::error::ApiError;
use crate::http::events::{bulk, single};
use crate::http::operate::{admin, docs, health, issues, metrics_endpoint, openapi};
use crate::http::runs::{list, one};
use crate::http::{exit_codes, legacy};
use crate::ingest::batch::MAX_BATCH_BYTES;
use crate::ingest::normalise::Route;
use crate::state::AppState;

/// Adds all routes; those of the operator only if there is an admin token.
pub fn routes(service: &mut web::ServiceConfig, has_admin: bool) {
    if has_admin {
        service
            .service(private("/admin/status").route(web::get().to(admin::status)))
            .service(private("/admin/issues/{signature}").route(web::get().to(issues::show)));
    }
    service
        .service(events("/telemetry", Route::Telemetry))
        .service(events("/upload", Route::Upload))
        .service(events("/upload/updatestatus", Route::UpdateStatus))
        .service(events("/dev/upload", Route::DevUpload))
        .service(events("/dev/upload/updatestatus", Route::DevUpdateStatus))
        .service(
            web::resource("/api/v1/events")
                .app_data(web::PayloadConfig::new(MAX_BATCH_BYTES))
                .route(web::post().to(bulk::accept))
                .default_service(web::to(|| async { ApiError::MethodNotAllowed { allowed: "POST" } })),
        )
        .service(
            get("/api/runs/{id}")
                .route(web::get().to(one::show))
                .route(web::delete().to(one::erase))
                .default_service(web::to(|| async { ApiError::MethodNotAllowed { allowed: "GET, DELETE" } })),
        )
        .service(get("/api/dashboard").route(web::get().to(dashboard::show)))
        .service(get("/api/records").route(web::get().to(list::list)))
        .service(get("/api/errors").route(web::get().to(failures::list)))
        .service(get("/api/scripts").route(web::get().to(scripts::list)))
        .service(get("/api/repo-slugs").route(web::get().to(repositories::list)))
        .service(get("/data/summary").route(web::get().to(legacy::counts)))
        .service(get("/data/paginated").route(web::get().to(legacy::paginated)))
        .service(get("/data/json").route(web::get().to(legacy::all)))
        .service(get("/data/nsapp").route(web::get().to(legacy::of_app)))
        .service(get("/data/status").route(web::get().to(legacy::of_status)))
        .service(get("/data/os").route(web::get().to(legacy::of_os)))
        .service(get("/data/date").route(web::get().to(legacy::of_days)))
        .service(get("/data/errors").route(web::get().to(legacy::errors)))
        .service(get("/api/exit-codes").route(web::get().to(exit_codes::list)))
        .service(get("/api/exit-codes/{code}").route(web::get().to(exit_codes::show)))
        .service(get("/api/regressions").route(web::get().to(regressions::list)))
        .service(get("/api/signatures").route(web::get().to(signatures::list)))
        .service(get("/api/signatures/{id}").route(web::get().to(signatures::show)))
        .service(get("/api/scripts/{app}").route(web::get().to(script::show)))
        .service(get("/api/timeseries").route(web::get().to(timeseries::show)))
        .service(get("/api/sessions").route(web::get().to(sessions::list)))
        .service(get("/api/runtime").route(web::get().to(runtime::list)))
        .service(get("/openapi.json").route(web::get().to(openapi::description)))
        .service(get("/docs").route(web::get().to(docs::page)))
        .service(get("/docs/{file}").route(web::get().to(docs::file)))
        .service(get("/healthz").route(web::get().to(health::healthy)))
        .service(get("/readyz").route(web::get().to(health::ready)))
        .service(get("/metrics").route(web::get().to(metrics_endpoint::show)))
        .service(get("/").route(web::get().to(index)))
        .default_service(web::to(|| async { ApiError::NoSuchPath }));
}

/// A path that accepts events.
fn events(path: &'static str, route: Route) -> Resource {
    let accept = move |request: HttpRequest, payload: web::Payload, state: web::Data<AppState>| {
        single::accept(route, request, payload, state)
    };
    web::resource(path)
        .route(web::post().to(accept))
        .route(web::head().to(single::head))
        .default_service(web::to(|| async { ApiError::MethodNotAllowed { allowed: "POST, HEAD" } }))
}

/// A path that supports only GET, also from pages of other origins.
fn get(path: &'static str) -> Resource {
    web::resource(path)
        .route(web::method(Method::OPTIONS).to(preflight))
        .default_service(web::to(|| async { ApiError::MethodNotAllowed { allowed: "GET, OPTIONS" } }))
}

/// A path that supports only GET, for the operator.
fn private(path: &'static str) -> Resource {
    web::resource(path).default_service(web::to(|| async { ApiError::MethodNotAllowed { allowed: "GET" } }))
}

/// Answers the preflight request that a browser sends for a page of another origin.
async fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ALLOW, "GET, OPTIONS"))
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "GET"))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "86400"))
        .finish()
}

/// The index of all endpoints.
async fn index() -> impl Responder {
    web::Json(json!({
        "name": "telemetry-server",
        "version": env!("CARGO_PKG_VERSION"),
        "endpoints": {
            "POST /telemetry": "report an event (clients of 2026)",
            "POST /upload": "report the start of a run (clients of 2025); also below /dev",
            "POST /upload/updatestatus": "report the end of a run (clients of 2025); also below /dev",
            "POST /api/v1/events": "report up to 10,000 events, as a JSON array or NDJSON, also with gzip or zstd",
            "GET /api/runs/{id}": "everything stored about a random_id or execution_id",
            "DELETE /api/runs/{id}": "erase it",
            "GET /api/dashboard": "overview: counts, rates and lists; days, from, to, repo, slug, type, platform",
            "GET /api/records": "executions; page, limit, status, app, search, os, sort, cursor, format",
            "GET /api/errors": "failures by exit code, category, script and day",
            "GET /api/scripts": "the most frequent scripts, by outcome",
            "GET /api/scripts/{app}": "one script: totals, days, platforms, exit codes, signatures and durations",
            "GET /api/repo-slugs": "runs by repository",
            "GET /api/regressions": "scripts whose failure rate rose beyond chance; window",
            "GET /api/signatures": "failures grouped by their failing line; new_since, limit",
            "GET /api/signatures/{id}": "one signature: days, scripts and some recent runs",
            "GET /api/timeseries": "a metric over time; metric, group, bucket",
            "GET /api/sessions": "attempts per session, by day and by script",
            "GET /api/runtime": "runs by the source and revision of the script",
            "GET /api/exit-codes": "the meaning of every exit code",
            "GET /api/exit-codes/{code}": "the meaning of one exit code; generation",
            "GET /data/...": "the endpoints of 2025: summary, paginated, json, nsapp, status, os, date, errors",
            "GET /openapi.json": "the description of this API; as a page: /docs",
            "GET /healthz": "whether the process runs",
            "GET /readyz": "whether the server accepts events: ready, degraded (they wait in the spool) or unready",
            "GET /metrics": "metrics in the Prometheus text format",
        },
    }))
}

impl Responder for ApiError {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _request: &HttpRequest) -> HttpResponse {
        actix_web::ResponseError::error_response(&self)
    }
}
