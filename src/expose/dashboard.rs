//! The dashboard: one answer with everything that the overview needs.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::execution::rfc3339;
use crate::expose::numbers::{Rate, Totals, each_day, percent, quantile, ratio};
use crate::expose::records::Record;
use crate::expose::table::lists;
use crate::store::read::causes::ExitCodeCount;
use crate::store::read::counts::{DayCount, DurationCount, FacetCount, ScriptCount, SlugCount};
use crate::store::read::signatures::{SignatureCount, SignatureScripts};

/// Length of the lists.
pub const LENGTH: usize = 50;

/// What the dashboard is made of: all of one moment and one filter.
#[derive(Debug)]
pub struct Counts {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// First and last day of `daily_stats`.
    pub days_shown: (NaiveDate, NaiveDate),
    /// Runs by script, and by type.
    pub scripts: Vec<ScriptCount>,
    /// Runs by day and outcome.
    pub days: Vec<DayCount>,
    /// Bad ends.
    pub exit_codes: Vec<ExitCodeCount>,
    /// Failed and blocked runs by failing line.
    pub signatures: Vec<SignatureCount>,
    /// The scripts that they hit.
    pub signature_scripts: Vec<SignatureScripts>,
    /// Runs by `os`, `method`, `pve_version` and `gpu`.
    pub facets: Vec<FacetCount>,
    /// Runs by repository slug.
    pub slugs: Vec<SlugCount>,
    /// Successful runs by duration.
    pub durations: Vec<DurationCount>,
    /// The newest executions.
    pub recent: Vec<Record>,
    /// Runs under the same filter without its dates.
    pub total_all_time: i64,
}

macro_rules! counted {
    ($($(#[$doc:meta])* $name:ident { $($key:ident $(as $wire:tt)?),+ })+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
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

/// Failed and blocked runs with the same failing line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorGroup {
    /// The line without its variable parts.
    pub pattern: String,
    /// Runs.
    pub count: i64,
    /// Number of applications hit.
    pub unique_apps: i64,
    /// The ten most hit of them, separated by commas.
    pub apps: String,
    /// Id of the pattern.
    pub signature: String,
}

/// How often a script fails.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DailyStat {
    /// UTC day of the first event.
    pub date: NaiveDate,
    /// Succeeded runs.
    pub success: i64,
    /// Failed runs.
    pub failed: i64,
}

/// The answer. Counts are of runs with an app, by the UTC day of their first event.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the fields are those of the contract")]
pub struct Dashboard {
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    pub total_installs: i64,
    /// The same without the dates of the filter.
    pub total_all_time: i64,
    /// As `total_installs`: nothing is sampled.
    pub sample_size: i64,
    pub success_count: i64,
    pub failed_count: i64,
    /// Runs that refused to begin: the fault of the host.
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
    /// The same, with what it was made from.
    pub success: Rate,
    pub top_apps: Vec<AppCount>,
    pub os_distribution: Vec<OsCount>,
    pub method_stats: Vec<MethodCount>,
    pub pve_versions: Vec<VersionCount>,
    pub type_stats: Vec<TypeCount>,
    pub error_analysis: Vec<ErrorGroup>,
    pub failed_apps: Vec<FailedApp>,
    pub recent_records: Vec<Record>,
    pub daily_stats: Vec<DailyStat>,
    pub gpu_stats: Vec<GpuCount>,
    /// Failed, blocked and aborted runs.
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

lists!(Dashboard: top_apps, daily_stats, os_distribution, method_stats, pve_versions, type_stats,
    error_analysis, failed_apps, recent_records, gpu_stats, error_categories, top_tools, top_addons, repo_slugs);

/// Puts the dashboard together.
#[must_use]
pub fn dashboard(counts: Counts) -> Dashboard {
    let total = Totals::of(&counts.scripts);
    let facet = |name: &'static str| counts.facets.iter().filter(move |row| row.facet == name);
    let of_kind = |kind: &str| {
        let totals = counts.scripts.iter().filter(|row| row.app.is_none() && row.kind == kind);
        totals.map(|row| row.runs).sum()
    };
    let bad_ends = counts.exit_codes.iter().map(|row| (row.category.as_str(), row.runs));
    Dashboard {
        as_of: counts.as_of,
        total_installs: total.runs,
        total_all_time: counts.total_all_time,
        sample_size: total.runs,
        success_count: total.success,
        failed_count: total.failed,
        blocked_count: total.blocked,
        aborted_count: total.aborted,
        installing_count: total.running,
        unfinished_count: total.unfinished,
        unattributed_count: total.unattributed,
        success_rate: percent(total.success, total.success + total.failed),
        success: Rate::of(total.success, total.success + total.failed),
        top_apps: top_apps(&counts.scripts),
        os_distribution: facet("os").map(|row| OsCount { os: row.value.clone(), count: row.runs }).collect(),
        method_stats: facet("method")
            .map(|row| MethodCount { method: row.value.clone(), count: row.runs })
            .collect(),
        pve_versions: facet("pve_version")
            .map(|row| VersionCount { version: row.value.clone(), count: row.runs })
            .collect(),
        type_stats: type_stats(&counts.scripts),
        error_analysis: error_analysis(counts.signatures, counts.signature_scripts),
        failed_apps: failed_apps(&counts.scripts),
        recent_records: counts.recent,
        daily_stats: each_day(counts.days_shown, &counts.days, |date, of| DailyStat {
            date,
            success: of("success"),
            failed: of("failed"),
        }),
        gpu_stats: facet("gpu")
            .map(|row| GpuCount {
                vendor: row.value.clone(),
                passthrough: row.detail.clone(),
                count: row.runs,
            })
            .collect(),
        error_categories: most(bad_ends)
            .into_iter()
            .map(|(category, count)| CategoryCount { category: category.to_owned(), count })
            .collect(),
        top_tools: of_type(&counts.scripts, "pve").map(|(tool, count)| ToolCount { tool, count }).collect(),
        top_addons: of_type(&counts.scripts, "addon")
            .map(|(addon, count)| AddonCount { addon, count })
            .collect(),
        avg_install_duration: ratio(total.duration_sum, total.duration_count),
        median_install_duration: quantile(&counts.durations, 0.5),
        p95_install_duration: quantile(&counts.durations, 0.95),
        total_tools: of_kind("pve"),
        total_addons: of_kind("addon"),
        repo_slugs: counts
            .slugs
            .into_iter()
            .map(|row| RepoSlugCount { slug: row.slug, count: row.runs })
            .collect(),
    }
}

/// Adds up by key, most frequent first.
#[must_use]
pub fn most<'a>(rows: impl Iterator<Item = (&'a str, i64)>) -> Vec<(&'a str, i64)> {
    let mut sums = BTreeMap::<_, i64>::new();
    for (key, runs) in rows {
        *sums.entry(key).or_default() += runs;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, runs)| -runs);
    sums
}

fn top_apps(scripts: &[ScriptCount]) -> Vec<AppCount> {
    let runs: BTreeMap<_, _> =
        scripts.iter().filter_map(|row| Some((row.app.as_deref()?, row.app_runs))).collect();
    let apps = most(runs.into_iter()).into_iter().take(LENGTH);
    apps.map(|(app, count)| AppCount { app: app.to_owned(), count }).collect()
}

fn type_stats(scripts: &[ScriptCount]) -> Vec<TypeCount> {
    let kinds = scripts.iter().filter(|row| row.app.is_none() && !row.kind.is_empty() && row.runs > 0);
    let kinds = most(kinds.map(|row| (row.kind.as_str(), row.runs))).into_iter();
    kinds.map(|(kind, count)| TypeCount { kind: kind.to_owned(), count }).collect()
}

fn of_type(scripts: &[ScriptCount], kind: &str) -> impl Iterator<Item = (String, i64)> {
    let scripts = scripts.iter().filter(|row| row.kind == kind);
    let apps = most(scripts.filter_map(|row| Some((row.app.as_deref()?, row.runs)))).into_iter().take(LENGTH);
    apps.map(|(app, runs)| (app.to_owned(), runs)).collect::<Vec<_>>().into_iter()
}

fn error_analysis(signatures: Vec<SignatureCount>, scripts: Vec<SignatureScripts>) -> Vec<ErrorGroup> {
    let mut scripts: HashMap<_, _> = scripts.into_iter().map(|row| (row.signature, row)).collect();
    let groups = signatures.into_iter().filter_map(|row| {
        let hit = scripts.remove(&row.signature)?;
        Some(ErrorGroup {
            pattern: row.template?,
            count: row.runs,
            unique_apps: hit.scripts,
            apps: hit.names.join(", "),
            signature: format!("{:016x}", row.signature),
        })
    });
    groups.collect()
}

fn failed_apps(scripts: &[ScriptCount]) -> Vec<FailedApp> {
    worst(scripts)
        .into_iter()
        .map(|(app, row)| FailedApp {
            app: app.to_owned(),
            kind: row.kind.clone(),
            total_count: row.success + row.failed,
            failed_count: row.failed,
            failure_rate: percent(row.failed, row.success + row.failed),
        })
        .collect()
}

/// The scripts that failed most often.
#[must_use]
pub fn worst(scripts: &[ScriptCount]) -> Vec<(&str, &ScriptCount)> {
    let failed = scripts.iter().filter(|row| row.failed > 0);
    let mut failed: Vec<_> = failed.filter_map(|row| Some((row.app.as_deref()?, row))).collect();
    failed.sort_by_key(|(app, row)| (-row.failed, *app, row.kind.as_str()));
    failed.truncate(LENGTH);
    failed
}
