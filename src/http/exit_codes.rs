//! The catalogue of exit codes.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use telemetry_protocol::Generation;

use crate::expose::exit_codes;
use crate::http::error::ApiError;

/// Code to text, newest generation.
pub async fn list() -> HttpResponse {
    HttpResponse::Ok().json(exit_codes::all())
}

/// The query of [`show`].
#[derive(Debug, Deserialize)]
pub struct Parameters {
    generation: Option<String>,
}

/// What one code means, in the newest or the given generation.
///
/// # Errors
/// [`ApiError::BadParameter`].
pub async fn show(code: web::Path<String>, query: web::Query<Parameters>) -> Result<HttpResponse, ApiError> {
    let code = code.parse::<u8>().map_err(|_| ApiError::BadParameter {
        name: "code",
        reason: "must be a whole number from 0 to 255",
    })?;
    let generation = match query.generation.as_deref().filter(|text| !text.is_empty()) {
        None => Generation::NEWEST,
        Some(text) => text
            .parse::<u8>()
            .ok()
            .and_then(|number| Generation::try_from(number).ok())
            .ok_or(ApiError::BadParameter { name: "generation", reason: "must be 0, 1, 2 or 3" })?,
    };
    Ok(HttpResponse::Ok().json(exit_codes::one(generation, code)))
}
