//! Answers as HTTP responses, with an entity tag and `304 Not Modified`.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, ETAG, HeaderValue, IF_NONE_MATCH, LINK};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{NaiveDate, Utc};
use serde::Serialize;

use crate::cache::Answer;
use crate::expose::table::Format;
use crate::http::error::ApiError;
use crate::state::AppState;
use crate::store::read::filter::Filter;

/// Media type of JSON.
const JSON: &str = "application/json";
/// Answers about past days only may be cached this many times longer than answers that include today.
const PAST: u32 = 60;

/// Today in UTC.
#[must_use]
pub fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// How long an answer with this filter may be cached.
#[must_use]
pub fn lifetime(state: &AppState, filter: &Filter) -> Duration {
    let is_past = filter.to.is_some_and(|last| last < today());
    state.cache_for * if is_past { PAST } else { 1 }
}

/// An answer as JSON.
///
/// # Errors
/// [`ApiError::Internal`].
pub fn json(value: &impl Serialize, lifetime: Duration) -> Result<Answer, ApiError> {
    let body = serde_json::to_vec(value).map_err(|_| ApiError::Internal)?;
    Ok(Answer::new(body, JSON, lifetime))
}

/// The `Content-Disposition` header with which a browser saves a list as a file.
#[must_use]
pub fn attachment(list: &str, format: Format) -> Option<HeaderValue> {
    let name = format!("attachment; filename=\"{list}.{}\"", format.extension());
    HeaderValue::from_str(&name).ok()
}

/// The response with this answer, or 304 if the client has it already.
#[must_use]
pub fn respond(request: &HttpRequest, answer: &Answer) -> HttpResponse {
    let is_known = request.headers().get_all(IF_NONE_MATCH).any(|tags| matches_tag(tags, &answer.etag));
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, answer.etag.clone()));
    match answer.remaining().as_secs() {
        0 => response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-cache"))),
        seconds => {
            let scope = if answer.is_private { "private" } else { "public" };
            response.insert_header((CACHE_CONTROL, format!("{scope}, max-age={seconds}")))
        }
    };
    if is_known {
        return response.finish();
    }
    if let Some(disposition) = &answer.disposition {
        response.insert_header((CONTENT_DISPOSITION, disposition.clone()));
    }
    if let Some(link) = &answer.link {
        response.insert_header((LINK, link.clone()));
    }
    response.content_type(answer.content_type).body(answer.body.clone())
}

/// Whether a list of entity tags contains this one. Weak tags match as well, as RFC 9110 requires for GET.
fn matches_tag(tags: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(tags), Ok(etag)) = (tags.to_str(), etag.to_str()) else { return false };
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_among_others() {
        let matches =
            |tags| matches_tag(&HeaderValue::from_static(tags), &HeaderValue::from_static("\"ab\""));
        assert!(matches("\"ab\"") && matches("\"x\", W/\"ab\"") && matches("*"));
        assert!(!matches("\"abc\"") && !matches("ab") && !matches(""));
    }
}
