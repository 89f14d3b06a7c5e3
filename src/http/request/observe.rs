//! The middleware around every request: admission, security headers, metrics and a trace by route, status and time.
//! Addresses and paths are not recorded, because paths contain ids.

use std::time::Instant;

use actix_web::body::{BodySize, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};

use crate::connections::Connection;
use crate::http::error::ApiError;
use crate::http::request::guard::{add_security_headers, check_admission};
use crate::state::AppState;

/// Admits, counts, times and traces a request under its matched route.
///
/// # Errors
/// Any error of the handler.
pub async fn observe<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let started = Instant::now();
    let Some(state) = request.app_data::<web::Data<AppState>>().cloned() else {
        return Ok(request.into_response(ApiError::Internal.error_response()).map_into_right_body());
    };
    if let Some(connection) = request.conn_data::<Connection>() {
        connection.request_started();
    }
    let response = match check_admission(request.request(), &state) {
        Ok(()) => next.call(request).await?.map_into_left_body(),
        Err(error) => request.into_response(error.error_response()).map_into_right_body(),
    };
    let (request, mut answer) = response.into_parts();
    add_security_headers(answer.headers_mut(), &request, &state);
    if let Some(connection) = request.conn_data::<Connection>() {
        connection.response_started(match answer.body().size() {
            // A stream sets a deadline for each of its parts.
            BodySize::None | BodySize::Stream => 0,
            BodySize::Sized(bytes) => bytes,
        });
    }
    let pattern = request.match_pattern();
    let route = pattern.as_deref().unwrap_or("none");
    let status = answer.status();
    let metrics = &state.metrics;
    let seconds = started.elapsed().as_secs_f64();
    metrics.http_requests.with_label_values(&[route, status.as_str()]).inc();
    metrics.http_request_seconds.with_label_values(&[route]).observe(seconds);
    tracing::debug!(method = %request.method(), route, status = status.as_u16(), seconds);
    Ok(ServiceResponse::new(request, answer))
}
