//! `/docs`: Swagger UI with the description of the API.
//!
//! The viewer is part of the program, so the page needs no other host. The page and the script that starts the viewer
//! are our own: those of the viewer load more than is needed, and the content security policy allows nothing inline.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use utoipa_swagger_ui::{Config, serve};

use crate::http::error::ApiError;

/// `/docs`.
pub async fn page() -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(include_str!("docs/index.html"))
}

/// `/docs/{file}`: the style sheet and the scripts that the page uses.
///
/// # Errors
/// [`ApiError::NoSuchPath`] for any other file.
pub async fn file(name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    if name.as_str() == "init.js" {
        let script = include_str!("docs/init.js");
        return Ok(HttpResponse::Ok().content_type("text/javascript; charset=utf-8").body(script));
    }
    if !matches!(name.as_str(), "swagger-ui.css" | "swagger-ui-bundle.js") {
        return Err(ApiError::NoSuchPath);
    }
    let file = serve(&name, Arc::new(Config::from("/openapi.json"))).ok().flatten();
    let file = file.ok_or(ApiError::NoSuchPath)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, file.content_type))
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .body(file.bytes.into_owned()))
}
