//! `/reasons`, `/exit-codes` and their entries.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use telemetry_protocol::Generation;
use telemetry_protocol::reason::rule;

use crate::expose::exit_codes::one;
use crate::http::aggregates::{days_shown, exit_code, reasons};
use crate::http::error::ApiError;
use crate::http::reply::read_request::ReadRequest;
use crate::page::catalogue::exit_codes::{ExitCodes, exit_codes};
use crate::page::catalogue::one_exit_code::{ExitCodePage, one_exit_code};
use crate::page::catalogue::one_reason::{ReasonPage, one_reason};
use crate::page::catalogue::reasons::{PARAMETERS, Reasons, reasons as reasons_page};
use crate::state::AppState;
use crate::store::read::snapshot::Snapshot;

/// The catalogue of reasons.
///
/// # Errors
/// [`ApiError::BadParameter`], or any error from the database.
pub async fn list_reasons(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let read = async |_: &AppState, snapshot: &mut Snapshot<'_>| {
        let as_of = snapshot.as_of().await?;
        let counts = snapshot.reason_counts().await?;
        let runs = counts.into_iter().filter_map(|row| Some((row.reason?, row.runs)));
        Ok(Reasons { as_of, reasons: crate::expose::reasons::reasons(as_of).reasons, runs: runs.collect() })
    };
    request.page(&PARAMETERS, &request.filter()?, (), read, reasons_page).await
}

/// One reason.
///
/// # Errors
/// [`ApiError::UnknownReason`], [`ApiError::BadParameter`], or any error from the database.
pub async fn show_reason(id: web::Path<String>, request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let rule = rule(&id).ok_or(ApiError::UnknownReason)?;
    let read = async |_: &AppState, snapshot: &mut Snapshot<'_>| {
        let reason = reasons::read(snapshot, rule).await?;
        let first = reason.days.first().map(|day| day.date);
        Ok(ReasonPage { days: days_shown(&snapshot.filter, reason.as_of, first), reason })
    };
    request.page(&[], &request.filter()?, rule.id, read, one_reason).await
}

/// The catalogue of exit codes.
///
/// # Errors
/// [`ApiError::BadParameter`], or any error from the database.
pub async fn list_exit_codes(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let read = async |_: &AppState, snapshot: &mut Snapshot<'_>| {
        let as_of = snapshot.as_of().await?;
        let mut runs = BTreeMap::new();
        for row in snapshot.exit_codes().await? {
            *runs.entry(row.exit_code).or_default() += row.runs;
        }
        Ok(ExitCodes { as_of, runs })
    };
    request.page(&[], &request.filter()?, (), read, exit_codes).await
}

/// One exit code.
///
/// # Errors
/// [`ApiError::NoSuchPath`] for anything but 0 to 255, [`ApiError::BadParameter`], or any error from the database.
pub async fn show_exit_code(code: web::Path<String>, request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let code: u8 = code.parse().map_err(|_| ApiError::NoSuchPath)?;
    let read = async |state: &AppState, snapshot: &mut Snapshot<'_>| {
        let runs = exit_code::read(state, snapshot, code).await?;
        Ok(ExitCodePage { code: one(Generation::NEWEST, code), runs })
    };
    request.page(&[], &request.filter()?, code, read, one_exit_code).await
}
