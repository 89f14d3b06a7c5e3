//! What fails, what is run, and from where.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::expose::dashboard::worst;
use crate::expose::errors::{self, Errors, errors};
use crate::expose::execution::ExecutionView;
use crate::expose::legacy::RepoSlugs;
use crate::expose::scripts::{self, Scripts, busiest, scripts};
use crate::http::answer::{give, lasts, today, whole_or_list};
use crate::http::dashboard::{RECENT, TOP};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::parameters::{FilterParameters, ListParameters};
use crate::state::AppState;
use crate::store::read::filter::Filter;
use crate::store::read::records::{Choice, Order, Start};
use crate::store::read::snapshot::Snapshot;

/// Repositories in their list.
const REPOSITORIES: i64 = 1_000;

/// What fails and why: by exit code, category, script and day, and the newest failures.
///
/// # Errors
/// [`ApiError::BadParameter`], [`ApiError::DatabaseUnavailable`].
#[utoipa::path(
    get,
    path = "/api/errors",
    tag = "aggregates",
    params(FilterParameters, ListParameters),
    responses(
        (status = 200, description = "Failures; blocked and aborted runs are not among `total_errors`", body = Errors),
        (status = 304, description = "The answer is the one named by If-None-Match"),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn errors_of(
    request: HttpRequest,
    filter: web::Query<FilterParameters>,
    list: web::Query<ListParameters>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let filter = filter.into_inner().check(today())?;
    let list = list.check::<Errors>()?;
    give(&request, &state, (filter, list), async |state, (filter, list)| {
        whole_or_list(&read_errors(&state, &filter).await?, list, lasts(&state, &filter))
    })
    .await
}

async fn read_errors(state: &AppState, filter: &Filter) -> Result<Errors, ApiError> {
    let mut snapshot = Snapshot::open(&state.readers, filter).await?;
    let as_of = snapshot.as_of().await?;
    let running_since = state.running_since(as_of);
    let choice = Choice { outcome: Some("failed"), ..Choice::all(running_since) };
    let of_scripts = async |half: &mut Snapshot<'_>| {
        let scripts = half.scripts(running_since, TOP).await?;
        let failing: Vec<_> = worst(&scripts).into_iter().map(|(app, _)| app.to_owned()).collect();
        let causes = half.causes(&failing).await?;
        Ok((scripts, causes))
    };
    let of_others = async |half: &mut Snapshot<'_>| {
        let most_hit = half.most_hit().await?;
        let total = half.total(&choice).await?;
        let recent = half.records(&choice, Order::Newest, &Start::Offset(0), RECENT, Some(&total)).await?;
        Ok((most_hit, recent, half.days().await?, half.exit_codes().await?))
    };
    let ((scripts, causes), (most_hit, recent, days, exit_codes)) =
        snapshot.both(of_scripts, of_others).await?;
    let last = filter.to.unwrap_or(as_of.date_naive());
    let first = filter.from.or(days.first().map(|count| count.day)).unwrap_or(last);
    let counts = errors::Counts {
        as_of,
        days_shown: (first, last),
        days,
        exit_codes,
        most_hit,
        causes,
        recent: recent.iter().map(|run| ExecutionView::of(run, running_since).into()).collect(),
        scripts,
    };
    snapshot.close().await?;
    Ok(errors(counts))
}

/// Which scripts are run, and how they end. A script is an application and its type.
///
/// # Errors
/// [`ApiError::BadParameter`], [`ApiError::DatabaseUnavailable`].
#[utoipa::path(
    get,
    path = "/api/scripts",
    tag = "aggregates",
    params(FilterParameters, ListParameters),
    responses(
        (status = 200, description = "The scripts that are run most, and the newest runs", body = Scripts),
        (status = 304, description = "The answer is the one named by If-None-Match"),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn scripts_of(
    request: HttpRequest,
    filter: web::Query<FilterParameters>,
    list: web::Query<ListParameters>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let filter = filter.into_inner().check(today())?;
    let list = list.check::<Scripts>()?;
    give(&request, &state, (filter, list), async |state, (filter, list)| {
        whole_or_list(&read_scripts(&state, &filter).await?, list, lasts(&state, &filter))
    })
    .await
}

async fn read_scripts(state: &AppState, filter: &Filter) -> Result<Scripts, ApiError> {
    let mut snapshot = Snapshot::open(&state.readers, filter).await?;
    let as_of = snapshot.as_of().await?;
    let running_since = state.running_since(as_of);
    let counted = snapshot.scripts(running_since, TOP).await?;
    let (apps, kinds): (Vec<_>, Vec<_>) =
        busiest(&counted).into_iter().map(|(app, row)| (app, row.kind.as_str())).unzip();
    let first_days = snapshot.first_days(&apps, &kinds).await?;
    let choice = Choice::all(running_since);
    let total = snapshot.total(&choice).await?;
    let recent = snapshot.records(&choice, Order::Newest, &Start::Offset(0), RECENT, Some(&total)).await?;
    let counts = scripts::Counts {
        as_of,
        period: (filter.from, filter.to.unwrap_or(as_of.date_naive())),
        first_days,
        recent: recent.iter().map(|run| ExecutionView::of(run, running_since).into()).collect(),
        scripts: counted,
    };
    snapshot.close().await?;
    Ok(scripts(counts))
}

/// The repositories from which scripts are run.
///
/// # Errors
/// [`ApiError::BadParameter`], [`ApiError::DatabaseUnavailable`].
#[utoipa::path(
    get,
    path = "/api/repo-slugs",
    tag = "aggregates",
    params(FilterParameters, ListParameters),
    responses(
        (status = 200, description = "Runs by repository", body = RepoSlugs),
        (status = 304, description = "The answer is the one named by If-None-Match"),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn repo_slugs(
    request: HttpRequest,
    filter: web::Query<FilterParameters>,
    list: web::Query<ListParameters>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let filter = filter.into_inner().check(today())?;
    let list = list.check::<RepoSlugs>()?;
    give(&request, &state, (filter, list), async |state, (filter, list)| {
        let mut snapshot = Snapshot::open(&state.readers, &filter).await?;
        let as_of = snapshot.as_of().await?;
        let slugs = snapshot.slugs(REPOSITORIES).await?;
        snapshot.close().await?;
        whole_or_list(&RepoSlugs::of(as_of, slugs), list, lasts(&state, &filter))
    })
    .await
}
