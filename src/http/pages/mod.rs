//! The web page: each handler reads what an endpoint of the API reads, and `page` renders it.

pub mod assets;
pub mod problem;
pub mod moved;
pub mod overview;
pub mod failures;
pub mod failure;
pub mod scripts;
pub mod script;
pub mod popular;
pub mod runs;
pub mod catalogue;
pub mod form;
pub mod about;
pub mod own_run;
pub mod sign_in;
pub mod triage;

use actix_web::HttpRequest;
use actix_web::http::header::{Accept, Header};

/// Whether a client prefers HTML to JSON, as browsers do. A client that accepts anything gets JSON.
#[must_use]
pub fn prefers_html(request: &HttpRequest) -> bool {
    let Ok(accept) = Accept::parse(request) else { return false };
    let ranked = accept.ranked();
    let first = ranked.iter().find(|media| {
        matches!(media.essence_str(), "text/html" | "application/xhtml+xml" | "application/json" | "*/*")
    });
    first.is_some_and(|media| matches!(media.essence_str(), "text/html" | "application/xhtml+xml"))
}
