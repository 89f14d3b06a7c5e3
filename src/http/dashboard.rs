//! The dashboard.

use actix_web::{HttpResponse, web};
use chrono::Utc;

use crate::expose::dashboard::{Counts, dashboard};
use crate::expose::execution::ExecutionView;
use crate::http::error::ApiError;
use crate::http::parameters::FilterParameters;
use crate::state::AppState;
use crate::store::read::Snapshot;

/// Executions in `recent_records`.
const RECENT: i64 = 20;

/// Everything that the overview needs, of one moment.
///
/// # Errors
/// [`ApiError::BadParameter`], [`ApiError::DatabaseUnavailable`].
pub async fn show(
    parameters: web::Query<FilterParameters>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let today = Utc::now().date_naive();
    let filter = parameters.into_inner().check(today)?;
    let mut snapshot = Snapshot::open(&state.read_pool, &filter).await?;
    let as_of = snapshot.as_of().await?;
    let running_since = state.running_since(as_of);
    let history = snapshot.history().await?;
    let last = filter.to.unwrap_or(today);
    let first = filter.from.or(history.first_day).unwrap_or(last);
    let recent = snapshot.recent(RECENT).await?;
    let common = snapshot.common_models(&recent).await?;
    let recent = recent
        .iter()
        .map(|run| ExecutionView::of(run, running_since).without_free_text().without_rare_models(&common));
    let recent = recent.collect();
    let counts = Counts {
        as_of,
        days_shown: (first, last),
        scripts: snapshot.scripts(running_since).await?,
        days: snapshot.days().await?,
        exit_codes: snapshot.exit_codes().await?,
        facets: snapshot.facets(&["os", "method", "pve_version", "gpu"]).await?,
        slugs: snapshot.slugs().await?,
        durations: snapshot.durations().await?,
        recent,
        total_all_time: history.runs,
    };
    snapshot.close().await?;
    Ok(HttpResponse::Ok().json(dashboard(counts)))
}
