//! A request whose answer is read from one snapshot of the database and cached: JSON, one list as a table, or a page.

use std::fmt::Debug;
use std::future::{Ready, ready};

use actix_web::http::header::{HeaderValue, VARY};
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev, web};
use chrono::NaiveDate;
use serde::de::DeserializeOwned;

use crate::cache::Answer;
use crate::expose::table::{Format, Lists};
use crate::http::error::ApiError;
use crate::http::reply::answer::{attachment, json, lifetime, respond, today};
use crate::http::request::authorise::view_of;
use crate::http::request::parameters::{FilterParameters, ListParameters};
use crate::http::request::session::{Role, Session};
use crate::page::address::Address;
use crate::page::context::{Context, Visitor};
use crate::state::AppState;
use crate::store::read::filter::Filter;
use crate::store::read::snapshot::Snapshot;
use crate::store::read::view::View;

/// Media type of a page.
pub const HTML: &str = "text/html; charset=utf-8";
/// The headers on which pages depend: some paths answer programs with JSON, and signed-in readers see more.
pub const PAGES_VARY: &str = "Accept, Authorization, Cookie";

/// A request for an answer that is computed from one snapshot, with its common parameters.
pub struct ReadRequest {
    request: HttpRequest,
    /// Shared state of the server.
    pub state: web::Data<AppState>,
    /// The day of the request in UTC.
    pub today: NaiveDate,
    /// What the request may see.
    pub view: View,
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
    /// Reads the common parameters of a request.
    ///
    /// # Errors
    /// [`ApiError`] for credentials or a query that are not valid.
    pub fn read(request: &HttpRequest) -> Result<Self, ApiError> {
        let state = request.app_data::<web::Data<AppState>>().ok_or(ApiError::Internal)?.clone();
        let view = view_of(request, &state)?;
        let (filter, list) = (parameters(request)?, parameters(request)?);
        Ok(Self { request: request.clone(), state, today: today(), view, filter, list })
    }

    /// The parameters of the query that `T` has, besides the common ones. Unknown parameters are ignored.
    ///
    /// # Errors
    /// [`ApiError::UnreadableQuery`].
    pub fn parameters<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        parameters(&self.request)
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

    /// The request itself.
    #[must_use]
    pub const fn http(&self) -> &HttpRequest {
        &self.request
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
            let mut answer = Answer::new(body, format.content_type(), lifetime);
            answer.disposition = attachment(list, format);
            Ok(answer)
        })
        .await
    }

    /// Answers with a page: what `read` reads, rendered by `render`. `parameters` are all that the page depends on
    /// besides the address and the filter; `own` are the names of the parameters that the page has besides the common
    /// ones, and that its links keep.
    ///
    /// # Errors
    /// The error of `read`, or any error from the database.
    pub async fn page<T>(
        &self,
        own: &[&'static str],
        filter: &Filter,
        parameters: impl Debug,
        read: impl AsyncFnOnce(&AppState, &mut Snapshot<'_>) -> Result<T, ApiError>,
        render: impl FnOnce(&Context, &T) -> String,
    ) -> Result<HttpResponse, ApiError> {
        let context = self.context(own);
        let mut response = self
            .cached(filter, (&context, parameters), async |state, snapshot| {
                let value = read(state, snapshot).await?;
                Ok(Answer::new(render(&context, &value).into_bytes(), HTML, lifetime(state, filter)))
            })
            .await?;
        response.headers_mut().insert(VARY, HeaderValue::from_static(PAGES_VARY));
        Ok(response)
    }

    /// What a page is rendered for; `own` as in [`Self::page`].
    #[must_use]
    pub fn context(&self, own: &[&'static str]) -> Context {
        let visitor = visitor(&self.request, &self.state, self.view);
        Context { address: Address::read(self.request.path(), self.request.query_string(), own), visitor }
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
        let view = self.view;
        let key = format!("{route} {view:?} {filter:?} {parameters:?}");
        let compute = async {
            let mut snapshot = Snapshot::open(&self.state.read_pool, filter, view).await?;
            let answer = read(&self.state, &mut snapshot).await?;
            snapshot.close().await?;
            Ok::<Answer, ApiError>(if view == View::Maintainer { answer.private() } else { answer })
        };
        let answer = self.state.answers.get_or_compute(&key, compute).await?;
        Ok(respond(&self.request, &answer))
    }
}

/// What a reader of pages may do: as its session says, or with a bearer token as the view says.
#[must_use]
pub fn visitor(request: &HttpRequest, state: &AppState, view: View) -> Visitor {
    match Session::of(request, state) {
        Some(session) if session.role == Role::Administrator => {
            Visitor::Administrator { form_token: session.form_token().to_owned() }
        }
        Some(_) => Visitor::Maintainer,
        None if view == View::Maintainer => Visitor::Maintainer,
        None => Visitor::Public,
    }
}

fn parameters<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, ApiError> {
    let query = web::Query::from_query(request.query_string());
    query.map(web::Query::into_inner).map_err(|_| ApiError::UnreadableQuery)
}
