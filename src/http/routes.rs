//! The route table.

use actix_web::dev::HttpServiceFactory;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ALLOW, HeaderValue,
    VARY,
};
use actix_web::middleware::from_fn;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, web};
use serde_json::json;

use crate::http::aggregates::{
    dashboard, exit_code, failures, popular, reasons, regressions, repositories, runtimes, script, scripts,
    sessions, signatures, timeseries,
};
use crate::http::error::ApiError;
use crate::http::events::{bulk, single};
use crate::http::operate::{admin, docs, health, issues, metrics_endpoint, openapi, triage};
use crate::http::pages::form::MAX_FORM_BYTES;
use crate::http::pages::problem::as_page;
use crate::http::pages::{assets, catalogue, failure, moved, overview, own_run, prefers_html, sign_in};
use crate::http::reply::read_request::{PAGES_VARY, ReadRequest};
use crate::http::runs::{list, one};
use crate::http::{exit_codes, legacy, pages};
use crate::ingest::bulk::MAX_BATCH_BYTES;
use crate::ingest::normalise::Route;
use crate::state::AppState;

/// Adds all routes; those of the operator only if there is an admin token.
pub fn routes(service: &mut web::ServiceConfig, has_admin: bool) {
    if has_admin {
        service
            .service(private("/admin/status", admin::status))
            .service(private("/admin/issues/{signature}", issues::show));
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
                .default_service(method_not_allowed("POST")),
        )
        .service(
            get("/api/runs/{id}", one::show)
                .route(web::delete().to(one::erase))
                .default_service(method_not_allowed("GET, DELETE")),
        )
        .service(get("/api/dashboard", dashboard::show))
        .service(get("/api/records", list::list))
        .service(get("/api/errors", failures::list))
        .service(get("/api/scripts", scripts::list))
        .service(get("/api/repo-slugs", repositories::list))
        .service(get("/data/summary", legacy::counts))
        .service(get("/data/paginated", legacy::data_paginated))
        .service(get("/data/json", legacy::data_json))
        .service(get("/data/nsapp", legacy::data_nsapp))
        .service(get("/data/status", legacy::data_status))
        .service(get("/data/os", legacy::data_os))
        .service(get("/data/date", legacy::data_date))
        .service(get("/data/errors", legacy::errors))
        .service(get("/api/exit-codes", exit_codes::list))
        .service(get("/api/exit-codes/{code}", exit_codes::show))
        .service(get("/api/exit-codes/{code}/runs", exit_code::show))
        .service(get("/api/regressions", regressions::list))
        .service(get("/api/signatures", signatures::list))
        .service(get("/api/signatures/{id}", signatures::show))
        .service(
            web::resource("/api/signatures/{id}/state")
                .route(web::put().to(triage::set))
                .default_service(method_not_allowed("PUT")),
        )
        .service(get("/api/reasons", reasons::list))
        .service(get("/api/reasons/{id}", reasons::show))
        .service(get("/api/scripts/{app}", script::show))
        .service(get("/api/popular", popular::list))
        .service(get("/api/timeseries", timeseries::show))
        .service(get("/api/sessions", sessions::list))
        .service(get("/api/runtime", runtimes::list))
        .service(get("/openapi.json", openapi::description))
        .service(get("/docs", docs::page))
        .service(get("/docs/{file}", docs::file))
        .service(get("/healthz", health::healthy))
        .service(get("/readyz", health::ready))
        .service(get("/metrics", metrics_endpoint::show))
        .service(page("/", home))
        .service(page("/failures", pages::failures::show))
        .service(page("/failures/{id}", failure::show))
        .service(page("/scripts", pages::scripts::show))
        .service(page("/scripts/{app}", pages::script::show))
        .service(page("/popular", pages::popular::show))
        .service(form("/failures/{id}/state", pages::triage::set))
        .service(page("/runs", pages::runs::list))
        .service(page("/runs/{key}", pages::runs::show))
        .service(page("/reasons", catalogue::list_reasons))
        .service(page("/reasons/{id}", catalogue::show_reason))
        .service(page("/exit-codes", catalogue::list_exit_codes))
        .service(page("/exit-codes/{code}", catalogue::show_exit_code))
        .service(page("/about", pages::about::show))
        .service(page_with_form("/my-run", own_run::form, own_run::show))
        .service(form("/my-run/erase", own_run::erase))
        .service(page_with_form("/sign-in", sign_in::show, sign_in::start))
        .service(form("/sign-out", sign_in::end))
        .service(page("/dashboard", moved::show))
        .service(page("/error-analysis", moved::show))
        .service(page("/script-analysis", moved::show))
        .service(page("/data", moved::show))
        .service(get("/static/{file}", assets::show))
        .default_service(web::to(|| async { ApiError::NoSuchPath }).wrap(from_fn(as_page)));
}

/// A page of the web page. Browsers get errors as pages as well.
fn page<F, A>(path: &'static str, handler: F) -> impl HttpServiceFactory + 'static
where
    F: Handler<A, Output: Responder + 'static>,
    A: FromRequest + 'static,
{
    get(path, handler).wrap(from_fn(as_page))
}

/// A path that accepts a form.
fn form<F, A>(path: &'static str, send: F) -> impl HttpServiceFactory + 'static
where
    F: Handler<A, Output: Responder + 'static>,
    A: FromRequest + 'static,
{
    web::resource(path)
        .app_data(web::PayloadConfig::new(MAX_FORM_BYTES))
        .route(web::post().to(send))
        .default_service(method_not_allowed("POST"))
        .wrap(from_fn(as_page))
}

/// A page with a form that is sent to its own path.
fn page_with_form<F, A, G, B>(path: &'static str, show: F, send: G) -> impl HttpServiceFactory + 'static
where
    F: Handler<A, Output: Responder + 'static>,
    A: FromRequest + 'static,
    G: Handler<B, Output: Responder + 'static>,
    B: FromRequest + 'static,
{
    web::resource(path)
        .app_data(web::PayloadConfig::new(MAX_FORM_BYTES))
        .route(web::get().to(show))
        .route(web::post().to(send))
        .default_service(method_not_allowed("GET, POST"))
        .wrap(from_fn(as_page))
}

/// `/`: the overview for browsers, the index of all endpoints for everybody else.
async fn home(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    if prefers_html(&request) {
        return overview::show(ReadRequest::read(&request)?).await;
    }
    let mut index = index().await.respond_to(&request).map_into_boxed_body();
    index.headers_mut().insert(VARY, HeaderValue::from_static(PAGES_VARY));
    Ok(index)
}

/// A path that accepts events.
fn events(path: &'static str, route: Route) -> Resource {
    let accept = move |request: HttpRequest, payload: web::Payload, state: web::Data<AppState>| {
        single::accept(route, request, payload, state)
    };
    web::resource(path)
        .route(web::post().to(accept))
        .route(web::head().to(single::head))
        .default_service(method_not_allowed("POST, HEAD"))
}

/// A path that supports only GET, also from pages of other origins.
fn get<F, A>(path: &'static str, handler: F) -> Resource
where
    F: Handler<A, Output: Responder + 'static>,
    A: FromRequest + 'static,
{
    web::resource(path)
        .route(web::get().to(handler))
        .route(web::method(Method::OPTIONS).to(preflight))
        .default_service(method_not_allowed("GET, OPTIONS"))
}

/// A path that supports only GET, for the operator.
fn private<F, A>(path: &'static str, handler: F) -> Resource
where
    F: Handler<A, Output: Responder + 'static>,
    A: FromRequest + 'static,
{
    web::resource(path).route(web::get().to(handler)).default_service(method_not_allowed("GET"))
}

/// The response to a method that a path does not support.
fn method_not_allowed(allowed: &'static str) -> actix_web::Route {
    web::to(move || async move { ApiError::MethodNotAllowed { allowed } })
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
            "GET /api/records": "executions; page, limit, status, app, search, os, os_version, pve_version, arch, method, exit_code, signature, reason, category, blame, sort, cursor, format",
            "GET /api/errors": "failures by exit code, category, script and day",
            "GET /api/scripts": "the most frequent scripts, by outcome; search, sort, limit",
            "GET /api/scripts/{app}": "one script: totals, days, platforms, sizes, versions, exit codes, signatures and durations",
            "GET /api/popular": "the most and the least used scripts, rising ones and new ones",
            "GET /api/repo-slugs": "runs by repository",
            "GET /api/regressions": "scripts whose failure rate rose beyond chance; window",
            "GET /api/signatures": "failures by reason, what should be fixed first; outcome, reason, category, blame, state, new_since, sort, limit",
            "GET /api/signatures/{id}": "one signature: reason, state, days, scripts, differences and some recent runs",
            "PUT /api/signatures/{id}/state": "set its state, with ADMIN_TOKEN: open, known, resolved or ignored",
            "GET /api/reasons": "the reasons that a rule knows: title, category, blame and hint",
            "GET /api/reasons/{id}": "one reason: its failures by subject, script, system, exit code and day",
            "GET /api/timeseries": "a metric over time; metric, group, bucket",
            "GET /api/sessions": "attempts per session, by day and by script",
            "GET /api/runtime": "runs by the source and revision of the script",
            "GET /api/exit-codes": "the meaning of every exit code",
            "GET /api/exit-codes/{code}": "the meaning of one exit code; generation",
            "GET /api/exit-codes/{code}/runs": "the failed, blocked and aborted runs with it, by script and day",
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
        HttpResponse::from_error(self)
    }
}
