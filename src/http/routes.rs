//! The route table.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use actix_web::middleware::DefaultHeaders;
use actix_web::{HttpRequest, HttpResponse, Resource, Responder, web};
use serde_json::json;

use crate::http::error::ApiError;
use crate::http::{dashboard, exit_codes, health, ingest, insight, regressions, runs, signatures};
use crate::ingest::normalise::Route;
use crate::state::AppState;

/// Adds all routes.
pub fn routes(service: &mut web::ServiceConfig) {
    service
        .service(events("/telemetry", Route::Telemetry))
        .service(events("/upload", Route::Upload))
        .service(events("/upload/updatestatus", Route::UpdateStatus))
        .service(events("/dev/upload", Route::DevUpload))
        .service(events("/dev/upload/updatestatus", Route::DevUpdateStatus))
        .service(get("/api/runs/{id}").route(web::get().to(runs::show)))
        .service(get("/api/dashboard").route(web::get().to(dashboard::show)))
        .service(get("/api/exit-codes").route(web::get().to(exit_codes::list)))
        .service(get("/api/exit-codes/{code}").route(web::get().to(exit_codes::show)))
        .service(get("/api/regressions").route(web::get().to(regressions::show)))
        .service(get("/api/signatures").route(web::get().to(signatures::list)))
        .service(get("/api/signatures/{id}").route(web::get().to(signatures::show)))
        .service(get("/api/scripts/{app}").route(web::get().to(insight::show_script)))
        .service(get("/api/timeseries").route(web::get().to(insight::show_timeseries)))
        .service(get("/api/sessions").route(web::get().to(insight::show_sessions)))
        .service(get("/api/runtime").route(web::get().to(insight::show_runtimes)))
        .service(get("/healthz").route(web::get().to(health::healthy)))
        .service(get("/readyz").route(web::get().to(health::ready)))
        .service(get("/metrics").route(web::get().to(health::metrics)))
        .service(get("/").route(web::get().to(index)))
        .default_service(web::to(|| async { ApiError::NoSuchPath }));
}

/// A path that takes events.
fn events(path: &'static str, route: Route) -> Resource {
    let accept =
        move |request: HttpRequest,
              body: Result<web::Bytes, actix_web::Error>,
              state: web::Data<AppState>| ingest::accept(route, request, body, state);
    web::resource(path)
        .route(web::post().to(accept))
        .route(web::head().to(ingest::alive))
        .default_service(web::to(|| async { ApiError::MethodNotAllowed { allowed: "POST, HEAD" } }))
}

/// A path that only answers GET, also to pages of other origins.
fn get(
    path: &'static str,
) -> Resource<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    web::resource(path)
        .default_service(web::to(|| async { ApiError::MethodNotAllowed { allowed: "GET" } }))
        .wrap(DefaultHeaders::new().add((ACCESS_CONTROL_ALLOW_ORIGIN, "*")))
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
            "GET /api/runs/{id}": "what is stored about a random_id or execution_id",
            "GET /api/dashboard": "counts, rates and lists; days, from, to, repo, slug, type, platform",
            "GET /api/exit-codes": "code to text",
            "GET /api/exit-codes/{code}": "what a code means; generation",
            "GET /api/regressions": "scripts that fail more than before, with the evidence; window",
            "GET /api/signatures": "failures by what went wrong; new_since, limit",
            "GET /api/signatures/{id}": "one of them",
            "GET /api/scripts/{app}": "everything about one script",
            "GET /api/timeseries": "series over time; metric, group, bucket",
            "GET /api/sessions": "attempts per session, and how many were saved by a retry",
            "GET /api/runtime": "where the scripts came from, and how many are old",
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
