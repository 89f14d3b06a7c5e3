//! What is measured and traced of every request: route, status and time. Neither addresses nor
//! paths as sent, for they hold ids.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use tracing::Span;
use tracing_actix_web::RootSpanBuilder;

use crate::state::AppState;

/// Counts and times a request under its matched route.
///
/// # Errors
/// None of its own.
pub async fn measure<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let started = Instant::now();
    let state = request.app_data::<web::Data<AppState>>().cloned();
    let result = next.call(request).await;
    if let (Some(state), Ok(response)) = (state, &result) {
        let route = response.request().match_pattern();
        let route = route.as_deref().unwrap_or("none");
        let metrics = &state.metrics;
        metrics.http_requests.with_label_values(&[route, response.status().as_str()]).inc();
        let seconds = started.elapsed().as_secs_f64();
        metrics.http_request_seconds.with_label_values(&[route]).observe(seconds);
    }
    result
}

/// A span a request, at debug level.
#[derive(Debug)]
pub struct RouteSpan;

impl RootSpanBuilder for RouteSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let route = request.match_pattern();
        tracing::debug_span!("request", method = %request.method(), route = route.as_deref().unwrap_or("none"))
    }

    fn on_request_end<B: MessageBody>(_span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        match outcome {
            Ok(response) => tracing::debug!(status = response.status().as_u16(), "answered"),
            Err(error) => {
                tracing::debug!(status = error.as_response_error().status_code().as_u16(), "answered");
            }
        }
    }
}
