//! The dashboard.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::expose::dashboard::{Counts, Dashboard, LENGTH, dashboard};
use crate::expose::records::Record;
use crate::http::answer::{give, lasts, today, whole_or_list};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::parameters::{FilterParameters, ListParameters};
use crate::state::AppState;
use crate::store::read::filter::Filter;
use crate::store::read::records::{Choice, Order, Start};
use crate::store::read::signatures::FAILED_OR_BLOCKED;
use crate::store::read::snapshot::Snapshot;

/// Executions in lists of the newest ones.
pub const RECENT: i64 = 20;
/// Length of the other lists.
pub const TOP: i64 = LENGTH as i64;
/// Scripts named with an error.
const SCRIPTS_OF_ERROR: i32 = 10;

/// Everything that the overview needs, of one moment.
///
/// # Errors
/// [`ApiError::BadParameter`], [`ApiError::DatabaseUnavailable`].
#[utoipa::path(
    get,
    path = "/api/dashboard",
    tag = "aggregates",
    params(FilterParameters, ListParameters),
    responses(
        (status = 200, description = "Counts, rates and lists", body = Dashboard),
        (status = 304, description = "The answer is the one named by If-None-Match"),
        (status = 400, description = "A parameter has no meaning", body = ErrorBody),
        (status = 503, description = "The database does not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn show(
    request: HttpRequest,
    filter: web::Query<FilterParameters>,
    list: web::Query<ListParameters>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let filter = filter.into_inner().check(today())?;
    let list = list.check::<Dashboard>()?;
    give(&request, &state, (filter, list), async |state, (filter, list)| {
        whole_or_list(&read(&state, &filter).await?, list, lasts(&state, &filter))
    })
    .await
}

async fn read(state: &AppState, filter: &Filter) -> Result<Dashboard, ApiError> {
    // First, for it takes a connection of its own.
    let models = state.common_models().await?;
    let mut snapshot = Snapshot::open(&state.readers, filter).await?;
    let as_of = snapshot.as_of().await?;
    let running_since = state.running_since(as_of);
    let choice = Choice::all(running_since);
    // About half of the work each.
    let of_failures = async |half: &mut Snapshot<'_>| {
        let signatures = half.signatures(FAILED_OR_BLOCKED, None, TOP, i64::MIN, i64::MAX).await?;
        let ids: Vec<_> = signatures.iter().map(|row| row.signature).collect();
        let scripts = half.signature_scripts(FAILED_OR_BLOCKED, &ids, SCRIPTS_OF_ERROR).await?;
        Ok((signatures, scripts, half.history().await?, half.durations().await?))
    };
    let of_runs = async |half: &mut Snapshot<'_>| {
        let total = half.total(&choice).await?;
        let recent = half.records(&choice, Order::Newest, &Start::Offset(0), RECENT, Some(&total)).await?;
        let scripts = half.scripts(running_since, TOP).await?;
        let facets = half.facets(&["os", "method", "pve_version", "gpu"], TOP).await?;
        let (days, exit_codes) = (half.days().await?, half.exit_codes().await?);
        Ok((recent, scripts, facets, days, exit_codes, half.slugs(TOP).await?))
    };
    let (failures, runs) = snapshot.both(of_failures, of_runs).await?;
    let (signatures, signature_scripts, history, durations) = failures;
    let (recent, scripts, facets, days, exit_codes, slugs) = runs;
    let last = filter.to.unwrap_or(as_of.date_naive());
    let first = filter.from.or(history.first_day).unwrap_or(last);
    let counts = Counts {
        as_of,
        days_shown: (first, last),
        scripts,
        days,
        exit_codes,
        signatures,
        signature_scripts,
        facets,
        slugs,
        durations,
        recent: recent.iter().map(|run| Record::of(run, running_since, &models)).collect(),
        total_all_time: history.runs,
    };
    snapshot.close().await?;
    Ok(dashboard(counts))
}
