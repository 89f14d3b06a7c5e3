//! Cached answers: JSON or one list as a table, with an entity tag and `304 Not Modified`.

use std::fmt::Debug;
use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, ETAG, HeaderValue, IF_NONE_MATCH, LINK};
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev, web};
use chrono::{NaiveDate, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cache::Answer;
use crate::expose::table::{Format, Lists};
use crate::http::error::ApiError;
use crate::http::request::parameters::{FilterParameters, ListParameters};
use crate::state::AppState;
use crate::store::read::snapshot::{Filter, Snapshot};

/// Media type of JSON.
const JSON: &str = "application/json";
/// Answers about past days only may be cached this many times longer than answers that include today.
const PAST: u32 = 60;

/// Today in UTC.
#[must_use]
pub fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// A request for an answer that is computed from one snapshot, with its common parameters.
pub struct ReadRequest {
    request: HttpRequest,
    /// Shared state of the server.
    pub state: web::Data<AppState>,
    /// The day of the request in UTC.
    pub today: NaiveDate,
    filter: FilterParameters,
    list: ListParameters,
}

impl FromRequest for ReadRequest {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Self::read(request))
    }
}

impl ReadRequest {
    fn read(request: &HttpRequest) -> Result<Self, ApiError> {
        let state = request.app_data::<web::Data<AppState>>().ok_or(ApiError::Internal)?.clone();
        let (request, today) = (request.clone(), today());
        let (filter, list) = (query(&request)?, query(&request)?);
        Ok(Self { request, state, today, filter, list })
    }

    /// The common filter; without dates it covers the last 30 days.
    ///
    /// # Errors
    /// [`ApiError::BadParameter`].
    pub fn filter(&self) -> Result<Filter, ApiError> {
        self.filter.clone().check(self.today)
    }

    /// The common filter; without dates it covers all time.
    ///
    /// # Errors
    /// [`ApiError::BadParameter`].
    pub fn filter_of_all_time(&self) -> Result<Filter, ApiError> {
        self.filter.clone().check_all(self.today)
    }

    /// The format of an export; `None` for JSON.
    ///
    /// # Errors
    /// [`ApiError::BadParameter`].
    pub fn format(&self) -> Result<Option<Format>, ApiError> {
        self.list.format()
    }

    /// Path and query, as they were sent.
    #[must_use]
    pub fn path_and_query(&self) -> (&str, &str) {
        (self.request.path(), self.request.query_string())
    }

    /// Answers with what `read` reads, or with the list of it that is requested. `parameters` are all that the
    /// answer depends on besides the filter; they are part of the cache key.
    ///
    /// # Errors
    /// The error of `read`, or any error from the database.
    pub async fn answer<T: Lists>(
        &self,
        filter: &Filter,
        parameters: impl Debug,
        read: impl AsyncFnOnce(&AppState, &mut Snapshot<'_>) -> Result<T, ApiError>,
    ) -> Result<HttpResponse, ApiError> {
        let list = self.list.check::<T>()?;
        self.cached(filter, (parameters, list), async |state, snapshot| {
            let value = read(state, snapshot).await?;
            let lifetime = lifetime(state, filter);
            let Some((list, format)) = list else { return json(&value, lifetime) };
            let body = value.list(list, format).map_err(|_| ApiError::Internal)?;
            let answer = Answer::new(body, format.content_type(), lifetime);
            Ok(Answer { disposition: attachment(list, format), ..answer })
        })
        .await
    }

    /// Answers from the cache, or with what `read` builds.
    ///
    /// # Errors
    /// The error of `read`, or any error from the database.
    pub async fn cached(
        &self,
        filter: &Filter,
        parameters: impl Debug,
        read: impl AsyncFnOnce(&AppState, &mut Snapshot<'_>) -> Result<Answer, ApiError>,
    ) -> Result<HttpResponse, ApiError> {
        let route = self.request.match_pattern().unwrap_or_default();
        let key = format!("{route} {filter:?} {parameters:?}");
        let compute = async {
            let mut snapshot = Snapshot::open(&self.state.read_pool, filter).await?;
            let answer = read(&self.state, &mut snapshot).await?;
            snapshot.close().await?;
            Ok::<Answer, ApiError>(answer)
        };
        let answer = self.state.answers.get_or_compute(&key, compute).await?;
        Ok(respond(&self.request, &answer))
    }
}

/// The parameters of the query that `T` has; the others are ignored.
///
/// # Errors
/// [`ApiError::UnreadableQuery`].
pub fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, ApiError> {
    let query = web::Query::from_query(request.query_string());
    query.map(web::Query::into_inner).map_err(|_| ApiError::UnreadableQuery)
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
fn respond(request: &HttpRequest, answer: &Answer) -> HttpResponse {
    let is_known = request.headers().get_all(IF_NONE_MATCH).any(|tags| matches_tag(tags, &answer.etag));
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, answer.etag.clone()));
    match answer.remaining().as_secs() {
        0 => response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-cache"))),
        seconds => response.insert_header((CACHE_CONTROL, format!("public, max-age={seconds}"))),
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
