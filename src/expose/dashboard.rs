//! The dashboard: one answer with everything that the overview needs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use telemetry_protocol::Generation;
use telemetry_protocol::exit_code::explain;

use crate::expose::execution::{ExecutionView, rfc3339};
use crate::store::read::{DayCount, DurationCount, ExitCodeCount, FacetCount, ScriptCount, SlugCount};
use crate::store::rollup::bucket_seconds;

/// Length of the lists.
const TOP: usize = 50;

/// What the dashboard is made of: all of one moment and one filter.
#[derive(Debug)]
pub struct Counts {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// First and last day of `daily_stats`.
    pub days_shown: (NaiveDate, NaiveDate),
    /// Runs by script, type and outcome.
    pub scripts: Vec<ScriptCount>,
    /// Runs by day and outcome.
    pub days: Vec<DayCount>,
    /// Bad ends.
    pub exit_codes: Vec<ExitCodeCount>,
    /// Runs by `os`, `method`, `pve_version` and `gpu`.
    pub facets: Vec<FacetCount>,
    /// Runs by repository slug.
    pub slugs: Vec<SlugCount>,
    /// Successful runs by duration.
    pub durations: Vec<DurationCount>,
    /// The newest executions.
    pub recent: Vec<ExecutionView>,
    /// Runs under the same filter without its dates.
    pub total_all_time: i64,
}

macro_rules! counted {
    ($($(#[$doc:meta])* $name:ident { $($key:ident $(as $wire:literal)?),+ })+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
            pub struct $name {
                $(
                    #[allow(missing_docs, reason = "the field of the contract")]
                    $(#[serde(rename = $wire)])?
                    pub $key: String,
                )+
                /// Runs.
                pub count: i64,
            }
        )+
    };
}

counted! {
    /// Runs of an application.
    AppCount { app }
    /// Runs on an operating system.
    OsCount { os }
    /// Runs by method.
    MethodCount { method }
    /// Runs by version of Proxmox VE.
    VersionCount { version }
    /// Runs by type.
    TypeCount { kind as "type" }
    /// Runs by GPU.
    GpuCount { vendor, passthrough }
    /// Bad ends by category.
    CategoryCount { category }
    /// Runs of a host tool.
    ToolCount { tool }
    /// Runs of an add-on.
    AddonCount { addon }
    /// Runs from a repository.
    RepoSlugCount { slug }
}

/// Failures for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorGroup {
    /// The reason.
    pub pattern: String,
    /// Failed and blocked runs.
    pub count: i64,
    /// Number of applications hit.
    pub unique_apps: usize,
    /// Their names, comma-separated.
    pub apps: String,
}

/// How often a script fails.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FailedApp {
    /// Application.
    pub app: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Succeeded and failed runs.
    pub total_count: i64,
    /// Failed runs.
    pub failed_count: i64,
    /// Their share of `total_count`, 0 to 100.
    pub failure_rate: f64,
}

/// The ends of one day's runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DailyStat {
    /// UTC day of the first event.
    pub date: NaiveDate,
    /// Succeeded runs.
    pub success: i64,
    /// Failed runs.
    pub failed: i64,
}

/// The answer. Counts are of runs with an app, by the UTC day of their first event.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of the contract")]
pub struct Dashboard {
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    pub total_installs: i64,
    pub total_all_time: i64,
    pub sample_size: i64,
    pub success_count: i64,
    pub failed_count: i64,
    pub blocked_count: i64,
    pub aborted_count: i64,
    /// Runs without an end whose last event is recent.
    pub installing_count: i64,
    /// Runs without an end whose last event is old, or with one that says nothing.
    pub unfinished_count: i64,
    /// Runs whose start never arrived: in no other number here.
    pub unattributed_count: i64,
    /// 0 to 100, over succeeded and failed runs.
    pub success_rate: f64,
    pub top_apps: Vec<AppCount>,
    pub os_distribution: Vec<OsCount>,
    pub method_stats: Vec<MethodCount>,
    pub pve_versions: Vec<VersionCount>,
    pub type_stats: Vec<TypeCount>,
    pub error_analysis: Vec<ErrorGroup>,
    pub failed_apps: Vec<FailedApp>,
    pub recent_records: Vec<ExecutionView>,
    pub daily_stats: Vec<DailyStat>,
    pub gpu_stats: Vec<GpuCount>,
    pub error_categories: Vec<CategoryCount>,
    pub top_tools: Vec<ToolCount>,
    pub top_addons: Vec<AddonCount>,
    /// Seconds, over successful runs that told a duration.
    pub avg_install_duration: f64,
    /// Seconds, over successful runs, to 4.5 %.
    pub median_install_duration: Option<f64>,
    /// Seconds, over successful runs, to 4.5 %.
    pub p95_install_duration: Option<f64>,
    pub total_tools: i64,
    pub total_addons: i64,
    pub repo_slugs: Vec<RepoSlugCount>,
}

/// Puts the dashboard together.
#[must_use]
pub fn dashboard(counts: Counts) -> Dashboard {
    let unattributed_count = sum(counts.scripts.iter().filter(|row| row.app.is_empty()));
    let scripts: Vec<_> = counts.scripts.iter().filter(|row| !row.app.is_empty()).collect();
    let of_outcome = |outcome: &str| sum(scripts.iter().copied().filter(|row| row.outcome == outcome));
    let (success_count, failed_count) = (of_outcome("success"), of_outcome("failed"));
    let installing_count = scripts.iter().map(|row| row.running).sum::<i64>();
    let total_installs = sum(scripts.iter().copied());
    let by_app = |kind: Option<&str>| {
        top(scripts
            .iter()
            .filter(|row| kind.is_none_or(|kind| row.kind == kind))
            .map(|row| (row.app.clone(), row.runs)))
    };
    let tools: Vec<_> = by_app(Some("pve"));
    let addons: Vec<_> = by_app(Some("addon"));
    let of_kind = |kind: &str| sum(scripts.iter().copied().filter(|row| row.kind == kind));
    let (duration_count, duration_sum) = scripts
        .iter()
        .filter(|row| row.outcome == "success")
        .fold((0, 0), |(count, sum), row| (count + row.duration_count, sum + row.duration_sum));
    let facet = |name: &'static str| counts.facets.iter().filter(move |row| row.facet == name);
    let bad_ends = |outcomes: &'static [&'static str]| {
        counts.exit_codes.iter().filter(move |row| outcomes.contains(&row.outcome.as_str()))
    };
    Dashboard {
        as_of: counts.as_of,
        total_installs,
        total_all_time: counts.total_all_time,
        sample_size: total_installs,
        success_count,
        failed_count,
        blocked_count: of_outcome("blocked"),
        aborted_count: of_outcome("aborted"),
        installing_count,
        unfinished_count: of_outcome("open") - installing_count,
        unattributed_count,
        success_rate: percent(success_count, success_count + failed_count),
        top_apps: by_app(None).into_iter().map(|(app, count)| AppCount { app, count }).collect(),
        os_distribution: top(facet("os").map(|row| (row.value.clone(), row.runs)))
            .into_iter()
            .map(|(os, count)| OsCount { os, count })
            .collect(),
        method_stats: top(facet("method").map(|row| (row.value.clone(), row.runs)))
            .into_iter()
            .map(|(method, count)| MethodCount { method, count })
            .collect(),
        pve_versions: top(facet("pve_version").map(|row| (row.value.clone(), row.runs)))
            .into_iter()
            .map(|(version, count)| VersionCount { version, count })
            .collect(),
        type_stats: top(scripts.iter().map(|row| (row.kind.clone(), row.runs)))
            .into_iter()
            .map(|(kind, count)| TypeCount { kind, count })
            .collect(),
        error_analysis: error_analysis(bad_ends(&["failed", "blocked"])),
        failed_apps: failed_apps(&scripts),
        recent_records: counts.recent,
        daily_stats: daily_stats(counts.days_shown, &counts.days),
        gpu_stats: top(facet("gpu").map(|row| ((row.value.clone(), row.detail.clone()), row.runs)))
            .into_iter()
            .map(|((vendor, passthrough), count)| GpuCount { vendor, passthrough, count })
            .collect(),
        error_categories: top(
            bad_ends(&["failed", "blocked", "aborted"]).map(|row| (row.category.clone(), row.runs))
        )
        .into_iter()
        .map(|(category, count)| CategoryCount { category, count })
        .collect(),
        top_tools: tools.into_iter().map(|(tool, count)| ToolCount { tool, count }).collect(),
        top_addons: addons.into_iter().map(|(addon, count)| AddonCount { addon, count }).collect(),
        avg_install_duration: ratio(duration_sum, duration_count),
        median_install_duration: quantile(&counts.durations, 0.5),
        p95_install_duration: quantile(&counts.durations, 0.95),
        total_tools: of_kind("pve"),
        total_addons: of_kind("addon"),
        repo_slugs: counts
            .slugs
            .into_iter()
            .take(TOP)
            .map(|row| RepoSlugCount { slug: row.slug, count: row.runs })
            .collect(),
    }
}

fn sum<'a>(rows: impl Iterator<Item = &'a ScriptCount>) -> i64 {
    rows.map(|row| row.runs).sum()
}

/// Adds up by key and keeps the [`TOP`] most frequent keys; keys that say nothing are left out.
fn top<K: Ord + Clone + Named>(rows: impl Iterator<Item = (K, i64)>) -> Vec<(K, i64)> {
    let mut sums = BTreeMap::<K, i64>::new();
    for (key, runs) in rows.filter(|(key, _)| key.is_named()) {
        *sums.entry(key).or_default() += runs;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, runs)| -runs);
    sums.truncate(TOP);
    sums
}

/// A key of a list: one that is empty was not told by the client.
trait Named {
    fn is_named(&self) -> bool;
}

impl Named for String {
    fn is_named(&self) -> bool {
        !self.is_empty()
    }
}

impl Named for (String, String) {
    fn is_named(&self) -> bool {
        !self.0.is_empty()
    }
}

fn error_analysis<'a>(rows: impl Iterator<Item = &'a ExitCodeCount>) -> Vec<ErrorGroup> {
    let mut groups = BTreeMap::<String, (i64, BTreeSet<&str>)>::new();
    for row in rows {
        let generation =
            u8::try_from(row.generation).ok().and_then(|number| Generation::try_from(number).ok());
        let pattern = match row.exit_code {
            -1 => "No exit code".to_owned(),
            code => explain(generation.unwrap_or(Generation::NEWEST), code.into()).title.into_owned(),
        };
        let (count, apps) = groups.entry(pattern).or_default();
        *count += row.runs;
        apps.insert(&row.app);
    }
    let mut groups: Vec<_> = groups
        .into_iter()
        .map(|(pattern, (count, apps))| ErrorGroup {
            pattern,
            count,
            unique_apps: apps.len(),
            apps: apps.into_iter().collect::<Vec<_>>().join(", "),
        })
        .collect();
    groups.sort_by_key(|group| -group.count);
    groups.truncate(TOP);
    groups
}

fn failed_apps(scripts: &[&ScriptCount]) -> Vec<FailedApp> {
    let mut apps = BTreeMap::<(&str, &str), (i64, i64)>::new();
    for row in scripts {
        let (succeeded, failed) = apps.entry((&row.app, &row.kind)).or_default();
        match row.outcome.as_str() {
            "success" => *succeeded += row.runs,
            "failed" => *failed += row.runs,
            _ => {}
        }
    }
    let mut apps: Vec<_> = apps
        .into_iter()
        .filter(|(_, (_, failed))| *failed > 0)
        .map(|((app, kind), (succeeded, failed))| FailedApp {
            app: app.to_owned(),
            kind: kind.to_owned(),
            total_count: succeeded + failed,
            failed_count: failed,
            failure_rate: percent(failed, succeeded + failed),
        })
        .collect();
    apps.sort_by_key(|app| -app.failed_count);
    apps.truncate(TOP);
    apps
}

/// One entry a day, days without runs included.
fn daily_stats((first, last): (NaiveDate, NaiveDate), counts: &[DayCount]) -> Vec<DailyStat> {
    let of = |date, outcome: &str| {
        let rows = counts.iter().filter(|row| row.day == date && row.outcome == outcome);
        rows.map(|row| row.runs).sum()
    };
    let days = first.iter_days().take_while(|date| *date <= last);
    days.map(|date| DailyStat { date, success: of(date, "success"), failed: of(date, "failed") }).collect()
}

/// The duration below which this share of the runs lies; `None` without runs.
fn quantile(counts: &[DurationCount], share: f64) -> Option<f64> {
    let total: i64 = counts.iter().map(|row| row.runs).sum();
    let rank = (total as f64 * share).ceil() as i64;
    let mut seen = 0;
    let bucket = counts.iter().find(|row| {
        seen += row.runs;
        seen >= rank
    })?;
    Some((bucket_seconds(bucket.bucket) * 10.0).round() / 10.0)
}

fn ratio(numerator: i64, denominator: i64) -> f64 {
    if denominator == 0 { 0.0 } else { (numerator as f64 * 100.0 / denominator as f64).round() / 100.0 }
}

fn percent(numerator: i64, denominator: i64) -> f64 {
    ratio(numerator * 100, denominator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_bucket_that_holds_the_rank() {
        let counts = |pairs: &[(i16, i64)]| -> Vec<_> {
            pairs.iter().map(|(bucket, runs)| DurationCount { bucket: *bucket, runs: *runs }).collect()
        };
        assert_eq!(quantile(&counts(&[]), 0.5), None);
        assert_eq!(quantile(&counts(&[(16, 1)]), 0.95), Some(4.2));
        assert_eq!(quantile(&counts(&[(16, 50), (40, 50)]), 0.5), Some(4.2));
        assert_eq!(quantile(&counts(&[(16, 49), (40, 51)]), 0.5), Some(33.4));
    }

    #[test]
    fn days_without_runs_are_shown() {
        let day = |day| NaiveDate::from_ymd_opt(2026, 3, day).expect("a day");
        let counts = [DayCount { day: day(2), outcome: "success".to_owned(), runs: 3 }];
        let shown: Vec<_> = daily_stats((day(1), day(3)), &counts).iter().map(|stat| stat.success).collect();
        assert_eq!(shown, [0, 3, 0]);
    }

    #[test]
    fn a_rate_over_nothing_is_zero() {
        assert_eq!(percent(0, 0), 0.0);
        assert_eq!(percent(1, 3), 33.33);
    }
}
