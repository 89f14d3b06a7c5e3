//! `/static/{file}`: the style sheet, the script and the icon.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse};

use crate::http::error::ApiError;
use crate::page::assets::find;

/// The file at the path of the request. Its name changes with its content, so it may be kept for ever.
///
/// # Errors
/// [`ApiError::NoSuchPath`] for any other name.
pub async fn show(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let asset = find(request.path()).ok_or(ApiError::NoSuchPath)?;
    Ok(HttpResponse::Ok()
        .content_type(asset.content_type)
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .body(asset.content))
}
