//! One script, series over time, sessions, and where scripts came from.

use actix_web::{HttpResponse, web};
use chrono::Utc;
use serde::Deserialize;

use crate::expose::execution::ExecutionView;
use crate::expose::runtime::runtimes;
use crate::expose::script::{ScriptCounts, script};
use crate::expose::session::{SessionTotals, sessions};
use crate::expose::timeseries::{Bucket, GROUPS, HOURLY_GROUPS, METRICS, Question, timeseries};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::parameters::FilterParameters;
use crate::state::AppState;
use crate::store::insight::Source;
use crate::store::read::Snapshot;

/// Reasons named with a script.
const SIGNATURES: i64 = 20;
/// Executions shown with a script.
const RECENT: i64 = 20;
/// Groups of a series that have a name.
const SERIES: i64 = 10;

/// Everything about one script.
///
/// # Errors
/// [`ApiError::BadParameter`], [`ApiError::UnknownRun`], [`ApiError::DatabaseUnavailable`].
#[utoipa::path(
    get,
    path = "/api/scripts/{app}",
    tag = "aggregates",
    params(("app" = String, Path, description = "Name of the script"), FilterParameters),
    responses(
        (status = 200, description = "Everything about one script", body = serde_json::Value),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 404, description = "There is no such script", body = ErrorBody),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn show_script(
    app: web::Path<String>,
    filter: web::Query<FilterParameters>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (app, today) = (app.to_lowercase(), Utc::now().date_naive());
    let filter = filter.into_inner().check(today)?;
    // First, for it takes a connection of its own.
    let models = state.common_models().await?;
    let mut snapshot = Snapshot::open(&state.read_pool, &filter).await?;
    let as_of = snapshot.as_of().await?;
    if app.is_empty() || app.contains('\0') || !snapshot.knows_script(&app).await? {
        return Err(ApiError::UnknownRun);
    }
    let running_since = state.running_since(as_of);
    let days = snapshot.script_days(&app, running_since).await?;
    let recent = match days.last() {
        Some(last) => snapshot.recent_of_day(last.day, RECENT, Some(&app), None).await?,
        None => Vec::new(),
    };
    let last = filter.to.unwrap_or(today);
    let first = filter.from.or(days.first().map(|row| row.day)).unwrap_or(last);
    let counts = ScriptCounts {
        as_of,
        days_shown: (first, last),
        days,
        platforms: snapshot.script_platforms(&app).await?,
        exit_codes: snapshot.script_exit_codes(&app).await?,
        signatures: snapshot.script_signatures(&app, SIGNATURES).await?,
        durations: snapshot.script_durations(&app).await?,
        sessions: SessionTotals::of(&snapshot.sessions(Some(&app)).await?),
        recent: recent
            .iter()
            .map(|run| ExecutionView::of(run, running_since).without_rare_models(&models))
            .collect(),
        app,
    };
    snapshot.close().await?;
    Ok(HttpResponse::Ok().json(script(counts)))
}

/// Sessions, by day and by script.
///
/// # Errors
/// [`ApiError::BadParameter`], [`ApiError::DatabaseUnavailable`].
#[utoipa::path(
    get,
    path = "/api/sessions",
    tag = "aggregates",
    params(FilterParameters),
    responses(
        (status = 200, description = "Attempts per session, and how many a retry saved", body = serde_json::Value),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn show_sessions(
    filter: web::Query<FilterParameters>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let filter = filter.into_inner().check(Utc::now().date_naive())?;
    let mut snapshot = Snapshot::open(&state.read_pool, &filter).await?;
    let as_of = snapshot.sessions_as_of().await?.ok_or(ApiError::DatabaseUnavailable)?;
    let rows = snapshot.sessions(None).await?;
    snapshot.close().await?;
    Ok(HttpResponse::Ok().json(sessions(as_of, &rows)))
}

/// Where the scripts came from.
///
/// # Errors
/// [`ApiError::BadParameter`], [`ApiError::DatabaseUnavailable`].
#[utoipa::path(
    get,
    path = "/api/runtime",
    tag = "aggregates",
    params(FilterParameters),
    responses(
        (status = 200, description = "Where the scripts came from, and how many are old", body = serde_json::Value),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn show_runtimes(
    filter: web::Query<FilterParameters>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let filter = filter.into_inner().check(Utc::now().date_naive())?;
    let mut snapshot = Snapshot::open(&state.read_pool, &filter).await?;
    let as_of = snapshot.as_of().await?;
    let rows = snapshot.runtimes().await?;
    snapshot.close().await?;
    Ok(HttpResponse::Ok().json(runtimes(as_of, rows)))
}

/// The query of [`show_timeseries`] besides the filter.
#[derive(Debug, Deserialize)]
pub struct SeriesParameters {
    metric: Option<String>,
    group: Option<String>,
    bucket: Option<String>,
}

/// What a word of a closed list stands for; the first one for none.
fn one_of<T: Copy>(
    word: Option<&str>,
    list: &[T],
    name: impl Fn(&T) -> &str,
    bad: ApiError,
) -> Result<T, ApiError> {
    match word {
        None | Some("") => list.first(),
        Some(word) => list.iter().find(|known| name(known) == word),
    }
    .copied()
    .ok_or(bad)
}

/// A series over time for each of the largest groups.
///
/// # Errors
/// [`ApiError::BadParameter`], [`ApiError::DatabaseUnavailable`].
#[utoipa::path(
    get,
    path = "/api/timeseries",
    tag = "aggregates",
    params(FilterParameters, ("metric" = Option<String>, Query, description = "`runs` (default), `success`, `failed`, `blocked`, `aborted`, `failure_rate`"), ("group" = Option<String>, Query, description = "`none` (default), `outcome`, `app`, `type`, `repo`, `platform`, `os`, `pve_version`, `method`, `arch`, `cpu_vendor`, `generation`"), ("bucket" = Option<String>, Query, description = "`day` (default), `hour`, `week`")),
    responses(
        (status = 200, description = "A series over time for each of the largest groups", body = serde_json::Value),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn show_timeseries(
    filter: web::Query<FilterParameters>,
    parameters: web::Query<SeriesParameters>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let bad = |name, reason| ApiError::BadParameter { name, reason };
    let metric = one_of(
        parameters.metric.as_deref(),
        &METRICS,
        |metric| metric.0,
        bad("metric", "must be runs, success, failed, blocked, aborted or failure_rate"),
    )?;
    let (group, source) = one_of(
        parameters.group.as_deref(),
        &GROUPS,
        |group| group.0,
        bad(
            "group",
            "must be none, outcome, app, type, repo, platform, os, pve_version, method, arch, cpu_vendor or \
             generation",
        ),
    )?;
    let [hour, day, week] = Bucket::ALL;
    let (bucket_name, bucket, most_days) = one_of(
        parameters.bucket.as_deref(),
        &[day, hour, week],
        |bucket| bucket.0,
        bad("bucket", "must be hour, day or week"),
    )?;
    if bucket == Bucket::Hour && !HOURLY_GROUPS.contains(&group) {
        return Err(bad("group", "must be none, outcome, type, repo or platform by the hour"));
    }
    let today = Utc::now().date_naive();
    let filter = filter.into_inner().check(today)?;
    let mut snapshot = Snapshot::open(&state.read_pool, &filter).await?;
    let as_of = snapshot.as_of().await?;
    let last = filter.to.unwrap_or(today);
    let first = match filter.from {
        Some(first) => first,
        None => snapshot.history().await?.first_day.unwrap_or(last),
    };
    if (last - first).num_days() >= most_days {
        return Err(bad("bucket", "must be longer for so many days: hour covers 31, day 1100"));
    }
    let source = if bucket == Bucket::Hour { Source::Hours } else { source };
    let rows = snapshot.series(source, group, bucket_name, SERIES).await?;
    snapshot.close().await?;
    let question = Question { metric, group, bucket: (bucket_name, bucket), days: (first, last) };
    Ok(HttpResponse::Ok().json(timeseries(as_of, &question, &rows)))
}
