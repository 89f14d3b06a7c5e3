//! Failed, blocked and aborted runs by exit code, category and script.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use telemetry_protocol::reason::{Blame, Category, rule};
use utoipa::ToSchema;

use crate::expose::dashboard::{LENGTH, worst};
use crate::expose::execution_view::{ExecutionView, rfc3339};
use crate::expose::exit_codes;
use crate::expose::numbers::{Rate, RunCounts, most_frequent, percent, total};
use crate::expose::reason_view::{ReasonView, SharedReason};
use crate::expose::table::lists;
use crate::store::read::causes::{ExitCodeCount, MostHit, ReasonCount, TopCause, TopReason};
use crate::store::read::counts::ScriptCount;

/// The counts behind the answer.
#[derive(Debug)]
pub struct FailureCounts {
    /// Counts that other answers need as well.
    pub runs: RunCounts,
    /// The most affected applications of each category.
    pub most_hit: Vec<MostHit>,
    /// The most frequent cause of each script's failures.
    pub causes: Vec<TopCause>,
    /// Failed and blocked runs with a signature by reason.
    pub reasons: Vec<ReasonCount>,
    /// The most frequent signature of each script's failures.
    pub top_reasons: Vec<TopReason>,
    /// The newest failed runs.
    pub recent: Vec<RecentError>,
}

/// Failed, blocked and aborted runs with one exit code.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ExitCodeStat {
    /// 0 to 255; `null` for runs that reported none.
    pub exit_code: Option<i16>,
    /// Runs.
    pub count: i64,
    /// Meaning of the code.
    pub description: String,
    /// Category of the cause.
    pub category: String,
    /// Percentage of all failed, blocked and aborted runs.
    pub percentage: f64,
}

/// Failed, blocked and aborted runs of one category.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CategoryStat {
    /// Category of the cause.
    pub category: String,
    /// Runs.
    pub count: i64,
    /// Percentage of all failed, blocked and aborted runs.
    pub percentage: f64,
    /// The five most affected applications, separated by commas.
    pub top_apps: String,
}

/// Failed, blocked and aborted runs with one reason.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ReasonStat {
    /// Id of the reason, as in `/api/reasons`; `null` for runs that no rule knows.
    pub id: Option<String>,
    /// What is wrong, in a few words; `null` without a rule.
    pub title: Option<&'static str>,
    /// Kind of the failure.
    pub category: String,
    /// The side that has to act.
    pub blame: String,
    /// Runs.
    pub count: i64,
    /// Percentage of all failed, blocked and aborted runs.
    pub percentage: f64,
}

/// Failed, blocked and aborted runs by the side that has to act.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct BlameStat {
    /// `script`, `upstream`, `host`, `user` or `unknown`.
    pub blame: String,
    /// Runs.
    pub count: i64,
    /// Percentage of all failed, blocked and aborted runs.
    pub percentage: f64,
}

/// The failures of one script.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AppErrors {
    /// Application.
    pub app: String,
    /// Type of the script.
    #[serde(rename = "type")]
    pub kind: String,
    /// Runs.
    pub total_count: i64,
    /// Failed runs.
    pub failed_count: i64,
    /// Aborted runs.
    pub aborted_count: i64,
    /// Percentage of failed runs among successful and failed runs.
    pub failure_rate: f64,
    /// The most frequent exit code of the failed runs; `null` if they reported none.
    pub top_exit_code: Option<i16>,
    /// Meaning of that code.
    pub top_error: String,
    /// Category of that cause.
    pub top_category: String,
    /// The most frequent reason of the failed runs; `null` if nothing is known about any of them.
    pub top_reason: Option<SharedReason>,
}

/// One failed run.
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
    pub reason: Option<ReasonView>,
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
            reason: view.reason,
            os_type: view.os_type,
            os_version: view.os_version,
            created: view.first_seen,
        }
    }
}

/// Failed and aborted runs of one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorDay {
    /// UTC day on which the runs began.
    pub date: NaiveDate,
    /// Failed runs.
    pub failed: i64,
    /// Aborted runs.
    pub aborted: i64,
}

/// Failures by exit code, category and script. Only runs with a known application count.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Errors {
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// Failed runs.
    pub total_errors: i64,
    pub total_installs: i64,
    /// Percentage of failed runs among successful and failed runs.
    pub overall_fail_rate: f64,
    /// The same share with its numerator and denominator.
    pub failure: Rate,
    /// Failed, blocked and aborted runs: the denominator of the percentages in the next two lists.
    pub unsuccessful_count: i64,
    /// Failed, blocked and aborted runs by exit code.
    pub exit_code_stats: Vec<ExitCodeStat>,
    /// Failed, blocked and aborted runs by category.
    pub category_stats: Vec<CategoryStat>,
    /// Failed, blocked and aborted runs by reason: the most frequent ones.
    pub reason_stats: Vec<ReasonStat>,
    /// Failed, blocked and aborted runs by the side that has to act.
    pub blame_stats: Vec<BlameStat>,
    pub app_errors: Vec<AppErrors>,
    pub recent_errors: Vec<RecentError>,
    /// Runs without a final status or a recent event, and runs that ended with `unknown`.
    pub stuck_installing: i64,
    pub error_timeline: Vec<ErrorDay>,
}

lists!(Errors: app_errors, exit_code_stats, category_stats, reason_stats, blame_stats, recent_errors, error_timeline);

/// Builds the answer.
#[must_use]
pub fn errors(counts: FailureCounts) -> Errors {
    let runs = &counts.runs;
    let total = total(&runs.scripts);
    let (reason_stats, blame_stats) = reason_stats(&runs.exit_codes, counts.reasons);
    Errors {
        as_of: runs.as_of,
        total_errors: total.failed,
        total_installs: total.runs,
        overall_fail_rate: percent(total.failed, total.success + total.failed),
        failure: Rate::of(total.failed, total.success + total.failed),
        unsuccessful_count: runs.exit_codes.iter().map(|row| row.runs).sum(),
        exit_code_stats: exit_code_stats(&runs.exit_codes),
        category_stats: category_stats(&runs.exit_codes, &counts.most_hit),
        reason_stats,
        blame_stats,
        app_errors: app_errors(&runs.scripts, &counts.causes, &counts.top_reasons),
        recent_errors: counts.recent,
        stuck_installing: total.unfinished(),
        error_timeline: runs.each_day(|date, by| ErrorDay {
            date,
            failed: by.get("failed").copied().unwrap_or_default(),
            aborted: by.get("aborted").copied().unwrap_or_default(),
        }),
    }
}

fn exit_code_stats(counts: &[ExitCodeCount]) -> Vec<ExitCodeStat> {
    let all: i64 = counts.iter().map(|row| row.runs).sum();
    // One code means different things in different generations.
    let mut sums = BTreeMap::<_, i64>::new();
    for row in counts {
        let (code, description, _) = exit_codes::counted(row.exit_code, row.generation);
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
    most_frequent(counts.iter().map(|row| (row.category.as_str(), row.runs)))
        .into_iter()
        .map(|(category, count)| CategoryStat {
            category: category.to_owned(),
            count,
            percentage: percent(count, all),
            top_apps: apps(category),
        })
        .collect()
}

/// The runs by reason and by blame. Aborted runs and those without a signature have no row in `reasons`.
fn reason_stats(bad_ends: &[ExitCodeCount], reasons: Vec<ReasonCount>) -> (Vec<ReasonStat>, Vec<BlameStat>) {
    let all: i64 = bad_ends.iter().map(|row| row.runs).sum();
    let aborted: i64 = bad_ends.iter().filter(|row| row.outcome == "aborted").map(|row| row.runs).sum();
    let signed: i64 = reasons.iter().map(|row| row.runs).sum();
    let mut sums = BTreeMap::<(Option<String>, String, String), i64>::new();
    let mut add = |id, category: String, blame: String, runs| {
        *sums.entry((id, category, blame)).or_default() += runs;
    };
    for row in reasons {
        add(row.reason, row.category, row.blame, row.runs);
    }
    let words = |category: Category, blame: Blame| (category.as_str().to_owned(), blame.as_str().to_owned());
    let (category, blame) = words(Category::UserAbort, Blame::User);
    add(None, category, blame, aborted);
    let (category, blame) = words(Category::Unknown, Blame::Unknown);
    add(None, category, blame, all - aborted - signed);
    sums.retain(|_, runs| *runs != 0);
    let blames = most_frequent(sums.iter().map(|((_, _, blame), runs)| (blame.as_str(), *runs)));
    let blames = blames.into_iter().map(|(blame, count)| BlameStat {
        blame: blame.to_owned(),
        count,
        percentage: percent(count, all),
    });
    let blames = blames.collect();
    let mut stats: Vec<_> = sums
        .into_iter()
        .map(|((id, category, blame), count)| ReasonStat {
            title: id.as_deref().and_then(rule).map(|rule| rule.title),
            id,
            category,
            blame,
            count,
            percentage: percent(count, all),
        })
        .collect();
    stats.sort_by_key(|stat| -stat.count);
    stats.truncate(LENGTH);
    (stats, blames)
}

fn app_errors(scripts: &[ScriptCount], causes: &[TopCause], reasons: &[TopReason]) -> Vec<AppErrors> {
    let reason = |app: &str, kind: &str| {
        let row = reasons.iter().find(|row| row.app == app && row.kind == kind)?;
        SharedReason::of(row.reason.clone(), row.subject.clone(), row.category.clone(), row.blame.clone())
    };
    let cause = |app: &str, kind: &str| causes.iter().find(|row| row.app == app && row.kind == kind);
    worst(scripts)
        .into_iter()
        .map(|(app, row)| {
            let cause = cause(app, &row.kind);
            let (top_exit_code, top_error) = cause.map_or_else(Default::default, |cause| {
                let (code, description, _) = exit_codes::counted(cause.exit_code, cause.generation);
                (code, description)
            });
            AppErrors {
                app: app.to_owned(),
                kind: row.kind.clone(),
                total_count: row.runs,
                failed_count: row.failed,
                aborted_count: row.aborted,
                failure_rate: percent(row.failed, row.success + row.failed),
                top_exit_code,
                top_error,
                top_reason: reason(app, &row.kind),
                top_category: cause.map_or_else(String::new, |cause| cause.category.clone()),
            }
        })
        .collect()
}
