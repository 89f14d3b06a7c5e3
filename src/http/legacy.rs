//! The paths of the service of 2025, under `/data`.

#![allow(unused_qualifications, reason = "utoipa names the parameters so")]

use std::sync::Arc;

use actix_web::http::header::HeaderValue;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::expose::legacy::{Entry, ErrorCounts, Summary, summary};
use crate::http::answer::{give, json, lasts, today, whole_or_list};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::export::{Wanted, stream};
use crate::http::parameters::{FilterParameters, ListParameters, date, set, text};
use crate::http::records::{Page, RecordParameters, page};
use crate::ingest::execution::Execution;
use crate::state::AppState;
use crate::store::read::filter::Filter;
use crate::store::read::signatures::FAILED_OR_BLOCKED;
use crate::store::read::snapshot::Snapshot;

/// Entries of a page of `/data/paginated` without `limit`.
const PAGE: i64 = 10;
/// Most entries of an answer, and errors and applications in their lists.
const MOST: i64 = 1_000;

/// What is asked for besides the common filters.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EntryParameters {
    /// An application, by its whole name.
    nsapp: Option<String>,
    /// `success`, `failed`, `blocked`, `aborted`, `installing` or `unfinished`.
    status: Option<String>,
    /// Operating system of the guest.
    os_type: Option<String>,
    /// Its version.
    os_version: Option<String>,
    /// First UTC day.
    start_date: Option<String>,
    /// Last UTC day.
    end_date: Option<String>,
    /// Number of the page, from 1 (default).
    page: Option<String>,
    /// Entries of a page, 1 to 1000; default 10 for `/data/paginated`, 1000 for the others.
    limit: Option<String>,
    /// What the `Link` header leads on with, in place of `page`.
    cursor: Option<String>,
}

impl EntryParameters {
    fn records(&self) -> RecordParameters {
        RecordParameters {
            page: self.page.clone(),
            limit: self.limit.clone(),
            status: self.status.clone(),
            app: self.nsapp.clone(),
            os: self.os_type.clone(),
            os_version: self.os_version.clone(),
            cursor: self.cursor.clone(),
            ..RecordParameters::default()
        }
    }

    /// The common filters, and the dates of these.
    fn filter(&self, common: FilterParameters) -> Result<Filter, ApiError> {
        let filter = common.check_all(today())?;
        for (name, asked) in [("nsapp", &self.nsapp), ("os_type", &self.os_type)] {
            text(name, asked.clone())?;
        }
        let from = date("start_date", set(self.start_date.clone()))?.or(filter.from);
        let to = date("end_date", set(self.end_date.clone()))?.or(filter.to);
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            let reason = "must not be later than `end_date`";
            return Err(ApiError::BadParameter { name: "start_date", reason });
        }
        Ok(Filter { from, to, ..filter })
    }
}

/// Documents a path that is answered with entries.
macro_rules! entries {
    ($(#[$doc:meta])* $name:ident, $path:literal, $default:expr, $required:expr) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`ApiError::BadParameter`], [`ApiError::DatabaseUnavailable`].
        #[utoipa::path(
            get,
            path = $path,
            tag = "2025",
            params(FilterParameters, EntryParameters, ListParameters),
            responses(
                (status = 200, description = "Entries; `Link: rel=\"next\"` leads on; all of them with format=csv or ndjson", body = Vec<Entry>),
                (status = 304, description = "The answer is the one named by If-None-Match"),
                (status = 400, description = "A parameter has no meaning, or one is missing", body = ErrorBody),
                (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
            )
        )]
        pub async fn $name(
            request: HttpRequest,
            filter: web::Query<FilterParameters>,
            entries: web::Query<EntryParameters>,
            list: web::Query<ListParameters>,
            state: web::Data<AppState>,
        ) -> Result<HttpResponse, ApiError> {
            let required: fn(&EntryParameters) -> Option<&'static str> = $required;
            if let Some(name) = required(&entries) {
                return Err(ApiError::BadParameter { name, reason: "must be given" });
            }
            let filter = entries.filter(filter.into_inner())?;
            give_entries(&request, &state, filter, &entries.records(), &list, $default).await
        }
    };
}

entries!(
    /// Entries, newest first, page by page.
    paginated, "/data/paginated", PAGE, |_| None);
entries!(
    /// Entries, newest first.
    all, "/data/json", MOST, |_| None);
entries!(
    /// Entries of an application, newest first.
    of_app, "/data/nsapp", MOST, |asked| set(asked.nsapp.clone()).is_none().then_some("nsapp"));
entries!(
    /// Entries with an outcome, newest first.
    of_status, "/data/status", MOST, |asked| set(asked.status.clone()).is_none().then_some("status"));
entries!(
    /// Entries on an operating system, newest first.
    of_os, "/data/os", MOST, |asked| set(asked.os_type.clone()).is_none().then_some("os_type"));
entries!(
    /// Entries of a period, newest first.
    of_days, "/data/date", MOST, |_| None);

async fn give_entries(
    request: &HttpRequest,
    state: &web::Data<AppState>,
    filter: Filter,
    records: &RecordParameters,
    list: &ListParameters,
    default_limit: i64,
) -> Result<HttpResponse, ApiError> {
    let paging = records.paging(default_limit, MOST)?;
    let choice = records.choice(state)?;
    if let Some(format) = list.format()? {
        let wanted = Wanted { filter, choice, order: paging.order, models: Arc::default() };
        return stream(state, wanted, "entries", format, |state, run, _| entry(state, run)).await;
    }
    // The link repeats the query.
    let (path, query) = (request.path().to_owned(), request.query_string().to_owned());
    let asked = (filter, paging, choice, query);
    give(request, state, asked, async move |state, (filter, paging, choice, query)| {
        let mut snapshot = Snapshot::open(&state.readers, &filter).await?;
        let Page { records, next, .. } = page(&mut snapshot, &choice, &paging).await?;
        snapshot.close().await?;
        let entries: Vec<_> = records.iter().map(|run| entry(&state, run)).collect();
        let link = next.and_then(|cursor| link(&path, &query, &cursor));
        Ok(json(&entries, lasts(&state, &filter))?.followed_by(link))
    })
    .await
}

fn entry(state: &AppState, run: &Execution) -> Entry {
    // Hashed once more: what is published is not what is stored.
    Entry::of(run, state.ids.run_key(&run.key.0.simple().to_string()).0.simple().to_string())
}

/// The header that leads to the next page.
fn link(path: &str, query: &str, cursor: &str) -> Option<HeaderValue> {
    let kept = query.split('&').filter(|part| {
        let name = part.split('=').next().unwrap_or_default();
        !part.is_empty() && !matches!(name, "cursor" | "page") && !part.contains(['<', '>', '"'])
    });
    let cursor = format!("cursor={cursor}");
    let query = kept.chain([cursor.as_str()]).collect::<Vec<_>>().join("&");
    HeaderValue::from_str(&format!("<{path}?{query}>; rel=\"next\"")).ok()
}

/// Runs by outcome and application.
///
/// # Errors
/// [`ApiError::BadParameter`], [`ApiError::DatabaseUnavailable`].
#[utoipa::path(
    get,
    path = "/data/summary",
    tag = "2025",
    params(FilterParameters),
    responses(
        (status = 200, description = "Counts", body = Summary),
        (status = 304, description = "The answer is the one named by If-None-Match"),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn counts(
    request: HttpRequest,
    filter: web::Query<FilterParameters>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let filter = filter.into_inner().check_all(today())?;
    give(&request, &state, filter, async |state, filter| {
        let mut snapshot = Snapshot::open(&state.readers, &filter).await?;
        let as_of = snapshot.as_of().await?;
        let scripts = snapshot.scripts(state.running_since(as_of), MOST).await?;
        snapshot.close().await?;
        json(&summary(as_of, &scripts), lasts(&state, &filter))
    })
    .await
}

/// Failed and blocked runs by what their failing line says.
///
/// # Errors
/// [`ApiError::BadParameter`], [`ApiError::DatabaseUnavailable`].
#[utoipa::path(
    get,
    path = "/data/errors",
    tag = "2025",
    params(FilterParameters, ListParameters),
    responses(
        (status = 200, description = "Errors, most frequent first", body = ErrorCounts),
        (status = 304, description = "The answer is the one named by If-None-Match"),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn errors(
    request: HttpRequest,
    filter: web::Query<FilterParameters>,
    list: web::Query<ListParameters>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let filter = filter.into_inner().check_all(today())?;
    let list = list.check::<ErrorCounts>()?;
    give(&request, &state, (filter, list), async |state, (filter, list)| {
        let mut snapshot = Snapshot::open(&state.readers, &filter).await?;
        let as_of = snapshot.as_of().await?;
        let signatures = snapshot.signatures(FAILED_OR_BLOCKED, None, MOST, i64::MIN, i64::MAX).await?;
        snapshot.close().await?;
        whole_or_list(&ErrorCounts::of(as_of, signatures), list, lasts(&state, &filter))
    })
    .await
}
