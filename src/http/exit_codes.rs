//! `/api/exit-codes`: the meaning of exit codes.

#![allow(unused_qualifications, reason = "utoipa generates the paths")]

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use telemetry_protocol::Generation;
use utoipa::IntoParams;

use crate::expose::exit_codes::{self, ExitCodeView};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::request::parameters::set;

/// The meaning of every exit code
///
/// In the newest generation of clients.
#[utoipa::path(
    get,
    path = "/api/exit-codes",
    operation_id = "exit_codes",
    tag = "catalogue",
    responses((status = 200, description = "An object of texts by code", body = BTreeMap<String, String>))
)]
pub async fn list() -> HttpResponse {
    HttpResponse::Ok().json(exit_codes::all())
}

/// An exit code in a path.
///
/// # Errors
/// [`ApiError::BadParameter`] for `code`.
pub fn parse(code: &str) -> Result<u8, ApiError> {
    let reason = "must be a whole number from 0 to 255";
    code.parse().map_err(|_| ApiError::BadParameter { name: "code", reason })
}

/// The parameters of [`show`].
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct GenerationParameters {
    /// Generation of the client, 0 to 3; default: the newest.
    generation: Option<String>,
}

/// The meaning of one exit code
///
/// In the newest generation of clients, or in the requested one.
#[utoipa::path(
    get,
    path = "/api/exit-codes/{code}",
    operation_id = "exit_code",
    tag = "catalogue",
    params(("code" = u8, Path, description = "0 to 255"), GenerationParameters),
    responses(
        (status = 200, description = "The meaning, and those in other generations", body = ExitCodeView),
        (status = 400, description = "A parameter is not valid", body = ErrorBody),
        (status = 404, description = "The path has no code", body = ErrorBody),
    )
)]
pub async fn show(
    code: web::Path<String>,
    query: web::Query<GenerationParameters>,
) -> Result<HttpResponse, ApiError> {
    let code = parse(&code)?;
    let generation = match set(query.into_inner().generation) {
        None => Generation::NEWEST,
        Some(text) => text
            .parse::<u8>()
            .ok()
            .and_then(|number| Generation::try_from(number).ok())
            .ok_or(ApiError::BadParameter { name: "generation", reason: "must be 0, 1, 2 or 3" })?,
    };
    Ok(HttpResponse::Ok().json(exit_codes::one(generation, code)))
}
