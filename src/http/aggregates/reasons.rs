//! `/api/reasons`: the rules that know why a run failed.

use actix_web::{HttpResponse, web};
use telemetry_protocol::reason::{Rule, rule};

use crate::expose::reasons::{OneReason, OneReasonCounts, Reasons, one_reason, reasons};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::reply::described::CachedResponses;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::{FilterParameters, ListParameters};
use crate::store::read::signatures::{FAILED, Listed, SignatureChoice};
use crate::store::read::snapshot::Snapshot;

/// Most signatures of a reason that are counted. A reason has one for each subject.
const MOST_SIGNATURES: i64 = 10_000;
/// Scripts named with a reason.
const SCRIPTS: i32 = 100;

/// All reasons that a rule knows
#[utoipa::path(
    get,
    path = "/api/reasons",
    operation_id = "reasons",
    tag = "catalogue",
    security((), ("token" = [])),
    params(FilterParameters, ListParameters),
    responses((status = 200, description = "The reasons", body = Reasons), CachedResponses)
)]
pub async fn list(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let filter = request.filter()?;
    request.answer(&filter, (), async |_, snapshot| Ok(reasons(snapshot.as_of().await?))).await
}

/// One reason: its failures by subject, script, system, exit code and day
#[utoipa::path(
    get,
    path = "/api/reasons/{id}",
    operation_id = "reason",
    tag = "aggregates",
    security((), ("token" = [])),
    params(("id" = String, Path, description = "Id of a reason, as in /api/reasons"), FilterParameters, ListParameters),
    responses(
        (status = 200, description = "The reason", body = OneReason),
        (status = 404, description = "No rule has this id", body = ErrorBody),
        CachedResponses,
    )
)]
pub async fn show(id: web::Path<String>, request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let rule = rule(&id).ok_or(ApiError::UnknownReason)?;
    request.answer(&request.filter()?, rule.id, async |_, snapshot| read(snapshot, rule).await).await
}

/// Reads the failures with one reason.
///
/// # Errors
/// Any error from the database.
pub async fn read(snapshot: &mut Snapshot<'_>, rule: &'static Rule) -> Result<OneReason, ApiError> {
    let as_of = snapshot.as_of().await?;
    let choice = SignatureChoice { reason: Some(rule.id), ..SignatureChoice::of(FAILED) };
    let signatures = snapshot.signatures(&choice, MOST_SIGNATURES).await?;
    let all = Listed::together(&signatures);
    Ok(one_reason(OneReasonCounts {
        as_of,
        rule,
        scripts: snapshot.signature_scripts(FAILED, &all, SCRIPTS).await?,
        days: snapshot.signature_days(FAILED, &all).await?,
        runs: snapshot.signature_runs(FAILED, &all).await?,
        systems: snapshot.signature_systems(FAILED, &all).await?,
        signatures,
    }))
}
