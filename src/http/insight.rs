//! One script, series over time, sessions, and where scripts came from.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use crate::expose::execution::ExecutionView;
use crate::expose::runtime::{Runtimes, runtimes};
use crate::expose::script::{ScriptCounts, ScriptView, script};
use crate::expose::session::{SessionTotals, Sessions, sessions};
use crate::expose::timeseries::{
    Bucket, GROUPS, HOURLY_GROUPS, METRICS, Metric, Question, Timeseries, timeseries,
};
use crate::http::answer::{give, lasts, today, whole_or_list};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::parameters::{FilterParameters, ListParameters};
use crate::state::AppState;
use crate::store::read::insight::Source;
use crate::store::read::snapshot::{Filter, Snapshot};

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
    params(("app" = String, Path, description = "Name of the script"), FilterParameters, ListParameters),
    responses(
        (status = 200, description = "Everything about one script", body = ScriptView),
        (status = 304, description = "The answer is the one named by If-None-Match"),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 404, description = "There is no such script", body = ErrorBody),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn show_script(
    request: HttpRequest,
    app: web::Path<String>,
    filter: web::Query<FilterParameters>,
    list: web::Query<ListParameters>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (app, filter) = (app.to_lowercase(), filter.into_inner().check(today())?);
    let list = list.check::<ScriptView>()?;
    if app.is_empty() || app.contains('\0') {
        return Err(ApiError::UnknownRun);
    }
    give(&request, &state, (app, filter, list), async |state, (app, filter, list)| {
        whole_or_list(&read_script(&state, &app, &filter).await?, list, lasts(&state, &filter))
    })
    .await
}

async fn read_script(state: &AppState, app: &str, filter: &Filter) -> Result<ScriptView, ApiError> {
    // First, for it takes a connection of its own.
    let models = state.common_models().await?;
    let mut snapshot = Snapshot::open(&state.readers, filter).await?;
    let as_of = snapshot.as_of().await?;
    if !snapshot.knows_script(app).await? {
        return Err(ApiError::UnknownRun);
    }
    let running_since = state.running_since(as_of);
    // About half of the work each.
    let of_runs = async |half: &mut Snapshot<'_>| {
        let days = half.script_days(app, running_since).await?;
        let recent = match days.last() {
            Some(last) => half.recent_of_day(last.day, RECENT, Some(app), None).await?,
            None => Vec::new(),
        };
        Ok((days, recent, half.script_platforms(app).await?))
    };
    let of_ends = async |half: &mut Snapshot<'_>| {
        let (exit_codes, signatures) =
            (half.script_exit_codes(app).await?, half.script_signatures(app, SIGNATURES).await?);
        Ok((exit_codes, signatures, half.script_durations(app).await?, half.sessions(Some(app)).await?))
    };
    let ((days, recent, platforms), (exit_codes, signatures, durations, sessions)) =
        snapshot.both(of_runs, of_ends).await?;
    let last = filter.to.unwrap_or(as_of.date_naive());
    let first = filter.from.or(days.first().map(|row| row.day)).unwrap_or(last);
    let counts = ScriptCounts {
        as_of,
        days_shown: (first, last),
        days,
        platforms,
        exit_codes,
        signatures,
        durations,
        sessions: SessionTotals::of(&sessions),
        recent: recent
            .iter()
            .map(|run| ExecutionView::of(run, running_since).without_rare_models(&models))
            .collect(),
        app: app.to_owned(),
    };
    snapshot.close().await?;
    Ok(script(counts))
}

/// Sessions, by day and by script.
///
/// # Errors
/// [`ApiError::BadParameter`], [`ApiError::DatabaseUnavailable`].
#[utoipa::path(
    get,
    path = "/api/sessions",
    tag = "aggregates",
    params(FilterParameters, ListParameters),
    responses(
        (status = 200, description = "Attempts per session, and how many a retry saved", body = Sessions),
        (status = 304, description = "The answer is the one named by If-None-Match"),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 503, description = "The database does not answer in time, or sessions are still being counted; see Retry-After", body = ErrorBody),
    )
)]
pub async fn show_sessions(
    request: HttpRequest,
    filter: web::Query<FilterParameters>,
    list: web::Query<ListParameters>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let filter = filter.into_inner().check(today())?;
    let list = list.check::<Sessions>()?;
    give(&request, &state, (filter, list), async |state, (filter, list)| {
        let mut snapshot = Snapshot::open(&state.readers, &filter).await?;
        let as_of = snapshot.sessions_as_of().await?.ok_or(ApiError::DatabaseUnavailable)?;
        let rows = snapshot.sessions(None).await?;
        snapshot.close().await?;
        whole_or_list(&sessions(as_of, &rows), list, lasts(&state, &filter))
    })
    .await
}

/// Where the scripts came from.
///
/// # Errors
/// [`ApiError::BadParameter`], [`ApiError::DatabaseUnavailable`].
#[utoipa::path(
    get,
    path = "/api/runtime",
    tag = "aggregates",
    params(FilterParameters, ListParameters),
    responses(
        (status = 200, description = "Where the scripts came from, and how many are old", body = Runtimes),
        (status = 304, description = "The answer is the one named by If-None-Match"),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn show_runtimes(
    request: HttpRequest,
    filter: web::Query<FilterParameters>,
    list: web::Query<ListParameters>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let filter = filter.into_inner().check(today())?;
    let list = list.check::<Runtimes>()?;
    give(&request, &state, (filter, list), async |state, (filter, list)| {
        let mut snapshot = Snapshot::open(&state.readers, &filter).await?;
        let as_of = snapshot.as_of().await?;
        let rows = snapshot.runtimes().await?;
        snapshot.close().await?;
        whole_or_list(&runtimes(as_of, rows), list, lasts(&state, &filter))
    })
    .await
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
    params(FilterParameters, ListParameters, ("metric" = Option<String>, Query, description = "`runs` (default), `success`, `failed`, `blocked`, `aborted`, `failure_rate`"), ("group" = Option<String>, Query, description = "`none` (default), `outcome`, `app`, `type`, `repo`, `platform`, `os`, `pve_version`, `method`, `arch`, `cpu_vendor`, `generation`, `template` (what the container was made from, of the runs that told)"), ("bucket" = Option<String>, Query, description = "`day` (default), `hour`, `week`")),
    responses(
        (status = 200, description = "A series over time for each of the largest groups", body = Timeseries),
        (status = 304, description = "The answer is the one named by If-None-Match"),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn show_timeseries(
    request: HttpRequest,
    filter: web::Query<FilterParameters>,
    list: web::Query<ListParameters>,
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
            "must be none, outcome, app, type, repo, platform, os, pve_version, method, arch, cpu_vendor, \
             generation or template",
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
    let filter = filter.into_inner().check(today())?;
    let list = list.check::<Timeseries>()?;
    let asked = Asked { metric, group, source, bucket: (bucket_name, bucket), most_days };
    give(&request, &state, (filter, asked, list), async |state, (filter, asked, list)| {
        whole_or_list(&read_series(&state, &filter, asked).await?, list, lasts(&state, &filter))
    })
    .await
}

/// What is asked for, as it is after checking.
#[derive(Clone, Copy, Debug)]
struct Asked {
    metric: (&'static str, Metric),
    group: &'static str,
    source: Source,
    bucket: (&'static str, Bucket),
    most_days: i64,
}

async fn read_series(state: &AppState, filter: &Filter, asked: Asked) -> Result<Timeseries, ApiError> {
    let Asked { metric, group, source, bucket, most_days } = asked;
    let mut snapshot = Snapshot::open(&state.readers, filter).await?;
    let as_of = snapshot.as_of().await?;
    let last = filter.to.unwrap_or(as_of.date_naive());
    let first = match filter.from {
        Some(first) => first,
        None => snapshot.history().await?.first_day.unwrap_or(last),
    };
    if (last - first).num_days() >= most_days {
        let reason = "must be longer for so many days: hour covers 31, day 1100";
        return Err(ApiError::BadParameter { name: "bucket", reason });
    }
    let source = if bucket.1 == Bucket::Hour { Source::Hours } else { source };
    let rows = snapshot.series(source, group, bucket.0, SERIES, metric.1.outcomes()).await?;
    snapshot.close().await?;
    let question = Question { metric, group, bucket, days: (first, last) };
    Ok(timeseries(as_of, &question, &rows))
}
