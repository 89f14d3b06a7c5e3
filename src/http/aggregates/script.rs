//! `/api/scripts/{app}`: everything about one script.

use actix_web::{HttpResponse, web};

use super::{RECENT, days_shown, previous};
use crate::expose::execution_view::ExecutionView;
use crate::expose::one_script::{ScriptCounts, ScriptView, script};
use crate::expose::sessions::SessionTotals;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::reply::described::CachedResponses;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::{FilterParameters, ListParameters};
use crate::state::AppState;
use crate::store::read::snapshot::Snapshot;

/// Signatures named with a script.
const SIGNATURES: i64 = 20;

/// One script: totals, days, platforms, sizes, versions, exit codes, signatures and durations
#[utoipa::path(
    get,
    path = "/api/scripts/{app}",
    operation_id = "script",
    tag = "aggregates",
    security((), ("token" = [])),
    params(("app" = String, Path, description = "Name of the script"), FilterParameters, ListParameters),
    responses(
        (status = 200, description = "The script", body = ScriptView),
        (status = 404, description = "No run of this script is known", body = ErrorBody),
        CachedResponses,
    )
)]
pub async fn show(app: web::Path<String>, request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let (app, filter) = (name(&app)?, request.filter()?);
    request.answer(&filter, &app, async |state, snapshot| read(state, snapshot, &app).await).await
}

/// The name of a script in a path.
///
/// # Errors
/// [`ApiError::UnknownRun`] for a text that cannot be a name.
pub fn name(app: &str) -> Result<String, ApiError> {
    let app = app.to_lowercase();
    if app.is_empty() || app.contains('\0') { Err(ApiError::UnknownRun) } else { Ok(app) }
}

/// Reads one script.
///
/// # Errors
/// [`ApiError::UnknownRun`], or any error from the database.
pub async fn read(state: &AppState, snapshot: &mut Snapshot<'_>, app: &str) -> Result<ScriptView, ApiError> {
    let as_of = snapshot.as_of().await?;
    if !snapshot.script_exists(app).await? {
        return Err(ApiError::UnknownRun);
    }
    let running_since = state.running_since(as_of);
    let days = snapshot.script_days(app, running_since).await?;
    let recent = match days.last() {
        Some(last) => snapshot.recent_of_day(last.day, RECENT, Some(app), None).await?,
        None => Vec::new(),
    };
    let previous = match previous(&snapshot.filter, as_of) {
        Some(days) => Some((days, snapshot.script_days_of(days, app, running_since).await?)),
        None => None,
    };
    let days_shown = days_shown(&snapshot.filter, as_of, days.first().map(|row| row.day));
    let last = days.last().map_or(days_shown.1, |row| row.day);
    let view = |run| ExecutionView::of(run, running_since);
    Ok(script(ScriptCounts {
        as_of,
        days_shown,
        previous,
        days,
        platforms: snapshot.script_platforms(app).await?,
        distributions: snapshot.script_distributions(app, last).await?,
        exit_codes: snapshot.script_exit_codes(app).await?,
        signatures: snapshot.script_signatures(app, SIGNATURES).await?,
        durations: snapshot.script_durations(app).await?,
        sessions: SessionTotals::of(&snapshot.sessions(Some(app)).await?),
        recent: recent.iter().map(view).collect(),
        app: app.to_owned(),
    }))
}
