//! The statistics of one script.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::execution_view::{ExecutionView, rfc3339};
use crate::expose::exit_codes;
use crate::expose::numbers::{Rate, each_day, hexadecimal, quantile};
use crate::expose::reason_view::SharedReason;
use crate::expose::sessions::SessionTotals;
use crate::expose::table::lists;
use crate::store::model::names::RARE_SIGNATURE;
use crate::store::read::counts::DurationCount;
use crate::store::read::script::{PlatformCount, ScriptDay, ScriptExitCode, ScriptSignature};

/// The counts behind the answer: all of one moment, script and filter.
#[derive(Debug)]
pub struct ScriptCounts {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// The script.
    pub app: String,
    /// First and last day of the series.
    pub days_shown: (NaiveDate, NaiveDate),
    /// Runs by day and outcome.
    pub days: Vec<ScriptDay>,
    /// Ended runs by platform.
    pub platforms: Vec<PlatformCount>,
    /// Failed, blocked and aborted runs by exit code.
    pub exit_codes: Vec<ScriptExitCode>,
    /// Failed runs by reason.
    pub signatures: Vec<ScriptSignature>,
    /// Successful runs by duration.
    pub durations: Vec<DurationCount>,
    /// Sessions and their retries.
    pub sessions: SessionTotals,
    /// The newest runs.
    pub recent: Vec<ExecutionView>,
}

/// The statistics of one script. Runs count on the UTC day of their first event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ScriptView {
    /// The time at which the answer was true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// Name of the script.
    pub app: String,
    /// All runs.
    pub total: i64,
    /// Successful runs.
    pub success: i64,
    /// Failed runs.
    pub failed: i64,
    /// Runs that the state of the host prevented.
    pub blocked: i64,
    /// Runs that a user or a signal ended.
    pub aborted: i64,
    /// Runs without a final status and with a recent event.
    pub installing: i64,
    /// Runs without a final status or a recent event, and runs that ended with `unknown`.
    pub unfinished: i64,
    /// Failed runs among successful and failed runs.
    pub failure_rate: Rate,
    /// One entry for each day, including days without runs.
    pub daily_stats: Vec<DayView>,
    /// Ended runs by operating system and version.
    pub os: Vec<PlatformView>,
    /// Ended runs by version of Proxmox VE.
    pub pve_versions: Vec<PlatformView>,
    /// Failed, blocked and aborted runs by exit code.
    pub exit_codes: Vec<ExitCodeRuns>,
    /// Failed runs by reason.
    pub signatures: Vec<SignatureRuns>,
    /// Durations of successful runs.
    pub durations: Durations,
    /// Sessions and their retries.
    pub sessions: SessionTotals,
    /// The newest runs of the last day that has any, without ids and free text.
    pub recent_records: Vec<ExecutionView>,
}

lists!(ScriptView: daily_stats, os, pve_versions, exit_codes, signatures, recent_records);

/// Runs of one day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DayView {
    /// UTC day.
    pub date: NaiveDate,
    /// All runs.
    pub total: i64,
    /// Successful runs.
    pub success: i64,
    /// Failed runs.
    pub failed: i64,
}

/// Ended runs on one operating system or version of Proxmox VE.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlatformView {
    /// Operating system, or version of Proxmox VE; empty if it was not reported.
    pub name: String,
    /// Version of the operating system; empty if it was not reported.
    pub version: String,
    /// Ended runs.
    pub count: i64,
    /// Failed runs among successful and failed runs.
    pub failure_rate: Rate,
}

/// Failed, blocked or aborted runs with one exit code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ScriptExitCode)]
pub struct ExitCodeRuns {
    /// 0 to 255; `null` for runs that reported none.
    pub exit_code: Option<i16>,
    /// `failed`, `blocked` or `aborted`.
    pub outcome: String,
    /// Meaning of the code.
    pub description: String,
    /// Category of the cause.
    pub category: String,
    /// Runs.
    pub count: i64,
}

/// Failed runs with one reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ScriptSignature)]
pub struct SignatureRuns {
    /// Id of the reason, 16 hexadecimal digits.
    pub id: String,
    /// The failing line with its variable parts masked.
    pub template: Option<String>,
    /// The reason; `null` for the rare signatures.
    pub reason: Option<SharedReason>,
    /// `open`, `known`, `resolved`, `ignored` or `regressed`; `null` for the rare signatures.
    pub state: Option<String>,
    /// Address of the issue; `null` if there is none.
    pub issue_url: Option<String>,
    /// Failed runs.
    pub count: i64,
    /// First UTC day of the period with such a run.
    pub first_seen_day: NaiveDate,
    /// Last UTC day of the period with such a run.
    pub last_seen_day: NaiveDate,
}

/// Quantiles in seconds, accurate to 4.5 %; `null` without runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Durations {
    /// Successful runs with a reported duration.
    pub count: i64,
    /// Median.
    pub p50: Option<f64>,
    /// 90 % of the runs took at most this long.
    pub p90: Option<f64>,
    /// 95 % of the runs took at most this long.
    pub p95: Option<f64>,
}

/// Builds the answer.
#[must_use]
pub fn script(counts: ScriptCounts) -> ScriptView {
    let of = |outcome: &str| -> i64 {
        counts.days.iter().filter(|row| row.outcome == outcome).map(|row| row.runs).sum()
    };
    let (success, failed) = (of("success"), of("failed"));
    let installing = counts.days.iter().map(|row| row.running).sum::<i64>();
    let days = counts.days.iter().map(|row| (row.day, row.outcome.as_str(), row.runs));
    let platforms = |property: &str| -> Vec<_> {
        let rows = counts.platforms.iter().filter(|row| row.property == property);
        rows.map(|row| PlatformView {
            name: row.value.clone(),
            version: row.detail.clone(),
            count: row.runs,
            failure_rate: Rate::of(row.failed, row.succeeded + row.failed),
        })
        .collect()
    };
    ScriptView {
        as_of: counts.as_of,
        total: counts.days.iter().map(|row| row.runs).sum(),
        success,
        failed,
        blocked: of("blocked"),
        aborted: of("aborted"),
        installing,
        unfinished: of("open") - installing,
        failure_rate: Rate::of(failed, success + failed),
        daily_stats: each_day(counts.days_shown, days, |date, by| DayView {
            date,
            total: by.values().sum(),
            success: by.get("success").copied().unwrap_or_default(),
            failed: by.get("failed").copied().unwrap_or_default(),
        }),
        os: platforms("os"),
        pve_versions: platforms("pve"),
        exit_codes: by_exit_code(counts.exit_codes),
        signatures: counts.signatures.into_iter().map(signature).collect(),
        durations: durations(&counts.durations),
        sessions: counts.sessions,
        recent_records: counts.recent,
        app: counts.app,
    }
}

/// Merges codes that have the same meaning in several generations of clients.
fn by_exit_code(rows: Vec<ScriptExitCode>) -> Vec<ExitCodeRuns> {
    let mut views = Vec::<ExitCodeRuns>::new();
    for row in rows {
        let (exit_code, description, _) = exit_codes::counted(row.exit_code, row.generation);
        let view = ExitCodeRuns {
            exit_code,
            description,
            outcome: row.outcome,
            category: row.category,
            count: row.runs,
        };
        let same =
            views.iter_mut().find(|other| ExitCodeRuns { count: view.count, ..(*other).clone() } == view);
        match same {
            Some(other) => other.count += view.count,
            None => views.push(view),
        }
    }
    views.sort_by_key(|view| -view.count);
    views
}

fn signature(row: ScriptSignature) -> SignatureRuns {
    let state = row.state.unwrap_or_else(|| "open".to_owned());
    SignatureRuns {
        id: hexadecimal(row.signature),
        reason: SharedReason::of(row.reason, row.subject, row.category, row.blame),
        state: (row.signature != RARE_SIGNATURE).then_some(state),
        issue_url: row.issue_url,
        template: row.template,
        count: row.runs,
        first_seen_day: row.first_day,
        last_seen_day: row.last_day,
    }
}

fn durations(rows: &[DurationCount]) -> Durations {
    Durations {
        count: rows.iter().map(|row| row.runs).sum(),
        p50: quantile(rows, 0.5),
        p90: quantile(rows, 0.9),
        p95: quantile(rows, 0.95),
    }
}
