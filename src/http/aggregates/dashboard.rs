//! `/api/dashboard`: everything that an overview shows, of one moment.

use actix_web::HttpResponse;

use super::{TOP, days_shown, newest, previous};
use crate::expose::dashboard::{Dashboard, DashboardCounts, dashboard};
use crate::expose::execution_view::Record;
use crate::expose::numbers::RunCounts;
use crate::http::error::ApiError;
use crate::http::reply::described::CachedResponses;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::{FilterParameters, ListParameters};
use crate::state::AppState;
use crate::store::model::facet::Facet;
use crate::store::read::records::Choice;
use crate::store::read::signatures::{FAILED_OR_BLOCKED, Listed, SignatureChoice};
use crate::store::read::snapshot::Snapshot;

/// Scripts named with an error.
const SCRIPTS_OF_ERROR: i32 = 10;
/// Facets with a list.
const FACETS: [Facet; 8] = [
    Facet::Os,
    Facet::Method,
    Facet::PveVersion,
    Facet::Gpu,
    Facet::Cores,
    Facet::Ram,
    Facet::Disk,
    Facet::Privilege,
];

/// Overview of all runs
///
/// Counts, rates and lists of one moment.
#[utoipa::path(
    get,
    path = "/api/dashboard",
    operation_id = "dashboard",
    tag = "aggregates",
    security((), ("token" = [])),
    params(FilterParameters, ListParameters),
    responses((status = 200, description = "Counts, rates and lists", body = Dashboard), CachedResponses)
)]
pub async fn show(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    request.answer(&request.filter()?, (), read).await
}

/// Reads the dashboard.
///
/// # Errors
/// Any error from the database.
pub async fn read(state: &AppState, snapshot: &mut Snapshot<'_>) -> Result<Dashboard, ApiError> {
    let counts = read_counts(state, snapshot).await?;
    let running_since = state.running_since(counts.runs.as_of);
    let signatures = snapshot.signatures(&SignatureChoice::of(FAILED_OR_BLOCKED), TOP).await?;
    let listed = Listed::of(&signatures);
    let recent = newest(snapshot, &Choice::all(running_since)).await?;
    let exit_codes = snapshot.exit_codes().await?;
    Ok(dashboard(DashboardCounts {
        runs: RunCounts { exit_codes, ..counts.runs },
        signature_scripts: snapshot.signature_scripts(FAILED_OR_BLOCKED, &listed, SCRIPTS_OF_ERROR).await?,
        signatures,
        facets: snapshot.facets(&FACETS.map(Facet::as_str), TOP).await?,
        slugs: snapshot.slugs(TOP).await?,
        durations: snapshot.durations().await?,
        recent: recent.iter().map(|run| Record::of(run, running_since)).collect(),
        ..counts
    }))
}

/// Reads the totals and the scripts of the dashboard. Its other lists stay empty.
///
/// # Errors
/// Any error from the database.
pub async fn read_totals(state: &AppState, snapshot: &mut Snapshot<'_>) -> Result<Dashboard, ApiError> {
    Ok(dashboard(read_counts(state, snapshot).await?))
}

async fn read_counts(state: &AppState, snapshot: &mut Snapshot<'_>) -> Result<DashboardCounts, ApiError> {
    let as_of = snapshot.as_of().await?;
    let history = snapshot.history().await?;
    let previous = match previous(&snapshot.filter, as_of) {
        Some(days) => Some((days, snapshot.outcomes_of(days).await?)),
        None => None,
    };
    Ok(DashboardCounts {
        runs: RunCounts {
            as_of,
            days_shown: days_shown(&snapshot.filter, as_of, history.first_day),
            scripts: snapshot.scripts(state.running_since(as_of), TOP).await?,
            days: snapshot.days().await?,
            exit_codes: Vec::new(),
        },
        signatures: Vec::new(),
        signature_scripts: Vec::new(),
        facets: Vec::new(),
        slugs: Vec::new(),
        durations: Vec::new(),
        recent: Vec::new(),
        previous,
        total_all_time: history.runs,
    })
}
