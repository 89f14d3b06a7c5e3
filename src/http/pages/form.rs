//! Forms: their fields, the reader who sends them, and answers that nobody may cache.

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::de::DeserializeOwned;

use crate::http::error::ApiError;
use crate::http::events::receive;
use crate::http::reply::read_request::{HTML, visitor};
use crate::http::request::authorise::view_of;
use crate::page::address::Address;
use crate::page::context::Context;
use crate::state::AppState;

/// Longest form in bytes.
pub const MAX_FORM_BYTES: usize = 16 << 10;

/// Reads the fields of a form.
///
/// # Errors
/// [`ApiError`] for a body that is too long, too slow or no form.
pub async fn read<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: web::Payload,
    state: &AppState,
) -> Result<T, ApiError> {
    let body = receive(request, payload, MAX_FORM_BYTES, state).await?;
    let bad = ApiError::BadParameter { name: "body", reason: "must be a form that has each field once" };
    let fields = std::str::from_utf8(&body).ok().and_then(|text| web::Query::from_query(text).ok());
    fields.map(web::Query::into_inner).ok_or(bad)
}

/// What a page is rendered for. Its links keep the common parameters.
///
/// # Errors
/// [`ApiError`] for a wrong token.
pub fn context(request: &HttpRequest, state: &AppState) -> Result<Context, ApiError> {
    let view = view_of(request, state)?;
    let address = Address::read(request.path(), request.query_string(), &[]);
    Ok(Context { address, visitor: visitor(request, state, view) })
}

/// An answer with a page that no cache may store.
#[must_use]
pub fn private(page: String) -> HttpResponse {
    HttpResponse::Ok().content_type(HTML).insert_header((CACHE_CONTROL, "no-store")).body(page)
}

/// The answer to a form that leads to another page.
#[must_use]
pub fn see_other(location: String) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((LOCATION, location))
        .finish()
}
