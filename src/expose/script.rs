//! Everything about one script.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use telemetry_protocol::Generation;
use telemetry_protocol::exit_code::explain;
use utoipa::ToSchema;

use crate::expose::execution::{ExecutionView, rfc3339};
use crate::expose::numbers::Rate;
use crate::expose::session::SessionTotals;
use crate::expose::signature::hexadecimal;
use crate::expose::table::lists;
use crate::store::model::rollup::bucket_seconds;
use crate::store::read::counts::DurationCount;
use crate::store::read::script::{PlatformCount, ScriptDay, ScriptExitCode, ScriptSignature};

/// What the answer is made of: all of one moment, script and filter.
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
    /// Bad ends.
    pub exit_codes: Vec<ScriptExitCode>,
    /// Failures by reason.
    pub signatures: Vec<ScriptSignature>,
    /// Successful runs by duration.
    pub durations: Vec<DurationCount>,
    /// Sessions.
    pub sessions: SessionTotals,
    /// The newest executions.
    pub recent: Vec<ExecutionView>,
}

/// The answer. Counts are of runs, by the UTC day of their first event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ScriptView {
    /// For when it is true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// Script.
    pub app: String,
    /// All runs.
    pub total: i64,
    /// Succeeded runs.
    pub success: i64,
    /// Failed runs.
    pub failed: i64,
    /// Runs that the host was not fit for.
    pub blocked: i64,
    /// Runs that a person ended.
    pub aborted: i64,
    /// Runs without an end whose last event is recent.
    pub installing: i64,
    /// Runs without an end whose last event is old, or with one that says nothing.
    pub unfinished: i64,
    /// Failed among succeeded and failed runs.
    pub failure_rate: Rate,
    /// One entry a day, days without runs included.
    pub daily_stats: Vec<DayView>,
    /// Ended runs by operating system and version.
    pub os: Vec<PlatformView>,
    /// Ended runs by version of Proxmox VE, to the second point.
    pub pve_versions: Vec<PlatformView>,
    /// Bad ends by exit code.
    pub exit_codes: Vec<ExitCodeView>,
    /// Failed runs by reason.
    pub signatures: Vec<ReasonView>,
    /// Of successful runs, in seconds, to 4.5 %.
    pub durations: Durations,
    /// Sessions and what trying again was good for.
    pub sessions: SessionTotals,
    /// The newest runs of the last day with any, without ids and free text.
    pub recent_records: Vec<ExecutionView>,
}

lists!(ScriptView: daily_stats, os, pve_versions, exit_codes, signatures, recent_records);

/// One day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DayView {
    /// UTC day.
    pub date: NaiveDate,
    /// All runs.
    pub total: i64,
    /// Succeeded runs.
    pub success: i64,
    /// Failed runs.
    pub failed: i64,
}

/// Runs on one platform.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlatformView {
    /// Family or version; empty where it was not told.
    pub name: String,
    /// Version of the operating system; empty where it was not told.
    pub version: String,
    /// Ended runs.
    pub count: i64,
    /// Failed among succeeded and failed runs.
    pub failure_rate: Rate,
}

/// Runs with one exit code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ScriptExitCode)]
pub struct ExitCodeView {
    /// The code; `null` where none was told.
    pub exit_code: Option<i16>,
    /// `failed`, `blocked`, `aborted`.
    pub outcome: String,
    /// What it means.
    pub description: String,
    /// Our category.
    pub category: String,
    /// Runs.
    pub count: i64,
}

/// Failed runs for one reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReasonView {
    /// 16 hexadecimal digits.
    pub id: String,
    /// The failing line, with its variable parts masked.
    pub template: Option<String>,
    /// Failed runs.
    pub count: i64,
    /// First and last UTC day of the period with one.
    pub first_seen_day: NaiveDate,
    /// See above.
    pub last_seen_day: NaiveDate,
}

/// Quantiles; `null` without runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Durations {
    /// Successful runs that told one.
    pub count: i64,
    /// Half of them took less.
    pub p50: Option<f64>,
    /// Nine of ten took less.
    pub p90: Option<f64>,
    /// 19 of 20 took less.
    pub p95: Option<f64>,
}

/// Puts the answer together.
#[must_use]
pub fn script(counts: ScriptCounts) -> ScriptView {
    let of = |outcome: &str| -> i64 {
        counts.days.iter().filter(|row| row.outcome == outcome).map(|row| row.runs).sum()
    };
    let (success, failed) = (of("success"), of("failed"));
    let installing = counts.days.iter().map(|row| row.running).sum::<i64>();
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
        daily_stats: daily_stats(counts.days_shown, &counts.days),
        os: platforms("os"),
        pve_versions: platforms("pve"),
        exit_codes: exit_codes(counts.exit_codes),
        signatures: counts.signatures.into_iter().map(reason).collect(),
        durations: durations(&counts.durations),
        sessions: counts.sessions,
        recent_records: counts.recent,
        app: counts.app,
    }
}

fn daily_stats((first, last): (NaiveDate, NaiveDate), rows: &[ScriptDay]) -> Vec<DayView> {
    let mut days = BTreeMap::<NaiveDate, DayView>::new();
    for date in first.iter_days().take_while(|date| *date <= last) {
        days.insert(date, DayView { date, total: 0, success: 0, failed: 0 });
    }
    for row in rows {
        let Some(day) = days.get_mut(&row.day) else { continue };
        day.total += row.runs;
        match row.outcome.as_str() {
            "success" => day.success += row.runs,
            "failed" => day.failed += row.runs,
            _ => {}
        }
    }
    days.into_values().collect()
}

/// The same meaning in several generations of clients is one entry.
fn exit_codes(rows: Vec<ScriptExitCode>) -> Vec<ExitCodeView> {
    let mut views = Vec::<ExitCodeView>::new();
    for row in rows {
        let generation =
            u8::try_from(row.generation).ok().and_then(|number| Generation::try_from(number).ok());
        let meaning = || explain(generation.unwrap_or(Generation::NEWEST), row.exit_code.into());
        let told = row.exit_code >= 0;
        let view = ExitCodeView {
            exit_code: told.then_some(row.exit_code),
            description: if told { meaning().title.into_owned() } else { "No exit code".to_owned() },
            outcome: row.outcome,
            category: row.category,
            count: row.runs,
        };
        let same =
            views.iter_mut().find(|other| ExitCodeView { count: view.count, ..(*other).clone() } == view);
        match same {
            Some(other) => other.count += view.count,
            None => views.push(view),
        }
    }
    views.sort_by_key(|view| -view.count);
    views
}

fn reason(row: ScriptSignature) -> ReasonView {
    ReasonView {
        id: hexadecimal(row.signature),
        template: row.template,
        count: row.runs,
        first_seen_day: row.first_day,
        last_seen_day: row.last_day,
    }
}

fn durations(rows: &[DurationCount]) -> Durations {
    let count: i64 = rows.iter().map(|row| row.runs).sum();
    let quantile = |share: f64| {
        let rank = (count as f64 * share).ceil() as i64;
        let mut seen = 0;
        let bucket = rows.iter().find(|row| {
            seen += row.runs;
            seen >= rank
        })?;
        Some((bucket_seconds(bucket.bucket) * 10.0).round() / 10.0)
    };
    Durations { count, p50: quantile(0.5), p90: quantile(0.9), p95: quantile(0.95) }
}
