//! `/api/signatures`: failures grouped by their failing line.

#![allow(unused_qualifications, reason = "utoipa generates the paths")]

use actix_web::{HttpResponse, web};
use chrono::NaiveDate;
use serde::Deserialize;
use utoipa::IntoParams;

use super::RECENT;
use crate::expose::execution_view::ExecutionView;
use crate::expose::numbers::parse_hexadecimal;
use crate::expose::signatures::{OneSignature, Signatures, signature, signatures};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::reply::described::CachedResponses;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::{FilterParameters, ListParameters, date, set};
use crate::state::AppState;
use crate::store::read::signatures::FAILED;
use crate::store::read::snapshot::Snapshot;

/// Default length of the list.
const DEFAULT_LIMIT: i64 = 50;
/// Largest length of the list.
const MAX_LIMIT: i64 = 200;
/// Scripts named with each signature of the list.
const SCRIPTS_IN_LIST: i32 = 5;
/// Scripts named with a single signature.
const SCRIPTS_OF_ONE: i32 = 100;

/// The parameters of [`list`] besides the common ones.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SignatureParameters {
    /// Only signatures whose first failure is on this UTC day or later.
    new_since: Option<String>,
    /// Length of the list, 1 to 200; default 50.
    limit: Option<String>,
}

impl SignatureParameters {
    fn check(self) -> Result<(Option<NaiveDate>, i64), ApiError> {
        let limit = set(self.limit).map_or(Ok(DEFAULT_LIMIT), |text| text.parse());
        let bad = ApiError::BadParameter { name: "limit", reason: "must be a whole number from 1 to 200" };
        let limit = limit.ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or(bad)?;
        Ok((date("new_since", set(self.new_since))?, limit))
    }
}

/// Failures grouped by their failing line
///
/// A signature stands for a failing line whose variable parts are masked. Most frequent first.
#[utoipa::path(
    get,
    path = "/api/signatures",
    operation_id = "signatures",
    tag = "aggregates",
    security((), ("token" = [])),
    params(FilterParameters, ListParameters, SignatureParameters),
    responses((status = 200, description = "Signatures, most frequent first", body = Signatures), CachedResponses)
)]
pub async fn list(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let (new_since, limit) = request.parameters::<SignatureParameters>()?.check()?;
    let today = request.today;
    let read = async |_: &_, snapshot: &mut Snapshot<'_>| {
        let as_of = snapshot.as_of().await?;
        let counts = snapshot.signatures(FAILED, new_since, limit).await?;
        let ids: Vec<_> = counts.iter().map(|row| row.signature).collect();
        let scripts = snapshot.signature_scripts(FAILED, &ids, SCRIPTS_IN_LIST, new_since).await?;
        let weeks = snapshot.signature_weeks(today, &ids).await?;
        let outcomes = snapshot.outcomes().await?;
        let failed = outcomes.iter().filter(|row| row.outcome == "failed").map(|row| row.runs).sum();
        Ok::<Signatures, ApiError>(signatures(as_of, failed, counts, scripts, &weeks))
    };
    request.answer(&request.filter()?, (new_since, limit), read).await
}

/// One signature: days, scripts and some recent runs
#[utoipa::path(
    get,
    path = "/api/signatures/{id}",
    operation_id = "signature",
    tag = "aggregates",
    security((), ("token" = [])),
    params(("id" = String, Path, description = "16 hexadecimal digits"), FilterParameters, ListParameters),
    responses(
        (status = 200, description = "The signature", body = OneSignature),
        (status = 404, description = "The signature is not known", body = ErrorBody),
        CachedResponses,
    )
)]
pub async fn show(id: web::Path<String>, request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let bad = ApiError::BadParameter { name: "id", reason: "must be 16 hexadecimal digits" };
    let id = parse_hexadecimal(&id).ok_or(bad)?;
    request.answer(&request.filter()?, id, async |state, snapshot| read(state, snapshot, id).await).await
}

async fn read(state: &AppState, snapshot: &mut Snapshot<'_>, id: i64) -> Result<OneSignature, ApiError> {
    let as_of = snapshot.as_of().await?;
    let known = snapshot.known_signature(id).await?.ok_or(ApiError::UnknownSignature)?;
    let scripts = snapshot.signature_scripts(FAILED, &[id], SCRIPTS_OF_ONE, None).await?;
    let days = snapshot.signature_days(id).await?;
    let recent = match days.last() {
        Some(last) => snapshot.recent_of_day(last.day, RECENT, None, Some(id)).await?,
        None => Vec::new(),
    };
    let running_since = state.running_since(as_of);
    let recent = recent.iter().map(|run| ExecutionView::of(run, running_since));
    Ok(signature(as_of, id, known, scripts, days, recent.collect()))
}
