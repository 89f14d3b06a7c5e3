//! Errors as pages, for browsers.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, VARY};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, ResponseError, web};

use super::prefers_html;
use crate::http::error::ApiError;
use crate::http::reply::read_request::{HTML, PAGES_VARY, visitor};
use crate::page::address::Address;
use crate::page::context::{Context, Visitor};
use crate::page::problem::{Problem, problem};
use crate::state::AppState;
use crate::store::read::view::View;

/// Replaces the body of an error response by a page if the client prefers HTML. Status and headers stay.
///
/// # Errors
/// Any error of the handler that is not an [`ApiError`].
pub async fn as_page<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let error = response.response().error().and_then(|error| error.as_error::<ApiError>().copied());
    let Some(error) = error else { return Ok(response) };
    let wants_page = prefers_html(response.request());
    let page = wants_page.then(|| show(response.request(), error));
    let mut response = match page {
        Some(page) => response.map_body(|head, _| {
            head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(HTML));
            BoxBody::new(page)
        }),
        None => response,
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static(PAGES_VARY));
    Ok(response)
}

fn show(request: &HttpRequest, error: ApiError) -> String {
    // The links keep the common filter.
    let address = Address::read(request.path(), request.query_string(), &[]);
    let body = error.body();
    let (title, advice) = words(error);
    let shown = Problem {
        status: error.status_code().as_u16(),
        title,
        parameter: body.field,
        message: match error {
            // The sentence of the API is for programs.
            ApiError::NoSuchPath => "There is nothing at this address.".to_owned(),
            _ => body.message,
        },
        advice,
    };
    let state = request.app_data::<web::Data<AppState>>();
    let visitor = state.map_or(Visitor::Public, |state| visitor(request, state, View::Public));
    problem(&Context { address, visitor }, &shown)
}

/// Title and advice of an error.
fn words(error: ApiError) -> (&'static str, &'static str) {
    match error {
        ApiError::NoSuchPath => {
            ("This page does not exist", "Check the address, or start from one of these pages.")
        }
        ApiError::UnknownSignature => (
            "This reason is not known",
            "No stored run fails for it any more, or the address is not complete.",
        ),
        ApiError::UnknownReason => ("This reason is not known", "The list of reasons has all that exist."),
        ApiError::UnknownRun => ("Nothing is stored here", "It may have been erased, or has expired."),
        ApiError::BadParameter { .. } | ApiError::UnreadableQuery => {
            ("The filter is not valid", "Change this value in the address, or remove it.")
        }
        ApiError::DatabaseUnavailable => (
            "The database is not available",
            "Reports of hosts are still accepted and kept. Try again in a minute.",
        ),
        ApiError::QueryTimeout => ("The answer takes too long", "Choose a shorter period."),
        ApiError::RateLimited(_) | ApiError::TooManyConnections | ApiError::TooManyExports => {
            ("Too many requests", "Wait a minute, then try again.")
        }
        ApiError::Unauthorized => ("You are not signed in", "Sign in, then try again."),
        ApiError::Forbidden => ("You may not do this", "Sign in with the token of an administrator."),
        ApiError::ForeignForm => {
            ("The form is outdated", "Go back, load the page again, and send the form once more.")
        }
        _ => ("The request was not successful", "Try again, or start from one of these pages."),
    }
}
