//! `/data`: the endpoints of the service of 2025, in its shapes.

#![allow(unused_qualifications, reason = "utoipa generates the paths")]

use actix_web::HttpResponse;
use actix_web::http::header::HeaderValue;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::expose::legacy::{Entry, ErrorCounts, Summary, summary};
use crate::http::error::ApiError;
use crate::http::reply::answer::{json, lifetime};
use crate::http::reply::described::CachedResponses;
use crate::http::reply::export::{Selection, stream};
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::{FilterParameters, ListParameters, date, set, text};
use crate::http::runs::list::{Page, RecordParameters, page};
use crate::state::AppState;
use crate::store::read::filter::Filter;
use crate::store::read::known::Shown;
use crate::store::read::signatures::{FAILED_OR_BLOCKED, SignatureChoice};
use crate::store::read::snapshot::Snapshot;

/// Default length of a page of `/data/paginated`.
const PAGE: i64 = 10;
/// Largest length of any list.
const MAX_LIMIT: i64 = 1_000;

/// Filters of entries besides the common ones, and the page.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EntryParameters {
    /// Application, exact name.
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
    /// Length of the page, 1 to 1000; default 10 for `/data/paginated`, 1000 for the others.
    limit: Option<String>,
    /// Cursor of the next page, from the `Link` header, instead of `page`.
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

    /// The common filter with the dates of these parameters.
    fn filter(&self, filter: Filter) -> Result<Filter, ApiError> {
        for (name, value) in [("nsapp", &self.nsapp), ("os_type", &self.os_type)] {
            text(name, value.clone())?;
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

/// Defines an endpoint that answers with entries.
macro_rules! entries {
    ($(#[$doc:meta])* $name:ident, $path:literal, $default_limit:expr, $required:expr) => {
        $(#[$doc])*
        #[utoipa::path(
            get,
            path = $path,
            tag = "2025",
            security((), ("token" = [])),
            params(FilterParameters, EntryParameters, ListParameters),
            responses(
                (status = 200, description = "Entries, newest first, with a Link header to the next page; or an export with format=csv or ndjson", body = Vec<Entry>),
                CachedResponses,
            )
        )]
        pub async fn $name(request: ReadRequest) -> Result<HttpResponse, ApiError> {
            answer_entries(&request, &request.parameters()?, $default_limit, $required).await
        }
    };
}

entries!(
    /// Entries, page by page
    data_paginated, "/data/paginated", PAGE, None);
entries!(
    /// Entries
    data_json, "/data/json", MAX_LIMIT, None);
entries!(
    /// Entries of an application
    ///
    /// Requires `nsapp`.
    data_nsapp, "/data/nsapp", MAX_LIMIT, Some("nsapp"));
entries!(
    /// Entries with an outcome
    ///
    /// Requires `status`.
    data_status, "/data/status", MAX_LIMIT, Some("status"));
entries!(
    /// Entries of an operating system
    ///
    /// Requires `os_type`.
    data_os, "/data/os", MAX_LIMIT, Some("os_type"));
entries!(
    /// Entries of a period
    data_date, "/data/date", MAX_LIMIT, None);

async fn answer_entries(
    request: &ReadRequest,
    parameters: &EntryParameters,
    default_limit: i64,
    required: Option<&'static str>,
) -> Result<HttpResponse, ApiError> {
    if let Some(name) = required {
        let value = match name {
            "nsapp" => &parameters.nsapp,
            "status" => &parameters.status,
            _ => &parameters.os_type,
        };
        set(value.clone()).ok_or(ApiError::BadParameter { name, reason: "is required" })?;
    }
    let filter = parameters.filter(request.filter_of_all_time()?)?;
    let records = parameters.records();
    let paging = records.paging(default_limit, MAX_LIMIT)?;
    let choice = records.choice(&request.state)?;
    if let Some(format) = request.format()? {
        let selection = Selection { filter, choice, order: paging.order, view: request.view };
        let row = |state: &AppState, run: &_, _: &Selection| entry(state, run);
        return stream(request.http(), &request.state, selection, "entries", format, row).await;
    }
    // The `Link` header repeats the query, so the query is part of the key.
    let (path, query) = request.path_and_query();
    let read = async |state: &AppState, snapshot: &mut Snapshot<'_>| {
        let Page { records, next, .. } = page(snapshot, &choice, &paging).await?;
        let entries: Vec<_> = records.iter().map(|run| entry(state, run)).collect();
        let mut answer = json(&entries, lifetime(state, &filter))?;
        answer.link = next.and_then(|cursor| link(path, query, &cursor));
        Ok(answer)
    };
    request.cached(&filter, (&paging, &choice, query), read).await
}

fn entry(state: &AppState, run: &Shown) -> Entry {
    // Hashed again, so that the published id is not the stored key.
    Entry::of(run, state.ids.run_key(&run.execution.key.0.simple().to_string()).0.simple().to_string())
}

/// The `Link` header to the next page.
fn link(path: &str, query: &str, cursor: &str) -> Option<HeaderValue> {
    let kept = query.split('&').filter(|part| {
        let name = part.split('=').next().unwrap_or_default();
        !part.is_empty() && !matches!(name, "cursor" | "page") && !part.contains(['<', '>', '"'])
    });
    let cursor = format!("cursor={cursor}");
    let query = kept.chain([cursor.as_str()]).collect::<Vec<_>>().join("&");
    HeaderValue::from_str(&format!("<{path}?{query}>; rel=\"next\"")).ok()
}

/// Runs by outcome and application
#[utoipa::path(
    get,
    path = "/data/summary",
    operation_id = "data_summary",
    tag = "2025",
    security((), ("token" = [])),
    params(FilterParameters),
    responses((status = 200, description = "Counts", body = Summary), CachedResponses)
)]
pub async fn counts(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let filter = request.filter_of_all_time()?;
    let read = async |state: &AppState, snapshot: &mut Snapshot<'_>| {
        let as_of = snapshot.as_of().await?;
        let scripts = snapshot.scripts(state.running_since(as_of), MAX_LIMIT).await?;
        json(&summary(as_of, &scripts), lifetime(state, &filter))
    };
    request.cached(&filter, (), read).await
}

/// Failed and blocked runs by their failing line
#[utoipa::path(
    get,
    path = "/data/errors",
    operation_id = "data_errors",
    tag = "2025",
    security((), ("token" = [])),
    params(FilterParameters, ListParameters),
    responses((status = 200, description = "Errors, most frequent first", body = ErrorCounts), CachedResponses)
)]
pub async fn errors(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let read = async |_: &_, snapshot: &mut Snapshot<'_>| {
        let as_of = snapshot.as_of().await?;
        let signatures = snapshot.signatures(&SignatureChoice::of(FAILED_OR_BLOCKED), MAX_LIMIT).await?;
        Ok::<ErrorCounts, ApiError>(ErrorCounts::of(as_of, signatures))
    };
    request.answer(&request.filter_of_all_time()?, (), read).await
}
