//! Failures grouped by what went wrong.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::execution::{ExecutionView, rfc3339};
use crate::expose::numbers::Rate;
use crate::expose::table::lists;
use crate::store::read::signatures::{
    KnownSignature, RunsOfDay, SignatureCount, SignatureScripts, SignatureWeeks,
};

/// The answer with a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Signatures {
    /// For when it is true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// Failed runs in the period.
    pub failed_count: i64,
    /// Most frequent first.
    pub signatures: Vec<SignatureView>,
}

lists!(Signatures: signatures);

/// One reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SignatureView {
    /// 16 hexadecimal digits.
    pub id: String,
    /// The failing line, with its variable parts masked.
    pub template: Option<String>,
    /// Failed runs in the period.
    pub count: i64,
    /// Their share of all failed runs in the period.
    pub share: Rate,
    /// First and last UTC day of the period with one.
    pub first_seen_day: NaiveDate,
    /// See above.
    pub last_seen_day: NaiveDate,
    /// When the server learnt of it; `null` if it never did.
    #[serde(serialize_with = "crate::expose::execution::rfc3339_or_null")]
    pub created: Option<DateTime<Utc>>,
    /// Number of scripts hit.
    pub unique_apps: i64,
    /// Those hit most.
    pub apps: Vec<AppCount>,
    /// Failed runs of late, whatever the period.
    pub trend: Trend,
}

/// A script and its failed runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AppCount {
    /// Script.
    pub app: String,
    /// Failed runs.
    pub count: i64,
}

/// Failed runs of late.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Trend {
    /// In the last seven UTC days, today included.
    pub last_7_days: i64,
    /// In the seven days before.
    pub previous_7_days: i64,
}

/// The answer about one reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OneSignature {
    /// For when it is true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// 16 hexadecimal digits.
    pub id: String,
    /// The failing line, with its variable parts masked.
    pub template: String,
    /// When the server learnt of it.
    #[serde(serialize_with = "rfc3339")]
    pub created: DateTime<Utc>,
    /// Failed runs in the period.
    pub count: i64,
    /// Those hit in the period, most first.
    pub apps: Vec<AppCount>,
    /// Days of the period with a failed run.
    pub days: Vec<DayRuns>,
    /// The newest failed runs of the last of these days, without ids and free text.
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

/// Puts the list together.
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
    let runs = hit.names.into_iter().zip(hit.runs_of_names);
    runs.map(|(app, count)| AppCount { app, count }).collect()
}

/// Puts the answer about one together.
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

/// The id of a signature as it is published.
#[must_use]
pub fn hexadecimal(id: i64) -> String {
    format!("{id:016x}")
}

/// An id as it was published; `None` for anything else.
#[must_use]
pub fn read_id(text: &str) -> Option<i64> {
    let is_right = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_right.then(|| u64::from_str_radix(text, 16).ok())?.map(u64::cast_signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_the_way_out_and_back() {
        for id in [0, 1, -1, i64::MIN, i64::MAX] {
            assert_eq!(read_id(&hexadecimal(id)), Some(id));
        }
        for text in ["", "1", "zzzzzzzzzzzzzzzz", "+000000000000001", "00000000000000001", "ABCDEF0123456789"]
        {
            assert_eq!(read_id(text), None, "{text}");
        }
    }
}
