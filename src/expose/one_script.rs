//! The statistics of one script.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::execution_view::{ExecutionView, rfc3339};
use crate::expose::exit_codes;
use crate::expose::numbers::{Rate, each_day, hexadecimal, quantile, size_order};
use crate::expose::reason_view::SharedReason;
use crate::expose::sessions::SessionTotals;
use crate::expose::table::lists;
use crate::store::model::names::RARE_SIGNATURE;
use crate::store::read::counts::DurationCount;
use crate::store::read::script::{
    DistributionCount, Distributions, PlatformCount, ScriptDay, ScriptExitCode, ScriptSignature,
};

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
    /// First and last day of the period before, and its runs by day and outcome; `None` for all time.
    pub previous: Option<((NaiveDate, NaiveDate), Vec<ScriptDay>)>,
    /// Ended runs by platform.
    pub platforms: Vec<PlatformCount>,
    /// Stored runs by size, by privilege and by version of the application.
    pub distributions: Distributions,
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
    /// The period before; `null` for all time.
    pub previous: Option<PreviousRuns>,
    /// One entry for each day, including days without runs.
    pub daily_stats: Vec<DayView>,
    /// Ended runs by operating system and version.
    pub os: Vec<PlatformView>,
    /// Ended runs by version of Proxmox VE.
    pub pve_versions: Vec<PlatformView>,
    /// Runs by number of cores, smallest first.
    pub cores: Vec<DistributionView>,
    /// Runs by memory in MB, smallest first.
    pub ram: Vec<DistributionView>,
    /// Runs by disk size in GB, smallest first.
    pub disk: Vec<DistributionView>,
    /// Runs in `unprivileged` and `privileged` containers.
    pub privilege: Vec<DistributionView>,
    /// Runs by version of the application, most first; at most 50. Versions of few sessions are `(rare)` for the public.
    pub app_versions: Vec<DistributionView>,
    /// First UTC day of the runs in the lists from `cores` to `app_versions`: at most 30 days up to the last day of the
    /// period with a run.
    pub distribution_from: NaiveDate,
    /// Last UTC day of these runs.
    pub distribution_to: NaiveDate,
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

lists!(ScriptView: daily_stats, os, pve_versions, exit_codes, signatures, recent_records, cores, ram, disk, privilege,
    app_versions);

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
    /// Runs that the state of the host prevented.
    pub blocked: i64,
    /// Runs that a user or a signal ended.
    pub aborted: i64,
    /// Runs without a final status.
    pub open: i64,
}

/// The runs of a script in the period of the same length before.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PreviousRuns {
    /// First UTC day.
    pub from: NaiveDate,
    /// Last UTC day.
    pub to: NaiveDate,
    /// All runs.
    pub total: i64,
    /// Failed runs among successful and failed runs.
    pub failure_rate: Rate,
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

/// Runs that reported one value of a property. Only of runs that are still stored.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DistributionView {
    /// The value.
    pub value: String,
    /// Runs.
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
        previous: counts.previous.map(|(days, rows)| previous(days, &rows)),
        daily_stats: each_day(counts.days_shown, days, |date, by| DayView {
            date,
            total: by.values().sum(),
            success: by.get("success").copied().unwrap_or_default(),
            failed: by.get("failed").copied().unwrap_or_default(),
            blocked: by.get("blocked").copied().unwrap_or_default(),
            aborted: by.get("aborted").copied().unwrap_or_default(),
            open: by.get("open").copied().unwrap_or_default(),
        }),
        os: platforms("os"),
        pve_versions: platforms("pve"),
        cores: by_size(&counts.distributions.values, "cores"),
        ram: by_size(&counts.distributions.values, "ram"),
        disk: by_size(&counts.distributions.values, "disk"),
        privilege: distribution(&counts.distributions.values, "privilege"),
        app_versions: distribution(&counts.distributions.values, "app_version"),
        distribution_from: counts.distributions.days.0,
        distribution_to: counts.distributions.days.1,
        exit_codes: by_exit_code(counts.exit_codes),
        signatures: counts.signatures.into_iter().map(signature).collect(),
        durations: durations(&counts.durations),
        sessions: counts.sessions,
        recent_records: counts.recent,
        app: counts.app,
    }
}

fn previous((from, to): (NaiveDate, NaiveDate), rows: &[ScriptDay]) -> PreviousRuns {
    let of =
        |outcome: &str| rows.iter().filter(|row| row.outcome == outcome).map(|row| row.runs).sum::<i64>();
    let (success, failed) = (of("success"), of("failed"));
    let total = rows.iter().map(|row| row.runs).sum();
    PreviousRuns { from, to, total, failure_rate: Rate::of(failed, success + failed) }
}

/// The values of a property, most frequent first.
fn distribution(rows: &[DistributionCount], property: &str) -> Vec<DistributionView> {
    let rows = rows.iter().filter(|row| row.property == property);
    let mut views: Vec<_> = rows
        .map(|row| DistributionView {
            value: row.value.clone(),
            count: row.runs,
            failure_rate: Rate::of(row.failed, row.succeeded + row.failed),
        })
        .collect();
    views.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    views
}

/// As [`distribution`], smallest first.
fn by_size(rows: &[DistributionCount], property: &str) -> Vec<DistributionView> {
    let mut views = distribution(rows, property);
    views.sort_by_key(|view| size_order(&view.value));
    views
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
