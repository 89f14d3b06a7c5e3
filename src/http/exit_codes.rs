//! The catalogue of exit codes.

#![allow(unused_qualifications, reason = "utoipa names the parameters so")]

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use telemetry_protocol::Generation;
use utoipa::IntoParams;

use crate::expose::exit_codes::{self, ExitCodeView};
use crate::http::error::{ApiError, ErrorBody};

/// Code to text, newest generation.
#[utoipa::path(
    get,
    path = "/api/exit-codes",
    tag = "catalogue",
    responses((status = 200, description = "An object of texts by code", body = std::collections::BTreeMap<String, String>))
)]
pub async fn list() -> HttpResponse {
    HttpResponse::Ok().json(exit_codes::all())
}

/// The query of [`show`].
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Generation of the client, 0 to 3; default: the newest.
    generation: Option<String>,
}

/// What one code means, in the newest or the given generation.
///
/// # Errors
/// [`ApiError::BadParameter`].
#[utoipa::path(
    get,
    path = "/api/exit-codes/{code}",
    tag = "catalogue",
    params(("code" = u8, Path, description = "0 to 255"), Parameters),
    responses(
        (status = 200, description = "Its meaning, and those in other generations", body = ExitCodeView),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 404, description = "There is no code in the path", body = ErrorBody),
    )
)]
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
