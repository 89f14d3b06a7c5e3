//! The paths of the pages of 2025, which lead to their successors.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse};

/// Redirects to the page that replaces this one, with the same query.
pub async fn show(request: HttpRequest) -> HttpResponse {
    let path = match request.path() {
        "/error-analysis" => "/failures",
        "/script-analysis" => "/scripts",
        "/data" => "/runs",
        _ => "/",
    };
    let location = match request.query_string() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    };
    HttpResponse::PermanentRedirect().insert_header((LOCATION, location)).finish()
}
