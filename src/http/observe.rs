//! What is measured and traced of every request: route, status and time. Neither addresses nor
//! paths as sent, for they hold ids.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use crate::state::AppState;

/// Counts, times and logs a request under its matched route.
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
        let seconds = started.elapsed().as_secs_f64();
        metrics.http_requests.with_label_values(&[route, response.status().as_str()]).inc();
        metrics.http_request_seconds.with_label_values(&[route]).observe(seconds);
        tracing::debug!(method = %response.request().method(), route, status = response.status().as_u16(), seconds);
    }
    result
}
