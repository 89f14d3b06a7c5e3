//! `/api/exit-codes/{code}/runs`: the failed, blocked and aborted runs with one exit code.

use actix_web::{HttpResponse, web};

use super::days_shown;
use crate::expose::one_exit_code::{OneExitCode, OneExitCodeCounts, one_exit_code};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::exit_codes::parse;
use crate::http::reply::described::CachedResponses;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::{FilterParameters, ListParameters};
use crate::state::AppState;
use crate::store::read::snapshot::Snapshot;

/// Scripts named with an exit code.
const SCRIPTS: i64 = 100;

/// The failed, blocked and aborted runs with one exit code, by script and day
#[utoipa::path(
    get,
    path = "/api/exit-codes/{code}/runs",
    operation_id = "exit_code_runs",
    tag = "aggregates",
    security((), ("token" = [])),
    params(("code" = u8, Path, description = "0 to 255"), FilterParameters, ListParameters),
    responses(
        (status = 200, description = "The runs", body = OneExitCode),
        (status = 404, description = "The path has no code", body = ErrorBody),
        CachedResponses,
    )
)]
pub async fn show(code: web::Path<String>, request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let code = parse(&code)?;
    let read = async |state: &AppState, snapshot: &mut Snapshot<'_>| read(state, snapshot, code).await;
    request.answer(&request.filter()?, code, read).await
}

/// Reads the runs with an exit code.
///
/// # Errors
/// Any error from the database.
pub async fn read(_: &AppState, snapshot: &mut Snapshot<'_>, code: u8) -> Result<OneExitCode, ApiError> {
    let as_of = snapshot.as_of().await?;
    let days = snapshot.exit_code_days(code).await?;
    Ok(one_exit_code(OneExitCodeCounts {
        as_of,
        code,
        days_shown: days_shown(&snapshot.filter, as_of, days.first().map(|row| row.day)),
        days,
        scripts: snapshot.exit_code_scripts(code, SCRIPTS).await?,
        outcomes: snapshot.outcomes().await?,
    }))
}
