//! Which scripts are run, and how they end.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::dashboard::LENGTH;
use crate::expose::execution::{ExecutionView, rfc3339};
use crate::expose::numbers::{Rate, Totals, percent, ratio};
use crate::expose::table::lists;
use crate::store::read::counts::{FirstDay, ScriptCount};

/// What the answer is made of: all of one moment and one filter.
#[derive(Debug)]
pub struct Counts {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// First day of the period, if it has one, and its last.
    pub period: (Option<NaiveDate>, NaiveDate),
    /// Runs by script, and by type.
    pub scripts: Vec<ScriptCount>,
    /// When each script was first run.
    pub first_days: Vec<FirstDay>,
    /// The newest executions.
    pub recent: Vec<RecentScript>,
}

/// How often a script is run.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TopScript {
    /// Application.
    pub app: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Runs.
    pub total: i64,
    /// Succeeded runs.
    pub success: i64,
    /// Failed runs.
    pub failed: i64,
    /// Aborted runs.
    pub aborted: i64,
    /// Runs without an end whose last event is recent.
    pub installing: i64,
    /// 0 to 100, over succeeded and failed runs.
    pub success_rate: f64,
    /// Days from its first run, of all time, to the end of the period, that day included.
    pub days_old: i64,
    /// Runs on each day of the period from its first run on.
    pub installs_per_day: f64,
    /// Runs that refused to begin.
    pub blocked: i64,
    /// Runs without an end whose last event is old, or with one that says nothing.
    pub unfinished: i64,
    /// Failed among failed and succeeded runs.
    pub failure: Rate,
}

/// An execution.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[allow(missing_docs, reason = "as in ExecutionView")]
pub struct RecentScript {
    pub app: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub status: String,
    pub exit_code: Option<i32>,
    pub os_type: Option<String>,
    pub os_version: Option<String>,
    pub pve_version: Option<String>,
    #[serde(serialize_with = "rfc3339")]
    pub created: DateTime<Utc>,
    pub method: Option<String>,
}

impl From<ExecutionView> for RecentScript {
    fn from(view: ExecutionView) -> Self {
        Self {
            app: view.app,
            kind: view.kind,
            status: view.status.as_str().to_owned(),
            exit_code: view.exit_code,
            os_type: view.os_type,
            os_version: view.os_version,
            pve_version: view.pve_version,
            created: view.first_seen,
            method: view.method,
        }
    }
}

/// The answer. A script is an application and its type.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the fields are those of the contract")]
pub struct Scripts {
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    pub total_scripts: i64,
    pub total_installs: i64,
    pub top_scripts: Vec<TopScript>,
    pub recent_scripts: Vec<RecentScript>,
}

lists!(Scripts: top_scripts, recent_scripts);

/// The scripts that are run most, with their counts.
#[must_use]
pub fn busiest(scripts: &[ScriptCount]) -> Vec<(&str, &ScriptCount)> {
    let mut busiest: Vec<_> = scripts.iter().filter_map(|row| Some((row.app.as_deref()?, row))).collect();
    busiest.sort_by_key(|(app, row)| (-row.runs, *app, row.kind.as_str()));
    busiest.truncate(LENGTH);
    busiest
}

/// Puts the answer together.
#[must_use]
pub fn scripts(counts: Counts) -> Scripts {
    let total = Totals::of(&counts.scripts);
    let (from, to) = counts.period;
    let first_day = |app: &str, kind: &str| {
        counts.first_days.iter().find(|first| first.app == app && first.kind == kind).map(|first| first.day)
    };
    let days_since = |day: NaiveDate| (to - day).num_days().max(0) + 1;
    let top_scripts = busiest(&counts.scripts).into_iter().map(|(app, row)| {
        let first = first_day(app, &row.kind).unwrap_or(to);
        TopScript {
            app: app.to_owned(),
            kind: row.kind.clone(),
            total: row.runs,
            success: row.success,
            failed: row.failed,
            aborted: row.aborted,
            installing: row.running,
            success_rate: percent(row.success, row.success + row.failed),
            days_old: days_since(first),
            installs_per_day: ratio(row.runs, days_since(first.max(from.unwrap_or(first)))),
            blocked: row.blocked,
            unfinished: row.unfinished(),
            failure: Rate::of(row.failed, row.success + row.failed),
        }
    });
    Scripts {
        as_of: counts.as_of,
        total_scripts: total.scripts,
        total_installs: total.runs,
        top_scripts: top_scripts.collect(),
        recent_scripts: counts.recent,
    }
}
