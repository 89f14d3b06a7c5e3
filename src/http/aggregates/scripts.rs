//! `/api/scripts`: the most frequent scripts and how their runs end.

#![allow(unused_qualifications, reason = "utoipa generates the paths")]

use actix_web::HttpResponse;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{TOP, newest};
use crate::expose::execution_view::ExecutionView;
use crate::expose::scripts::{ScriptOrder, Scripts, ScriptsCounts, scripts, sorted};
use crate::http::error::ApiError;
use crate::http::reply::described::CachedResponses;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::{FilterParameters, ListParameters, set, text};
use crate::state::AppState;
use crate::store::read::records::Choice;
use crate::store::read::snapshot::Snapshot;

/// Scripts listed without `limit`.
const DEFAULT_LENGTH: i64 = TOP;
/// Most scripts listed.
const MAX_LENGTH: i64 = 1_000;

/// The parameters of [`list`] besides the common ones.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ScriptsParameters {
    /// Only scripts whose name contains this text are listed. The totals do not change.
    search: Option<String>,
    /// Most scripts listed, 1 to 1000; default 50.
    limit: Option<String>,
    /// `runs` (default), `failed` or `failure_rate`, highest first, or `app`. Scripts with fewer than ten runs have no
    /// failure rate and are last.
    sort: Option<String>,
}

/// Which scripts are listed.
#[derive(Clone, Debug)]
pub struct Listed {
    /// A part of their names; `None` for all.
    pub search: Option<String>,
    /// Their order.
    pub order: ScriptOrder,
    /// At most so many.
    pub length: i64,
}

impl ScriptsParameters {
    fn check(self) -> Result<Listed, ApiError> {
        let length = set(self.limit).map_or(Ok(DEFAULT_LENGTH), |text| text.parse());
        let length = length.ok().filter(|length| (1..=MAX_LENGTH).contains(length));
        let bad = ApiError::BadParameter { name: "limit", reason: "must be a whole number from 1 to 1000" };
        let order = match set(self.sort).as_deref() {
            None | Some("runs") => ScriptOrder::Runs,
            Some("failed") => ScriptOrder::Failed,
            Some("failure_rate") => ScriptOrder::FailureRate,
            Some("app") => ScriptOrder::App,
            Some(_) => {
                let reason = "must be runs, failed, failure_rate or app";
                return Err(ApiError::BadParameter { name: "sort", reason });
            }
        };
        let search = text("search", self.search)?.map(|text| text.trim().to_lowercase());
        Ok(Listed { search, order, length: length.ok_or(bad)? })
    }
}

/// The most frequent scripts, by outcome
///
/// A script is an application together with its type.
#[utoipa::path(
    get,
    path = "/api/scripts",
    operation_id = "scripts",
    tag = "aggregates",
    security((), ("token" = [])),
    params(FilterParameters, ListParameters, ScriptsParameters),
    responses(
        (status = 200, description = "The most frequent scripts, and the newest runs", body = Scripts),
        CachedResponses,
    )
)]
pub async fn list(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let listed = request.parameters::<ScriptsParameters>()?.check()?;
    let read = async |state: &AppState, snapshot: &mut Snapshot<'_>| read(state, snapshot, &listed).await;
    request.answer(&request.filter()?, &listed, read).await
}

/// Reads the scripts.
///
/// # Errors
/// Any error from the database.
pub async fn read(
    state: &AppState,
    snapshot: &mut Snapshot<'_>,
    listed: &Listed,
) -> Result<Scripts, ApiError> {
    let as_of = snapshot.as_of().await?;
    let running_since = state.running_since(as_of);
    // The database knows the scripts with the most runs and the most failures.
    let is_ranked = matches!(listed.order, ScriptOrder::Runs | ScriptOrder::Failed);
    let counted_length = if is_ranked { listed.length } else { MAX_LENGTH };
    let counted = snapshot.scripts_named(running_since, counted_length, listed.search.as_deref()).await?;
    // At most MAX_LENGTH: fits.
    let first = (listed.order, listed.length as usize);
    let (apps, kinds): (Vec<_>, Vec<_>) =
        sorted(&counted, first).into_iter().map(|(app, row)| (app, row.kind.as_str())).unzip();
    let first_days = snapshot.first_days(&apps, &kinds).await?;
    let recent = newest(snapshot, &Choice::all(running_since)).await?;
    Ok(scripts(ScriptsCounts {
        as_of,
        period: (snapshot.filter.from, snapshot.filter.to.unwrap_or(as_of.date_naive())),
        listed: first,
        first_days,
        recent: recent.iter().map(|run| ExecutionView::of(run, running_since).into()).collect(),
        scripts: counted,
    }))
}
