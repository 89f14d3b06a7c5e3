//! `/runs` and `/runs/{key}`.
//!
//! The key of a run in an address is the keyed hash under which it is stored. It cannot be turned back into the id, and
//! neither reports on the run nor erases it.

use actix_web::{HttpResponse, web};
use uuid::Uuid;

use crate::expose::execution_view::ExecutionView;
use crate::http::error::ApiError;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::text;
use crate::http::runs::list::{Page, RecordParameters, page, with_found_apps};
use crate::page::runs::list::{PARAMETERS, Runs, runs};
use crate::page::runs::one::{OneRun, one_run};
use crate::state::AppState;
use crate::store::read::snapshot::Snapshot;

/// Runs on a page.
const LENGTH: i64 = 40;

/// The list.
///
/// # Errors
/// [`ApiError::BadParameter`], or any error from the database.
pub async fn list(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let filter = request.filter()?;
    let parameters = RecordParameters { limit: None, ..request.parameters()? };
    let paging = parameters.paging(LENGTH, LENGTH)?;
    let choice = parameters.choice(&request.state)?;
    let search = text("search", parameters.search)?;
    let key = (paging.clone(), choice.clone(), search.clone());
    let read = async |_: &AppState, snapshot: &mut Snapshot<'_>| {
        let as_of = snapshot.as_of().await?;
        let choice = with_found_apps(snapshot, choice, search.as_deref()).await?;
        let Page { total, records, next } = page(snapshot, &choice, &paging).await?;
        let show = |run: &_| ExecutionView::of(run, choice.running_since);
        Ok(Runs {
            as_of,
            runs: records.iter().map(|run| (run.execution.key.0, show(run))).collect(),
            total: total.runs,
            total_is_exact: total.is_exact(),
            is_first: paging.page == Some(1),
            next,
        })
    };
    request.page(&PARAMETERS, &filter, key, read, runs).await
}

/// One run.
///
/// # Errors
/// [`ApiError::UnknownRun`], or any error from the database.
pub async fn show(key: web::Path<String>, request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let key = Uuid::try_parse(&key).map_err(|_| ApiError::UnknownRun)?;
    let read = async |state: &AppState, snapshot: &mut Snapshot<'_>| {
        let as_of = snapshot.as_of().await?;
        let run = snapshot.record(key).await?.ok_or(ApiError::UnknownRun)?;
        Ok(OneRun { as_of, run: ExecutionView::of(&run, state.running_since(as_of)) })
    };
    request.page(&[], &request.filter()?, key, read, one_run).await
}
