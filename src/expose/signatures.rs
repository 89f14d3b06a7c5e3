//! Failed runs by reason.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::dashboard::AppCount;
use crate::expose::execution_view::{ExecutionView, rfc3339, rfc3339_or_null};
use crate::expose::numbers::{Rate, hexadecimal};
use crate::expose::reason_view::SharedReason;
use crate::expose::table::lists;
use crate::store::model::names::RARE_SIGNATURE;
use crate::store::read::signatures::{
    Differences, FacetDifference, KnownSignature, SignatureCount, SignatureDay, SignatureRuns,
    SignatureScripts, SignatureWeeks,
};

/// Most properties in which failures differ.
const DIFFERENCES: usize = 30;

/// The reasons of failed runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Signatures {
    /// The time at which the answer was true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// Failed runs in the period; blocked ones with `outcome=blocked`.
    pub failed_count: i64,
    /// In the requested order.
    pub signatures: Vec<SignatureView>,
}

lists!(Signatures: signatures);

/// One reason of failures.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SignatureView {
    /// Id of the signature, 16 hexadecimal digits.
    pub id: String,
    /// The title of the reason with its subject, or the failing line with its variable parts masked.
    pub template: Option<String>,
    /// The reason; `null` for the rare signatures.
    pub reason: Option<SharedReason>,
    /// The side that has to act, as in `reason`.
    pub blame: Option<String>,
    /// `open`, `known`, `resolved`, `ignored`, or `regressed` after a failure that ended after the signature was
    /// resolved; `null` for the rare signatures.
    pub state: Option<String>,
    /// Address of the issue; `null` if there is none.
    pub issue_url: Option<String>,
    /// When the state was set; `null` for a signature that never had another state than `open`.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub state_since: Option<DateTime<Utc>>,
    /// Failed runs in the period.
    pub count: i64,
    /// The same among all failed runs in the period.
    pub share: Rate,
    /// Sessions with such a run in the period. Only of runs that are still stored, because no count has sessions by
    /// signature.
    pub sessions: i64,
    /// These runs by exit code, most first. Only of runs that are still stored.
    pub exit_codes: Vec<ExitCodeRuns>,
    /// Failed runs on each day of the period that has any.
    pub daily: Vec<DayCount>,
    /// First UTC day of the period with such a run.
    pub first_seen_day: NaiveDate,
    /// Last UTC day of the period with such a run.
    pub last_seen_day: NaiveDate,
    /// When the server first saw this signature; `null` if that is unknown.
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
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct Trend {
    /// In the last seven UTC days, including today.
    pub last_7_days: i64,
    /// In the seven days before those.
    pub previous_7_days: i64,
}

/// Failed runs with one exit code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SignatureExitCode)]
pub struct ExitCodeRuns {
    /// 0 to 255; `null` for runs that reported none.
    pub exit_code: Option<i32>,
    /// Runs.
    pub count: i64,
}

/// Failed runs on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SignatureDayCount)]
pub struct DayCount {
    /// UTC day.
    pub date: NaiveDate,
    /// Runs.
    pub count: i64,
}

/// The failed runs with one reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OneSignature {
    /// The time at which the answer was true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// Id of the signature, 16 hexadecimal digits.
    pub id: String,
    /// The title of the reason with its subject, or the failing line with its variable parts masked.
    pub template: String,
    /// The reason.
    pub reason: Option<SharedReason>,
    /// The side that has to act, as in `reason`.
    pub blame: String,
    /// `open`, `known`, `resolved`, `ignored` or `regressed`.
    pub state: String,
    /// Address of the issue; `null` if there is none.
    pub issue_url: Option<String>,
    /// When the state was set; `null` for a signature that never had another state than `open`.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub state_since: Option<DateTime<Utc>>,
    /// A remark of maintainers, for maintainers; `null` without a token.
    pub note: Option<String>,
    /// When the server first saw this signature.
    #[serde(serialize_with = "rfc3339")]
    pub created: DateTime<Utc>,
    /// Failed runs in the period.
    pub count: i64,
    /// Sessions with such a run in the period. Only of runs that are still stored.
    pub sessions: i64,
    /// These runs by exit code, most first. Only of runs that are still stored.
    pub exit_codes: Vec<ExitCodeRuns>,
    /// The scripts affected in the period, with their failed runs, most first.
    pub apps: Vec<AppCount>,
    /// Days of the period with such a run.
    pub days: Vec<DayRuns>,
    /// Where these runs differ from all runs of the same scripts: the 30 largest differences, largest first.
    pub differs: Vec<Difference>,
    /// First UTC day of the runs that are compared in `differs`: at most 30 days up to the last failure of the period.
    pub differs_from: Option<NaiveDate>,
    /// Last UTC day of these runs.
    pub differs_to: Option<NaiveDate>,
    /// The newest of these runs on the last such day, without ids and free text.
    pub recent_records: Vec<ExecutionView>,
}

lists!(OneSignature: days, apps, exit_codes, differs, recent_records);

/// Failed runs on a day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DayRuns {
    /// UTC day.
    pub date: NaiveDate,
    /// Failed runs.
    pub failed: i64,
}

/// A property of failed runs, compared with all runs of the same scripts.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Difference {
    /// `os`, `os_version`, `pve_version`, `arch`, `method`, `template`, `runtime` or `cpu_vendor`.
    pub facet: String,
    /// The value of the property.
    pub value: String,
    /// Failed runs with this value, among the failed runs that report the property.
    pub share: Rate,
    /// Runs of the same scripts with this value, among those that report the property.
    pub baseline: Rate,
}

/// The counts behind the list.
#[derive(Debug, Default)]
pub struct SignatureCounts {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// Failed runs in the period.
    pub failed: i64,
    /// The rows of the list.
    pub rows: Vec<SignatureCount>,
    /// Their scripts.
    pub scripts: Vec<SignatureScripts>,
    /// Their last two weeks.
    pub weeks: Vec<SignatureWeeks>,
    /// Their days.
    pub days: Vec<SignatureDay>,
    /// Their exit codes and sessions.
    pub runs: Vec<SignatureRuns>,
}

/// Builds the list.
#[must_use]
pub fn signatures(counts: SignatureCounts) -> Signatures {
    let SignatureCounts { as_of, failed, rows, scripts, weeks, days, runs } = counts;
    let mut scripts: HashMap<_, _> = scripts.into_iter().map(|row| (row.signature, row)).collect();
    let weeks: HashMap<_, _> = weeks
        .iter()
        .map(|row| (row.signature, Trend { last_7_days: row.last_week, previous_7_days: row.week_before }))
        .collect();
    let mut daily = HashMap::<i64, Vec<DayCount>>::new();
    for day in days {
        daily.entry(day.signature).or_default().push(DayCount { date: day.day, count: day.runs });
    }
    let signatures = rows.into_iter().map(|row| {
        let hit = scripts.remove(&row.signature);
        let is_rare = row.signature == RARE_SIGNATURE;
        SignatureView {
            id: hexadecimal(row.signature),
            blame: row.blame.clone(),
            reason: SharedReason::of(row.reason, row.subject, row.category, row.blame),
            template: row.template,
            state: (!is_rare).then_some(row.state),
            issue_url: row.issue_url,
            state_since: row.since,
            count: row.runs,
            share: Rate::of(row.runs, failed),
            sessions: sessions(&runs, row.signature),
            exit_codes: exit_codes(&runs, row.signature),
            daily: daily.remove(&row.signature).unwrap_or_default(),
            first_seen_day: row.first_day,
            last_seen_day: row.last_day,
            created: row.created,
            unique_apps: hit.as_ref().map_or(0, |hit| hit.scripts),
            apps: hit.map(apps).unwrap_or_default(),
            trend: weeks.get(&row.signature).copied().unwrap_or_default(),
        }
    });
    Signatures { as_of, failed_count: failed, signatures: signatures.collect() }
}

pub(super) fn apps(hit: SignatureScripts) -> Vec<AppCount> {
    hit.names.into_iter().zip(hit.runs_of_names).map(|(app, runs)| AppCount::new(app, runs)).collect()
}

pub(super) fn sessions(runs: &[SignatureRuns], signature: i64) -> i64 {
    runs.iter().find(|row| row.signature == signature).map_or(0, |row| row.sessions)
}

pub(super) fn exit_codes(runs: &[SignatureRuns], signature: i64) -> Vec<ExitCodeRuns> {
    let runs = runs.iter().filter(|row| row.signature == signature);
    runs.map(|row| ExitCodeRuns { exit_code: row.exit_code, count: row.runs }).collect()
}

/// The counts behind the answer about one signature.
#[derive(Debug)]
pub struct OneSignatureCounts {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// The id.
    pub id: i64,
    /// The fixed facts.
    pub known: KnownSignature,
    /// Its scripts.
    pub scripts: Vec<SignatureScripts>,
    /// Its days.
    pub days: Vec<SignatureDay>,
    /// Its exit codes and sessions.
    pub runs: Vec<SignatureRuns>,
    /// Its properties; `None` without failures in the period.
    pub differences: Option<Differences>,
    /// Some of its runs.
    pub recent: Vec<ExecutionView>,
}

/// Builds the answer about one signature.
#[must_use]
pub fn signature(counts: OneSignatureCounts) -> OneSignature {
    let OneSignatureCounts { as_of, id, known, scripts, days, runs, differences, recent } = counts;
    let compared = differences.as_ref().map(|differences| differences.days);
    OneSignature {
        as_of,
        id: hexadecimal(id),
        blame: known.blame.clone(),
        reason: SharedReason::of(known.reason, known.subject, Some(known.category), Some(known.blame)),
        template: known.template,
        state: known.state,
        issue_url: known.issue_url,
        state_since: known.since,
        note: known.note,
        created: known.created,
        count: days.iter().map(|row| row.runs).sum(),
        sessions: sessions(&runs, id),
        exit_codes: exit_codes(&runs, id),
        apps: scripts.into_iter().flat_map(apps).collect(),
        days: days.into_iter().map(|row| DayRuns { date: row.day, failed: row.runs }).collect(),
        differs: differences.map(|differences| differs(&differences.values)).unwrap_or_default(),
        differs_from: compared.map(|days| days.0),
        differs_to: compared.map(|days| days.1),
        recent_records: recent,
    }
}

/// The largest differences between the shares of a value, largest first.
fn differs(values: &[FacetDifference]) -> Vec<Difference> {
    let share = |part: i64, all: i64| part as f64 / all.max(1) as f64;
    let by = |row: &FacetDifference| (share(row.hits, row.all_hits) - share(row.runs, row.all_runs)).abs();
    let mut rows: Vec<_> = values.iter().filter(|row| row.all_hits > 0 && by(row) > 0.0).collect();
    rows.sort_by(|a, b| {
        by(b).total_cmp(&by(a)).then_with(|| (&a.facet, &a.value).cmp(&(&b.facet, &b.value)))
    });
    let rows = rows.into_iter().take(DIFFERENCES).map(|row| Difference {
        facet: row.facet.clone(),
        value: row.value.clone(),
        share: Rate::of(row.hits, row.all_hits),
        baseline: Rate::of(row.runs, row.all_runs),
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_difference_comes_first() {
        let value = |facet: &str, value: &str, hits, all_hits, runs, all_runs| FacetDifference {
            facet: facet.to_owned(),
            value: value.to_owned(),
            hits,
            all_hits,
            runs,
            all_runs,
        };
        let rows = [
            value("os", "debian", 10, 20, 60, 100),
            value("os", "alpine", 10, 20, 40, 100),
            value("arch", "arm64", 18, 20, 10, 100),
            value("method", "default", 20, 20, 100, 100),
            value("runtime", "local", 0, 0, 50, 100),
        ];
        let found = differs(&rows);
        let names: Vec<_> = found.iter().map(|row| row.value.as_str()).collect();
        assert_eq!(names, ["arm64", "alpine", "debian"]);
        assert_eq!((found[0].share.rate, found[0].baseline.rate), (Some(0.9), Some(0.1)));
    }
}
