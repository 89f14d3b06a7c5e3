//! `/api/signatures`: failures grouped by their reason.

#![allow(unused_qualifications, reason = "utoipa generates the paths")]

use actix_web::{HttpResponse, web};
use chrono::NaiveDate;
use serde::Deserialize;
use utoipa::IntoParams;

use super::RECENT;
use crate::expose::execution_view::ExecutionView;
use crate::expose::signatures::{
    OneSignature, OneSignatureCounts, SignatureCounts, Signatures, signature, signatures,
};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::reply::described::CachedResponses;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::{FilterParameters, ListParameters, date, set};
use crate::http::request::reasons::{blame, category, reason_id, signature_id};
use crate::state::AppState;
use crate::store::read::signatures::{BLOCKED, FAILED, Listed, SignatureChoice, SignatureOrder};
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
    /// Outcome of the runs that are counted: `failed` (default) or `blocked`.
    outcome: Option<String>,
    /// Only signatures whose first failure is on this UTC day or later.
    new_since: Option<String>,
    /// Id of a reason, as in `/api/reasons`.
    reason: Option<String>,
    /// Category of the reason, such as `dns`.
    category: Option<String>,
    /// The side that has to act: `script`, `upstream`, `host`, `user` or `unknown`.
    blame: Option<String>,
    /// `open`, `known`, `resolved`, `ignored`, `regressed` or `all`. By default all but `ignored`.
    state: Option<String>,
    /// `priority` (default), `count` (most failed runs first) or `created` (newest first).
    sort: Option<String>,
    /// Length of the list, 1 to 200; default 50.
    limit: Option<String>,
}

impl SignatureParameters {
    /// Checks the parameters: the choice, and the length of the list.
    ///
    /// # Errors
    /// [`ApiError::BadParameter`].
    pub fn check(self, today: NaiveDate) -> Result<(SignatureChoice, i64), ApiError> {
        let limit = set(self.limit).map_or(Ok(DEFAULT_LIMIT), |text| text.parse());
        let bad = ApiError::BadParameter { name: "limit", reason: "must be a whole number from 1 to 200" };
        let limit = limit.ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or(bad)?;
        let state = set(self.state).map(|word| state(&word)).transpose()?;
        let order = match set(self.sort).as_deref() {
            None | Some("priority") => SignatureOrder::Priority,
            Some("count") => SignatureOrder::Count,
            Some("created") => SignatureOrder::Created,
            Some(_) => {
                let reason = "must be priority, count or created";
                return Err(ApiError::BadParameter { name: "sort", reason });
            }
        };
        let outcomes = match set(self.outcome).as_deref() {
            None | Some("failed") => FAILED,
            Some("blocked") => BLOCKED,
            Some(_) => {
                return Err(ApiError::BadParameter { name: "outcome", reason: "must be failed or blocked" });
            }
        };
        let choice = SignatureChoice {
            new_since: date("new_since", set(self.new_since))?,
            reason: set(self.reason).map(|id| reason_id(&id)).transpose()?,
            category: set(self.category).map(|word| category(&word)).transpose()?,
            blame: set(self.blame).map(|word| blame(&word)).transpose()?,
            with_ignored: state.is_some(),
            state: state.flatten(),
            order,
            today,
            ..SignatureChoice::of(outcomes)
        };
        Ok((choice, limit))
    }
}

/// The state with this name; `None` for all.
fn state(word: &str) -> Result<Option<&'static str>, ApiError> {
    if word == "all" {
        return Ok(None);
    }
    let states = ["open", "known", "resolved", "ignored", "regressed"];
    let reason = "must be open, known, resolved, ignored, regressed or all";
    let state = states.into_iter().find(|state| *state == word);
    state.map(Some).ok_or(ApiError::BadParameter { name: "state", reason })
}

/// Failures grouped by their reason
///
/// A signature stands for failures with one reason: a rule and the subject that it finds in the failing line, or the
/// line with its variable parts masked. The list answers what should be fixed first. A signature's priority is its
/// failed runs of the last 28 days of the period, times the square root of the number of scripts that they hit. A run
/// of the last 7 days counts 8, of the 7 days before 4, then 2 and 1. Resolved signatures come behind all others, and
/// ignored ones are not listed. `sort=count` lists the most frequent first.
#[utoipa::path(
    get,
    path = "/api/signatures",
    operation_id = "signatures",
    tag = "aggregates",
    security((), ("token" = [])),
    params(FilterParameters, ListParameters, SignatureParameters),
    responses((status = 200, description = "Signatures", body = Signatures), CachedResponses)
)]
pub async fn list(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let today = request.today;
    let (choice, limit) = request.parameters::<SignatureParameters>()?.check(today)?;
    let read = async |_: &_, snapshot: &mut Snapshot<'_>| read_list(snapshot, &choice, limit).await;
    request.answer(&request.filter()?, (&choice, limit), read).await
}

/// Reads the first `limit` signatures of a choice.
///
/// # Errors
/// Any error from the database.
pub async fn read_list(
    snapshot: &mut Snapshot<'_>,
    choice: &SignatureChoice,
    limit: i64,
) -> Result<Signatures, ApiError> {
    let counts = read_counts(snapshot, choice, limit).await?;
    let runs = snapshot.signature_runs(choice.outcomes, &Listed::of(&counts.rows)).await?;
    Ok(signatures(SignatureCounts { runs, ..counts }))
}

/// Like [`read_list`], without exit codes and sessions, which are counted from the stored runs.
///
/// # Errors
/// Any error from the database.
pub async fn read_short_list(
    snapshot: &mut Snapshot<'_>,
    choice: &SignatureChoice,
    limit: i64,
) -> Result<Signatures, ApiError> {
    Ok(signatures(read_counts(snapshot, choice, limit).await?))
}

async fn read_counts(
    snapshot: &mut Snapshot<'_>,
    choice: &SignatureChoice,
    limit: i64,
) -> Result<SignatureCounts, ApiError> {
    let as_of = snapshot.as_of().await?;
    let rows = snapshot.signatures(choice, limit).await?;
    let outcomes = snapshot.outcomes().await?;
    let of_choice = outcomes.iter().filter(|row| choice.outcomes.contains(&row.outcome.as_str()));
    let failed = of_choice.map(|row| row.runs).sum();
    if rows.is_empty() {
        return Ok(SignatureCounts { as_of, failed, ..SignatureCounts::default() });
    }
    let listed = Listed::of(&rows);
    Ok(SignatureCounts {
        as_of,
        failed,
        scripts: snapshot.signature_scripts(choice.outcomes, &listed, SCRIPTS_IN_LIST).await?,
        weeks: snapshot.signature_weeks(choice.today, &listed).await?,
        days: snapshot.signature_days(choice.outcomes, &listed).await?,
        runs: Vec::new(),
        rows,
    })
}

/// One signature: reason, state, days, scripts, where its failures differ, and some recent runs
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
    let id = signature_id("id", &id)?;
    request.answer(&request.filter()?, id, async |state, snapshot| read(state, snapshot, id).await).await
}

/// Reads one signature.
///
/// # Errors
/// [`ApiError::UnknownSignature`], or any error from the database.
pub async fn read(state: &AppState, snapshot: &mut Snapshot<'_>, id: i64) -> Result<OneSignature, ApiError> {
    let as_of = snapshot.as_of().await?;
    let known = snapshot.known_signature(id).await?.ok_or(ApiError::UnknownSignature)?;
    let listed = Listed::one(id);
    let days = snapshot.signature_days(FAILED, &listed).await?;
    let (mut recent, mut differences) = (Vec::new(), None);
    if let Some(last) = days.last() {
        recent = snapshot.recent_of_day(last.day, RECENT, None, Some(id)).await?;
        differences = Some(snapshot.differences(id, last.day).await?);
    }
    let running_since = state.running_since(as_of);
    Ok(signature(OneSignatureCounts {
        as_of,
        id,
        known,
        scripts: snapshot.signature_scripts(FAILED, &listed, SCRIPTS_OF_ONE).await?,
        days,
        runs: snapshot.signature_runs(FAILED, &listed).await?,
        differences,
        recent: recent.iter().map(|run| ExecutionView::of(run, running_since)).collect(),
    }))
}
