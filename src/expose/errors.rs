//! What fails, and why.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use telemetry_protocol::Generation;
use telemetry_protocol::exit_code::explain;
use utoipa::ToSchema;

use crate::expose::dashboard::{LENGTH, most, worst};
use crate::expose::execution::{ExecutionView, rfc3339};
use crate::expose::numbers::{Rate, Totals, each_day, percent};
use crate::expose::table::lists;
use crate::store::read::causes::{ExitCodeCount, MostHit, TopCause};
use crate::store::read::counts::{DayCount, ScriptCount};

/// What the answer is made of: all of one moment and one filter.
#[derive(Debug)]
pub struct Counts {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// First and last day of `error_timeline`.
    pub days_shown: (NaiveDate, NaiveDate),
    /// Runs by script, and by type.
    pub scripts: Vec<ScriptCount>,
    /// Runs by day and outcome.
    pub days: Vec<DayCount>,
    /// Bad ends.
    pub exit_codes: Vec<ExitCodeCount>,
    /// Applications hit by each category.
    pub most_hit: Vec<MostHit>,
    /// Causes of failures.
    pub causes: Vec<TopCause>,
    /// The newest failed executions.
    pub recent: Vec<RecentError>,
}

/// Bad ends with an exit code.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ExitCodeStat {
    /// 0 to 255; `null` where none was told.
    pub exit_code: Option<i16>,
    /// Runs.
    pub count: i64,
    /// What it means.
    pub description: String,
    /// The kind of cause.
    pub category: String,
    /// Share of all bad ends, 0 to 100.
    pub percentage: f64,
}

/// Bad ends of a category.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CategoryStat {
    /// The kind of cause.
    pub category: String,
    /// Runs.
    pub count: i64,
    /// Share of all bad ends, 0 to 100.
    pub percentage: f64,
    /// The five applications most hit, separated by commas.
    pub top_apps: String,
}

/// How a script fails.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AppErrors {
    /// Application.
    pub app: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Runs.
    pub total_count: i64,
    /// Failed runs.
    pub failed_count: i64,
    /// Aborted runs.
    pub aborted_count: i64,
    /// Failed runs among failed and succeeded ones, 0 to 100.
    pub failure_rate: f64,
    /// The most frequent exit code of its failures; `null` where none was told.
    pub top_exit_code: Option<i16>,
    /// What that code means.
    pub top_error: String,
    /// The kind of that cause.
    pub top_category: String,
}

/// A failed execution.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[allow(missing_docs, reason = "as in ExecutionView")]
pub struct RecentError {
    pub nsapp: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub status: String,
    pub exit_code: Option<i32>,
    pub error: Option<String>,
    pub error_category: Option<&'static str>,
    pub os_type: Option<String>,
    pub os_version: Option<String>,
    #[serde(serialize_with = "rfc3339")]
    pub created: DateTime<Utc>,
}

impl From<ExecutionView> for RecentError {
    fn from(view: ExecutionView) -> Self {
        Self {
            nsapp: view.app,
            kind: view.kind,
            status: view.status.as_str().to_owned(),
            exit_code: view.exit_code,
            error: view.error,
            error_category: view.error_category,
            os_type: view.os_type,
            os_version: view.os_version,
            created: view.first_seen,
        }
    }
}

/// The bad ends of one day's runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorDay {
    /// UTC day of the first event.
    pub date: NaiveDate,
    /// Failed runs.
    pub failed: i64,
    /// Aborted runs.
    pub aborted: i64,
}

/// The answer. Counts are of runs with an app.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the fields are those of the contract")]
pub struct Errors {
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// Failed runs.
    pub total_errors: i64,
    pub total_installs: i64,
    /// Failed runs among failed and succeeded ones, 0 to 100.
    pub overall_fail_rate: f64,
    /// The same, with what it was made from.
    pub failure: Rate,
    /// Failed, blocked and aborted runs.
    pub exit_code_stats: Vec<ExitCodeStat>,
    /// Failed, blocked and aborted runs.
    pub category_stats: Vec<CategoryStat>,
    pub app_errors: Vec<AppErrors>,
    pub recent_errors: Vec<RecentError>,
    /// Runs without an end whose last event is old, or with one that says nothing.
    pub stuck_installing: i64,
    pub error_timeline: Vec<ErrorDay>,
}

lists!(Errors: app_errors, exit_code_stats, category_stats, recent_errors, error_timeline);

/// Puts the answer together.
#[must_use]
pub fn errors(counts: Counts) -> Errors {
    let total = Totals::of(&counts.scripts);
    Errors {
        as_of: counts.as_of,
        total_errors: total.failed,
        total_installs: total.runs,
        overall_fail_rate: percent(total.failed, total.success + total.failed),
        failure: Rate::of(total.failed, total.success + total.failed),
        exit_code_stats: exit_code_stats(&counts.exit_codes),
        category_stats: category_stats(&counts.exit_codes, &counts.most_hit),
        app_errors: app_errors(&counts.scripts, &counts.causes),
        recent_errors: counts.recent,
        stuck_installing: total.unfinished,
        error_timeline: each_day(counts.days_shown, &counts.days, |date, of| ErrorDay {
            date,
            failed: of("failed"),
            aborted: of("aborted"),
        }),
    }
}

/// The code and what it means; -1 stands for none.
fn meaning(code: i16, generation: i16) -> (Option<i16>, String) {
    let generation = u8::try_from(generation).ok().and_then(|number| Generation::try_from(number).ok());
    match code {
        -1 => (None, "No exit code".to_owned()),
        _ => (Some(code), explain(generation.unwrap_or(Generation::NEWEST), code.into()).title.into_owned()),
    }
}

fn exit_code_stats(counts: &[ExitCodeCount]) -> Vec<ExitCodeStat> {
    let all: i64 = counts.iter().map(|row| row.runs).sum();
    // One code means different things in different generations.
    let mut sums = BTreeMap::<_, i64>::new();
    for row in counts {
        let (code, description) = meaning(row.exit_code, row.generation);
        *sums.entry((code, description, row.category.as_str())).or_default() += row.runs;
    }
    let mut stats: Vec<_> = sums
        .into_iter()
        .map(|((exit_code, description, category), count)| ExitCodeStat {
            exit_code,
            count,
            description,
            category: category.to_owned(),
            percentage: percent(count, all),
        })
        .collect();
    stats.sort_by_key(|stat| -stat.count);
    stats.truncate(LENGTH);
    stats
}

fn category_stats(counts: &[ExitCodeCount], most_hit: &[MostHit]) -> Vec<CategoryStat> {
    let all: i64 = counts.iter().map(|row| row.runs).sum();
    let apps = |category: &str| {
        let hit = most_hit.iter().filter(|row| row.category == category);
        hit.map(|row| row.app.as_str()).collect::<Vec<_>>().join(", ")
    };
    most(counts.iter().map(|row| (row.category.as_str(), row.runs)))
        .into_iter()
        .map(|(category, count)| CategoryStat {
            category: category.to_owned(),
            count,
            percentage: percent(count, all),
            top_apps: apps(category),
        })
        .collect()
}

fn app_errors(scripts: &[ScriptCount], causes: &[TopCause]) -> Vec<AppErrors> {
    let cause = |app: &str, kind: &str| causes.iter().find(|row| row.app == app && row.kind == kind);
    worst(scripts)
        .into_iter()
        .map(|(app, row)| {
            let cause = cause(app, &row.kind);
            let (top_exit_code, top_error) =
                cause.map_or((None, String::new()), |cause| meaning(cause.exit_code, cause.generation));
            AppErrors {
                app: app.to_owned(),
                kind: row.kind.clone(),
                total_count: row.runs,
                failed_count: row.failed,
                aborted_count: row.aborted,
                failure_rate: percent(row.failed, row.success + row.failed),
                top_exit_code,
                top_error,
                top_category: cause.map_or_else(String::new, |cause| cause.category.clone()),
            }
        })
        .collect()
}
