//! The scripts that run most often, and their outcomes.

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::execution_view::{ExecutionView, rfc3339};
use crate::expose::numbers::{Rate, percent, ratio, total};
use crate::expose::table::lists;
use crate::store::read::counts::{FirstDay, ScriptCount};

/// The counts behind the answer: all of one moment and one filter.
#[derive(Debug)]
pub struct ScriptsCounts {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// First day of the period, if it has one, and last day.
    pub period: (Option<NaiveDate>, NaiveDate),
    /// Runs by script, and by type.
    pub scripts: Vec<ScriptCount>,
    /// Order of the list, and most scripts in it.
    pub listed: (ScriptOrder, usize),
    /// Day of the first run of each script.
    pub first_days: Vec<FirstDay>,
    /// The newest runs.
    pub recent: Vec<RecentScript>,
}

/// The order of a list of scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptOrder {
    /// Most runs first.
    Runs,
    /// Most failed runs first.
    Failed,
    /// Highest failure rate first. Scripts with too few runs for a rate are last.
    FailureRate,
    /// By name.
    App,
}

/// The runs of one script.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TopScript {
    /// Application.
    pub app: String,
    /// Type of the script.
    #[serde(rename = "type")]
    pub kind: String,
    /// Runs.
    pub total: i64,
    /// Successful runs.
    pub success: i64,
    /// Failed runs.
    pub failed: i64,
    /// Aborted runs.
    pub aborted: i64,
    /// Runs without a final status and with a recent event.
    pub installing: i64,
    /// Percentage of successful runs among successful and failed runs.
    pub success_rate: f64,
    /// Days from the first run ever to the end of the period, both included.
    pub days_old: i64,
    /// Mean number of runs per day, over the days of the period since the first run ever.
    pub installs_per_day: f64,
    /// Runs that the state of the host prevented.
    pub blocked: i64,
    /// Runs without a final status or a recent event, and runs that ended with `unknown`.
    pub unfinished: i64,
    /// Failed runs among successful and failed runs.
    pub failure: Rate,
}

/// One run.
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

/// The scripts that run most often. A script is an application and its type.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Scripts {
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    pub total_scripts: i64,
    pub total_installs: i64,
    pub top_scripts: Vec<TopScript>,
    pub recent_scripts: Vec<RecentScript>,
}

lists!(Scripts: top_scripts, recent_scripts);

/// The first scripts in this order, with their counts; `length` at most.
#[must_use]
pub fn sorted(scripts: &[ScriptCount], (order, length): (ScriptOrder, usize)) -> Vec<(&str, &ScriptCount)> {
    let mut sorted: Vec<_> = scripts.iter().filter_map(|row| Some((row.app.as_deref()?, row))).collect();
    let rate = |row: &ScriptCount| Rate::of(row.failed, row.success + row.failed).rate.unwrap_or(-1.0);
    sorted.sort_by(|(app, a), (other, b)| {
        let first = match order {
            ScriptOrder::Runs => b.runs.cmp(&a.runs),
            ScriptOrder::Failed => b.failed.cmp(&a.failed),
            ScriptOrder::FailureRate => rate(b).total_cmp(&rate(a)).then_with(|| b.runs.cmp(&a.runs)),
            ScriptOrder::App => Ordering::Equal,
        };
        first.then_with(|| (app, &a.kind).cmp(&(other, &b.kind)))
    });
    sorted.truncate(length);
    sorted
}

/// Builds the answer.
#[must_use]
pub fn scripts(counts: ScriptsCounts) -> Scripts {
    let total = total(&counts.scripts);
    let (from, to) = counts.period;
    let first_day = |app: &str, kind: &str| {
        counts.first_days.iter().find(|first| first.app == app && first.kind == kind).map(|first| first.day)
    };
    let days_since = |day: NaiveDate| (to - day).num_days().max(0) + 1;
    let top_scripts = sorted(&counts.scripts, counts.listed).into_iter().map(|(app, row)| {
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
