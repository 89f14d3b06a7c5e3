//! Failed runs by reason.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::dashboard::AppCount;
use crate::expose::execution_view::{ExecutionView, rfc3339, rfc3339_or_null};
use crate::expose::numbers::{Rate, hexadecimal};
use crate::expose::table::lists;
use crate::store::read::signatures::{
    KnownSignature, RunsOfDay, SignatureCount, SignatureScripts, SignatureWeeks,
};

/// The reasons of failed runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Signatures {
    /// The time at which the answer was true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// Failed runs in the period.
    pub failed_count: i64,
    /// Most frequent first.
    pub signatures: Vec<SignatureView>,
}

lists!(Signatures: signatures);

/// One reason of failures.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SignatureView {
    /// Id of the reason, 16 hexadecimal digits.
    pub id: String,
    /// The failing line with its variable parts masked.
    pub template: Option<String>,
    /// Failed runs in the period.
    pub count: i64,
    /// The same among all failed runs in the period.
    pub share: Rate,
    /// First UTC day of the period with such a run.
    pub first_seen_day: NaiveDate,
    /// Last UTC day of the period with such a run.
    pub last_seen_day: NaiveDate,
    /// When the server first saw this reason; `null` if that is unknown.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub created: Option<DateTime<Utc>>,
    /// Number of affected scripts.
    pub unique_apps: i64,
    /// The most affected scripts, with their failed runs.
    pub apps: Vec<AppCount>,
    /// Failed runs in the last two weeks, regardless of the period.
    pub trend: Trend,
}

/// Failed runs in the last two weeks.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Trend {
    /// In the last seven UTC days, including today.
    pub last_7_days: i64,
    /// In the seven days before those.
    pub previous_7_days: i64,
}

/// The failed runs with one reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OneSignature {
    /// The time at which the answer was true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// Id of the reason, 16 hexadecimal digits.
    pub id: String,
    /// The failing line with its variable parts masked.
    pub template: String,
    /// When the server first saw this reason.
    #[serde(serialize_with = "rfc3339")]
    pub created: DateTime<Utc>,
    /// Failed runs in the period.
    pub count: i64,
    /// The scripts affected in the period, with their failed runs, most first.
    pub apps: Vec<AppCount>,
    /// Days of the period with such a run.
    pub days: Vec<DayRuns>,
    /// The newest of these runs on the last such day, without ids and free text.
    pub recent_records: Vec<ExecutionView>,
}

lists!(OneSignature: days, apps, recent_records);

/// Failed runs on a day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DayRuns {
    /// UTC day.
    pub date: NaiveDate,
    /// Failed runs.
    pub failed: i64,
}

/// Builds the list.
#[must_use]
pub fn signatures(
    as_of: DateTime<Utc>,
    failed_count: i64,
    counts: Vec<SignatureCount>,
    scripts: Vec<SignatureScripts>,
    weeks: &[SignatureWeeks],
) -> Signatures {
    let mut scripts: HashMap<_, _> = scripts.into_iter().map(|row| (row.signature, row)).collect();
    let weeks: HashMap<_, _> =
        weeks.iter().map(|row| (row.signature, (row.last_week, row.week_before))).collect();
    let signatures = counts.into_iter().filter_map(|row| {
        let hit = scripts.remove(&row.signature)?;
        let (last_7_days, previous_7_days) = weeks.get(&row.signature).copied().unwrap_or_default();
        Some(SignatureView {
            id: hexadecimal(row.signature),
            template: row.template,
            count: row.runs,
            share: Rate::of(row.runs, failed_count),
            first_seen_day: hit.first_day,
            last_seen_day: hit.last_day,
            created: row.created,
            unique_apps: hit.scripts,
            apps: apps(hit),
            trend: Trend { last_7_days, previous_7_days },
        })
    });
    Signatures { as_of, failed_count, signatures: signatures.collect() }
}

fn apps(hit: SignatureScripts) -> Vec<AppCount> {
    hit.names.into_iter().zip(hit.runs_of_names).map(|(app, runs)| AppCount::new(app, runs)).collect()
}

/// Builds the answer about one reason.
#[must_use]
pub fn signature(
    as_of: DateTime<Utc>,
    id: i64,
    known: KnownSignature,
    scripts: Vec<SignatureScripts>,
    days: Vec<RunsOfDay>,
    recent_records: Vec<ExecutionView>,
) -> OneSignature {
    OneSignature {
        as_of,
        id: hexadecimal(id),
        template: known.template,
        created: known.created,
        count: days.iter().map(|row| row.runs).sum(),
        apps: scripts.into_iter().flat_map(apps).collect(),
        days: days.into_iter().map(|row| DayRuns { date: row.day, failed: row.runs }).collect(),
        recent_records,
    }
}
