//! Failures grouped by what went wrong.

use std::cmp::Reverse;

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::NaiveDate;
use serde::Deserialize;

use crate::expose::execution::ExecutionView;
use crate::expose::signature::{OneSignature, Signatures, read_id, signature, signatures};
use crate::http::answer::{give, lasts, today, whole_or_list};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::parameters::{FilterParameters, ListParameters};
use crate::state::AppState;
use crate::store::read::filter::Filter;
use crate::store::read::signatures::FAILED;
use crate::store::read::snapshot::Snapshot;

/// Reasons without `limit`, and at most.
const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;
/// Scripts named with each reason of the list, and with a single one.
const SCRIPTS_IN_LIST: i32 = 5;
const SCRIPTS_OF_ONE: i32 = 100;
/// Executions shown with a single one.
const RECENT: i64 = 20;

/// The query of [`list`] besides the filter.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    new_since: Option<String>,
    limit: Option<String>,
}

impl Parameters {
    fn new_since(&self) -> Result<Option<NaiveDate>, ApiError> {
        let date = self.new_since.as_deref().filter(|text| !text.is_empty()).map(str::parse);
        let bad = ApiError::BadParameter { name: "new_since", reason: "must be a date like 2026-01-31" };
        date.transpose().ok().filter(|date| date.is_none_or(is_of_our_time)).ok_or(bad)
    }

    fn limit(&self) -> Result<i64, ApiError> {
        let limit =
            self.limit.as_deref().filter(|text| !text.is_empty()).map_or(Ok(DEFAULT_LIMIT), str::parse);
        let bad = ApiError::BadParameter { name: "limit", reason: "must be a whole number from 1 to 200" };
        limit.ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or(bad)
    }
}

/// Within what the database can hold.
fn is_of_our_time(date: NaiveDate) -> bool {
    use chrono::Datelike;
    (2000..2200).contains(&date.year())
}

/// The most frequent reasons.
///
/// # Errors
/// [`ApiError::BadParameter`], [`ApiError::DatabaseUnavailable`].
#[utoipa::path(
    get,
    path = "/api/signatures",
    tag = "aggregates",
    params(FilterParameters, ListParameters, ("new_since" = Option<String>, Query, description = "Only reasons that no earlier day has"), ("limit" = Option<String>, Query, description = "1 to 200, default 50")),
    responses(
        (status = 200, description = "Failures by what went wrong, most frequent first", body = Signatures),
        (status = 304, description = "The answer is the one named by If-None-Match"),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn list(
    request: HttpRequest,
    filter: web::Query<FilterParameters>,
    list: web::Query<ListParameters>,
    parameters: web::Query<Parameters>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let today = today();
    let filter = filter.into_inner().check(today)?;
    let (new_since, limit) = (parameters.new_since()?, parameters.limit()?);
    let list = list.check::<Signatures>()?;
    let asked = (filter, new_since, limit, list);
    give(&request, &state, asked, async move |state, (filter, new_since, limit, list)| {
        let read = read_list(&state, &filter, (new_since, limit), today).await?;
        whole_or_list(&read, list, lasts(&state, &filter))
    })
    .await
}

async fn read_list(
    state: &AppState,
    filter: &Filter,
    (new_since, limit): (Option<NaiveDate>, i64),
    today: NaiveDate,
) -> Result<Signatures, ApiError> {
    let mut snapshot = Snapshot::open(&state.readers, filter).await?;
    let as_of = snapshot.as_of().await?;
    // Ids are hashes: half of them are negative.
    let between = |first, last| {
        async move |half: &mut Snapshot<'_>| half.signatures(FAILED, new_since, limit, first, last).await
    };
    let (mut counts, more) = snapshot.both(between(i64::MIN, -1), between(0, i64::MAX)).await?;
    counts.extend(more);
    counts.sort_by_key(|row| (Reverse(row.runs), row.signature));
    counts.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let ids: Vec<_> = counts.iter().map(|row| row.signature).collect();
    let (some, others) = ids.split_at(ids.len() / 2);
    let with_weeks = async |half: &mut Snapshot<'_>| {
        let weeks = half.signature_weeks(today, &ids).await?;
        Ok((half.signature_scripts(FAILED, some, SCRIPTS_IN_LIST).await?, weeks))
    };
    let with_outcomes = async |half: &mut Snapshot<'_>| {
        Ok((half.signature_scripts(FAILED, others, SCRIPTS_IN_LIST).await?, half.outcomes().await?))
    };
    let ((mut scripts, weeks), (more, outcomes)) = snapshot.both(with_weeks, with_outcomes).await?;
    scripts.extend(more);
    snapshot.close().await?;
    let failed = outcomes.iter().filter(|row| row.outcome == "failed").map(|row| row.runs).sum();
    Ok(signatures(as_of, failed, counts, scripts, &weeks))
}

/// One reason.
///
/// # Errors
/// [`ApiError::BadParameter`], [`ApiError::UnknownRun`], [`ApiError::DatabaseUnavailable`].
#[utoipa::path(
    get,
    path = "/api/signatures/{id}",
    tag = "aggregates",
    params(("id" = String, Path, description = "16 hexadecimal digits"), FilterParameters, ListParameters),
    responses(
        (status = 200, description = "One reason: days, scripts, some recent runs", body = OneSignature),
        (status = 304, description = "The answer is the one named by If-None-Match"),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 404, description = "There is no such reason", body = ErrorBody),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn show(
    request: HttpRequest,
    id: web::Path<String>,
    filter: web::Query<FilterParameters>,
    list: web::Query<ListParameters>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let bad = ApiError::BadParameter { name: "id", reason: "must be 16 hexadecimal digits" };
    let id = read_id(&id).ok_or(bad)?;
    let filter = filter.into_inner().check(today())?;
    let list = list.check::<OneSignature>()?;
    give(&request, &state, (id, filter, list), async |state, (id, filter, list)| {
        whole_or_list(&read(&state, id, &filter).await?, list, lasts(&state, &filter))
    })
    .await
}

async fn read(state: &AppState, id: i64, filter: &Filter) -> Result<OneSignature, ApiError> {
    // First, for it takes a connection of its own.
    let models = state.common_models().await?;
    let mut snapshot = Snapshot::open(&state.readers, filter).await?;
    let as_of = snapshot.as_of().await?;
    let known = snapshot.known_signature(id).await?.ok_or(ApiError::UnknownRun)?;
    let scripts = snapshot.signature_scripts(FAILED, &[id], SCRIPTS_OF_ONE).await?;
    let days = snapshot.signature_days(id).await?;
    let recent = match days.last() {
        Some(last) => snapshot.recent_of_day(last.day, RECENT, None, Some(id)).await?,
        None => Vec::new(),
    };
    snapshot.close().await?;
    let running_since = state.running_since(as_of);
    let recent =
        recent.iter().map(|run| ExecutionView::of(run, running_since).without_rare_models(&models)).collect();
    Ok(signature(as_of, id, known, scripts, days, recent))
}
