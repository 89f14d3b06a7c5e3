//! The route table.

use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ALLOW,
};
use actix_web::{HttpRequest, HttpResponse, Resource, Responder, web};
use serde_json::json;

use crate::http::error::ApiError;
use crate::http::{
    admin, aggregates, dashboard, exit_codes, health, ingest, insight, issues, legacy, openapi, records,
    regressions, runs, scrape, signatures,
};
use crate::ingest::bulk::MAX_BATCH_BYTES;
use crate::ingest::normalise::Route;
use crate::state::AppState;

/// Adds all routes; those of the operator only if there is a token for them.
pub fn routes(service: &mut web::ServiceConfig, has_admin: bool) {
    if has_admin {
        let wanted = ApiError::BadParameter { name: "signature", reason: "must stand in a JSON object" };
        service.service(private("/admin/status").route(web::get().to(admin::status))).service(
            web::resource("/admin/issues")
                .app_data(
                    web::JsonConfig::default()
                        .content_type(|_| true)
                        .content_type_required(false)
                        .error_handler(move |_, _| wanted.into()),
                )
                .route(web::post().to(issues::create))
                .default_service(web::to(|| async { ApiError::MethodNotAllowed { allowed: "POST" } })),
        );
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
                .route(web::post().to(ingest::accept_batch))
                .default_service(web::to(|| async { ApiError::MethodNotAllowed { allowed: "POST" } })),
        )
        .service(
            get("/api/runs/{id}")
                .route(web::get().to(runs::show))
                .route(web::delete().to(runs::erase))
                .default_service(web::to(|| async { ApiError::MethodNotAllowed { allowed: "GET, DELETE" } })),
        )
        .service(get("/api/dashboard").route(web::get().to(dashboard::show)))
        .service(get("/api/records").route(web::get().to(records::list)))
        .service(get("/api/errors").route(web::get().to(aggregates::errors_of)))
        .service(get("/api/scripts").route(web::get().to(aggregates::scripts_of)))
        .service(get("/api/repo-slugs").route(web::get().to(aggregates::repo_slugs)))
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
        .service(get("/api/regressions").route(web::get().to(regressions::show)))
        .service(get("/api/signatures").route(web::get().to(signatures::list)))
        .service(get("/api/signatures/{id}").route(web::get().to(signatures::show)))
        .service(get("/api/scripts/{app}").route(web::get().to(insight::show_script)))
        .service(get("/api/timeseries").route(web::get().to(insight::show_timeseries)))
        .service(get("/api/sessions").route(web::get().to(insight::show_sessions)))
        .service(get("/api/runtime").route(web::get().to(insight::show_runtimes)))
        .service(get("/openapi.json").route(web::get().to(openapi::description)))
        .service(get("/docs").route(web::get().to(openapi::page)))
        .service(get("/docs/docs.js").route(web::get().to(openapi::script)))
        .service(get("/docs/docs.css").route(web::get().to(openapi::style)))
        .service(get("/healthz").route(web::get().to(health::healthy)))
        .service(get("/readyz").route(web::get().to(health::ready)))
        .service(get("/metrics").route(web::get().to(scrape::metrics)))
        .service(get("/").route(web::get().to(index)))
        .default_service(web::to(|| async { ApiError::NoSuchPath }));
}

/// A path that takes events.
fn events(path: &'static str, route: Route) -> Resource {
    let accept = move |request: HttpRequest, payload: web::Payload, state: web::Data<AppState>| {
        ingest::accept(route, request, payload, state)
    };
    web::resource(path)
        .route(web::post().to(accept))
        .route(web::head().to(ingest::alive))
        .default_service(web::to(|| async { ApiError::MethodNotAllowed { allowed: "POST, HEAD" } }))
}

/// A path that only answers GET, also to pages of other origins.
fn get(path: &'static str) -> Resource {
    web::resource(path)
        .route(web::method(Method::OPTIONS).to(preflight))
        .default_service(web::to(|| async { ApiError::MethodNotAllowed { allowed: "GET, OPTIONS" } }))
}

/// A path that only answers GET, and only to the operator.
fn private(path: &'static str) -> Resource {
    web::resource(path).default_service(web::to(|| async { ApiError::MethodNotAllowed { allowed: "GET" } }))
}

/// What a browser asks before it sends a GET of another origin's page.
async fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ALLOW, "GET, OPTIONS"))
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "GET"))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "86400"))
        .finish()
}

/// What there is, until there is a page.
async fn index() -> impl Responder {
    web::Json(json!({
        "name": "telemetry-server",
        "version": env!("CARGO_PKG_VERSION"),
        "endpoints": {
            "POST /telemetry": "report an event (generations 2 and 3)",
            "POST /upload": "report a start (generation 1); also under /dev",
            "POST /upload/updatestatus": "report an end (generation 1); also under /dev",
            "POST /api/v1/events": "report up to 10000 events: an array or one a line, gzip or zstd",
            "GET /api/runs/{id}": "what is stored about a random_id or execution_id",
            "DELETE /api/runs/{id}": "erase it",
            "GET /api/dashboard": "counts, rates and lists; days, from, to, repo, slug, type, platform",
            "GET /api/records": "executions; page, limit, status, app, search, os, sort, cursor, format",
            "GET /api/errors": "what fails and why",
            "GET /api/scripts": "which scripts are run, and how they end",
            "GET /api/repo-slugs": "runs by repository",
            "GET /data/...": "the shapes of 2025: summary, paginated, json, nsapp, status, os, date, errors",
            "GET /api/exit-codes": "code to text",
            "GET /api/exit-codes/{code}": "what a code means; generation",
            "GET /api/regressions": "scripts that fail more than before, with the evidence; window",
            "GET /api/signatures": "failures by what went wrong; new_since, limit",
            "GET /api/signatures/{id}": "one of them",
            "GET /api/scripts/{app}": "everything about one script",
            "GET /api/timeseries": "series over time; metric, group, bucket",
            "GET /api/sessions": "attempts per session, and how many were saved by a retry",
            "GET /api/runtime": "where the scripts came from, and how many are old",
            "GET /openapi.json": "the description of this API; as a page: /docs",
            "GET /healthz": "whether the process answers",
            "GET /readyz": "whether the database answers",
            "GET /metrics": "Prometheus metrics",
        },
    }))
}

impl Responder for ApiError {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _request: &HttpRequest) -> HttpResponse {
        actix_web::ResponseError::error_response(&self)
    }
}
