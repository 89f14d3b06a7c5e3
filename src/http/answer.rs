//! How an answer that may be given again is given: from the cache, with an entity tag, or not at all
//! to whoever has it already.

use std::fmt::Debug;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, ETAG, HeaderValue, IF_NONE_MATCH, LINK};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{NaiveDate, Utc};
use serde::Serialize;

use crate::cache::Answer;
use crate::expose::table::{Format, Lists};
use crate::http::error::ApiError;
use crate::state::AppState;
use crate::store::read::filter::Filter;

/// The media type of JSON.
const JSON: &str = "application/json";
/// How much longer an answer about the past lasts than one about today.
const PAST: u32 = 60;

/// The day by which the parameters of a request are meant.
#[must_use]
pub fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// A list of an answer, if it is not asked for as JSON.
pub type Asked = Option<(&'static str, Format)>;

/// How long an answer lasts that is about these days.
#[must_use]
pub fn lasts(state: &AppState, filter: &Filter) -> Duration {
    let is_past = filter.to.is_some_and(|last| last < today());
    state.cache_for * if is_past { PAST } else { 1 }
}

/// An answer as JSON.
///
/// # Errors
/// [`ApiError::Internal`].
pub fn json(answer: &impl Serialize, lasts: Duration) -> Result<Answer, ApiError> {
    let body = serde_json::to_vec(answer).map_err(|_| ApiError::Internal)?;
    Ok(Answer::new(body, JSON, lasts))
}

/// An answer, or the list of it that is asked for.
///
/// # Errors
/// [`ApiError::Internal`].
pub fn whole_or_list<T: Lists>(answer: &T, asked: Asked, lasts: Duration) -> Result<Answer, ApiError> {
    let Some((list, format)) = asked else { return json(answer, lasts) };
    let body = answer.list(list, format).map_err(|_| ApiError::Internal)?;
    Ok(Answer::new(body, format.content_type(), lasts).saved_as(attachment(list, format)))
}

/// The header that lets a browser save a list under its name.
#[must_use]
pub fn attachment(list: &str, format: Format) -> Option<HeaderValue> {
    let name = format!("attachment; filename=\"{list}.{}\"", format.extension());
    HeaderValue::from_str(&name).ok()
}

/// Gives the answer of an endpoint to these parameters, as they are after checking; `make` makes it from them,
/// on a thread that reads.
///
/// # Errors
/// What `make` says.
pub async fn give<A, F>(
    request: &HttpRequest,
    state: &web::Data<AppState>,
    asked: A,
    make: impl FnOnce(web::Data<AppState>, A) -> F + Send + 'static,
) -> Result<HttpResponse, ApiError>
where
    A: Debug + Send + 'static,
    F: Future<Output = Result<Answer, ApiError>> + 'static,
{
    let key = format!("{} {asked:?}", request.match_pattern().unwrap_or_default());
    let reader = state.clone();
    let make = state.readers.apart(move || make(reader, asked));
    let answer =
        state.answers.get_or_make(&key, async { make.await.unwrap_or(Err(ApiError::Internal)) }).await?;
    let is_known = request.headers().get_all(IF_NONE_MATCH).any(|tags| holds(tags, &answer.etag));
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, answer.etag.clone()));
    let seconds = answer.remaining().as_secs();
    match seconds {
        0 => response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-cache"))),
        _ => response.insert_header((CACHE_CONTROL, format!("public, max-age={seconds}"))),
    };
    if is_known {
        return Ok(response.finish());
    }
    if let Some(disposition) = &answer.disposition {
        response.insert_header((CONTENT_DISPOSITION, disposition.clone()));
    }
    if let Some(link) = &answer.link {
        response.insert_header((LINK, link.clone()));
    }
    Ok(response.content_type(answer.content_type).body(answer.body.clone()))
}

/// Whether a list of entity tags has this one; a weak one will do for a GET.
fn holds(tags: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(tags), Ok(etag)) = (tags.to_str(), etag.to_str()) else { return false };
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_among_others() {
        let holds = |tags| holds(&HeaderValue::from_static(tags), &HeaderValue::from_static("\"ab\""));
        assert!(holds("\"ab\"") && holds("\"x\", W/\"ab\"") && holds("*"));
        assert!(!holds("\"abc\"") && !holds("ab") && !holds(""));
    }
}
