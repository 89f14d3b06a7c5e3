//! The dashboard: the overview in one answer.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::execution_view::{Record, rfc3339};
use crate::expose::numbers::{
    Rate, RunCounts, hexadecimal, most_frequent, percent, quantile, ratio, size_order, total,
};
use crate::expose::reason_view::SharedReason;
use crate::expose::table::lists;
use crate::store::model::facet::Facet;
use crate::store::read::counts::{DurationCount, FacetCount, OutcomeCount, ScriptCount, SlugCount};
use crate::store::read::signatures::{SignatureCount, SignatureScripts};

/// Most entries in a list.
pub const LENGTH: usize = 50;

/// The counts behind the dashboard.
#[derive(Debug)]
pub struct DashboardCounts {
    /// Counts that other answers need as well.
    pub runs: RunCounts,
    /// Failed and blocked runs by reason.
    pub signatures: Vec<SignatureCount>,
    /// The scripts that these reasons hit.
    pub signature_scripts: Vec<SignatureScripts>,
    /// Runs by each facet that has a list.
    pub facets: Vec<FacetCount>,
    /// Runs by repository slug.
    pub slugs: Vec<SlugCount>,
    /// Successful runs by duration.
    pub durations: Vec<DurationCount>,
    /// The newest runs.
    pub recent: Vec<Record>,
    /// First and last day of the period before, and its runs by outcome; `None` for all time.
    pub previous: Option<((NaiveDate, NaiveDate), Vec<OutcomeCount>)>,
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
                    #[allow(missing_docs, reason = "the name says it")]
                    $(#[serde(rename = $wire)])?
                    pub $key: String,
                )+
                /// Number of runs.
                pub count: i64,
            }

            impl $name {
                pub(super) fn new($($key: String,)+ count: i64) -> Self {
                    Self { $($key,)+ count }
                }
            }
        )+
    };
}

counted! {
    /// Runs of an application.
    AppCount { app }
    /// Runs on an operating system.
    OsCount { os }
    /// Runs with a method of choosing the settings.
    MethodCount { method }
    /// Runs on a version of Proxmox VE.
    VersionCount { version }
    /// Runs with so many cores.
    CoreCount { cores }
    /// Runs with so much memory in MB.
    RamCount { ram }
    /// Runs with a disk of so many GB.
    DiskCount { disk }
    /// Runs in privileged or unprivileged containers.
    PrivilegeCount { privilege }
    /// Runs of a type of script.
    TypeCount { kind as "type" }
    /// Runs with a GPU vendor and a kind of passthrough.
    GpuCount { vendor, passthrough }
    /// Failed, blocked and aborted runs of a category.
    CategoryCount { category }
    /// Runs of a host tool.
    ToolCount { tool }
    /// Runs of an add-on.
    AddonCount { addon }
    /// Runs from a repository.
    RepoSlugCount { slug }
}

/// Failed and blocked runs with the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorGroup {
    /// The title of the reason with its subject, or the failing line with its variable parts masked.
    pub pattern: String,
    /// The reason; `null` for the rare ones.
    pub reason: Option<SharedReason>,
    /// Number of failed and blocked runs.
    pub count: i64,
    /// Number of affected applications.
    pub unique_apps: i64,
    /// The ten most affected applications, separated by commas.
    pub apps: String,
    /// Id of the reason, 16 hexadecimal digits.
    pub signature: String,
}

/// The failure rate of one script.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FailedApp {
    /// Application.
    pub app: String,
    /// Type of the script.
    #[serde(rename = "type")]
    pub kind: String,
    /// Successful and failed runs.
    pub total_count: i64,
    /// Failed runs.
    pub failed_count: i64,
    /// `failed_count` as a percentage of `total_count`.
    pub failure_rate: f64,
}

/// Successful and failed runs of one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DailyStat {
    /// UTC day on which the runs began.
    pub date: NaiveDate,
    /// Successful runs.
    pub success: i64,
    /// Failed runs.
    pub failed: i64,
}

/// The runs of the period of the same length before, under the same filter.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Previous {
    /// First UTC day.
    pub from: NaiveDate,
    /// Last UTC day.
    pub to: NaiveDate,
    /// All runs.
    pub total_installs: i64,
    /// Successful runs.
    pub success_count: i64,
    /// Failed runs.
    pub failed_count: i64,
    /// Runs that the state of the host prevented.
    pub blocked_count: i64,
    /// Runs that a user or a signal ended.
    pub aborted_count: i64,
    /// Successful runs among successful and failed runs.
    pub success: Rate,
}

/// The overview. Only runs with a known application count, on the UTC day of their first event.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Dashboard {
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    pub total_installs: i64,
    /// `total_installs` without the dates of the filter.
    pub total_all_time: i64,
    /// Equals `total_installs`, because nothing is sampled.
    pub sample_size: i64,
    pub success_count: i64,
    pub failed_count: i64,
    /// Runs that the state of the host prevented.
    pub blocked_count: i64,
    pub aborted_count: i64,
    /// Runs without a final status and with a recent event.
    pub installing_count: i64,
    /// Runs without a final status or a recent event, and runs that ended with `unknown`.
    pub unfinished_count: i64,
    /// Runs whose start never arrived, so that their application is unknown. No other number includes them.
    pub unattributed_count: i64,
    /// Percentage of successful runs among successful and failed runs.
    pub success_rate: f64,
    /// The same share with its numerator and denominator.
    pub success: Rate,
    /// The period before; `null` for all time.
    pub previous: Option<Previous>,
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
    /// Failed, blocked and aborted runs by category.
    pub error_categories: Vec<CategoryCount>,
    pub top_tools: Vec<ToolCount>,
    pub top_addons: Vec<AddonCount>,
    /// Mean in seconds over successful runs with a reported duration.
    pub avg_install_duration: f64,
    /// Seconds, accurate to 4.5 %, over successful runs with a reported duration.
    pub median_install_duration: Option<f64>,
    /// Seconds, accurate to 4.5 %, over successful runs with a reported duration.
    pub p95_install_duration: Option<f64>,
    pub total_tools: i64,
    pub total_addons: i64,
    pub repo_slugs: Vec<RepoSlugCount>,
    /// By number of cores, smallest first. Only runs that reported it.
    pub core_stats: Vec<CoreCount>,
    /// By memory in MB, smallest first. Only runs that reported it.
    pub ram_stats: Vec<RamCount>,
    /// By disk size in GB, smallest first. Only runs that reported it.
    pub disk_stats: Vec<DiskCount>,
    /// `unprivileged` and `privileged`. Only runs in containers.
    pub privilege_stats: Vec<PrivilegeCount>,
}

lists!(Dashboard: top_apps, daily_stats, os_distribution, method_stats, pve_versions, type_stats,
    error_analysis, failed_apps, recent_records, gpu_stats, error_categories, top_tools, top_addons, repo_slugs,
    core_stats, ram_stats, disk_stats, privilege_stats);

/// Builds the dashboard.
#[must_use]
pub fn dashboard(counts: DashboardCounts) -> Dashboard {
    let runs = &counts.runs;
    let total = total(&runs.scripts);
    let of_kind = |kind: &str| {
        let totals = runs.scripts.iter().filter(|row| row.app.is_none() && row.kind == kind);
        totals.map(|row| row.runs).sum()
    };
    let bad_ends = runs.exit_codes.iter().map(|row| (row.category.as_str(), row.runs));
    Dashboard {
        as_of: runs.as_of,
        total_installs: total.runs,
        total_all_time: counts.total_all_time,
        sample_size: total.runs,
        success_count: total.success,
        failed_count: total.failed,
        blocked_count: total.blocked,
        aborted_count: total.aborted,
        installing_count: total.running,
        unfinished_count: total.unfinished(),
        unattributed_count: total.unattributed,
        success_rate: percent(total.success, total.success + total.failed),
        success: Rate::of(total.success, total.success + total.failed),
        previous: counts.previous.map(|(days, outcomes)| previous(days, &outcomes)),
        top_apps: top_apps(&runs.scripts),
        os_distribution: by_facet(&counts.facets, Facet::Os, OsCount::new),
        method_stats: by_facet(&counts.facets, Facet::Method, MethodCount::new),
        pve_versions: by_facet(&counts.facets, Facet::PveVersion, VersionCount::new),
        type_stats: type_stats(&runs.scripts),
        error_analysis: error_analysis(counts.signatures, counts.signature_scripts),
        failed_apps: failed_apps(&runs.scripts),
        recent_records: counts.recent,
        daily_stats: runs.each_day(|date, by| DailyStat {
            date,
            success: by.get("success").copied().unwrap_or_default(),
            failed: by.get("failed").copied().unwrap_or_default(),
        }),
        gpu_stats: counts
            .facets
            .iter()
            .filter(|row| row.facet == Facet::Gpu.as_str())
            .map(|row| GpuCount::new(row.value.clone(), row.detail.clone(), row.runs))
            .collect(),
        error_categories: list(most_frequent(bad_ends), CategoryCount::new),
        top_tools: of_type(&runs.scripts, "pve", ToolCount::new),
        top_addons: of_type(&runs.scripts, "addon", AddonCount::new),
        avg_install_duration: ratio(total.duration_sum, total.duration_count),
        median_install_duration: quantile(&counts.durations, 0.5),
        p95_install_duration: quantile(&counts.durations, 0.95),
        total_tools: of_kind("pve"),
        total_addons: of_kind("addon"),
        repo_slugs: counts.slugs.into_iter().map(|row| RepoSlugCount::new(row.slug, row.runs)).collect(),
        core_stats: by_size(&counts.facets, Facet::Cores, CoreCount::new),
        ram_stats: by_size(&counts.facets, Facet::Ram, RamCount::new),
        disk_stats: by_size(&counts.facets, Facet::Disk, DiskCount::new),
        privilege_stats: by_facet(&counts.facets, Facet::Privilege, PrivilegeCount::new),
    }
}

fn list<'a, T>(rows: impl IntoIterator<Item = (&'a str, i64)>, new: fn(String, i64) -> T) -> Vec<T> {
    rows.into_iter().map(|(key, runs)| new(key.to_owned(), runs)).collect()
}

fn by_facet<T>(facets: &[FacetCount], facet: Facet, new: fn(String, i64) -> T) -> Vec<T> {
    list(
        facets.iter().filter(|row| row.facet == facet.as_str()).map(|row| (row.value.as_str(), row.runs)),
        new,
    )
}

/// As [`by_facet`], smallest first.
fn by_size<T>(facets: &[FacetCount], facet: Facet, new: fn(String, i64) -> T) -> Vec<T> {
    let mut rows: Vec<_> = facets.iter().filter(|row| row.facet == facet.as_str()).collect();
    rows.sort_by_key(|row| size_order(&row.value));
    rows.into_iter().map(|row| new(row.value.clone(), row.runs)).collect()
}

fn previous((from, to): (NaiveDate, NaiveDate), outcomes: &[OutcomeCount]) -> Previous {
    let runs =
        |outcome: &str| outcomes.iter().filter(|row| row.outcome == outcome).map(|row| row.runs).sum::<i64>();
    let (success, failed) = (runs("success"), runs("failed"));
    Previous {
        from,
        to,
        total_installs: outcomes.iter().map(|row| row.runs).sum(),
        success_count: success,
        failed_count: failed,
        blocked_count: runs("blocked"),
        aborted_count: runs("aborted"),
        success: Rate::of(success, success + failed),
    }
}

fn top_apps(scripts: &[ScriptCount]) -> Vec<AppCount> {
    let runs: BTreeMap<_, _> =
        scripts.iter().filter_map(|row| Some((row.app.as_deref()?, row.app_runs))).collect();
    list(most_frequent(runs.into_iter()).into_iter().take(LENGTH), AppCount::new)
}

fn type_stats(scripts: &[ScriptCount]) -> Vec<TypeCount> {
    let kinds = scripts.iter().filter(|row| row.app.is_none() && !row.kind.is_empty() && row.runs > 0);
    list(most_frequent(kinds.map(|row| (row.kind.as_str(), row.runs))), TypeCount::new)
}

fn of_type<T>(scripts: &[ScriptCount], kind: &str, new: fn(String, i64) -> T) -> Vec<T> {
    let scripts = scripts.iter().filter(|row| row.kind == kind);
    let runs = most_frequent(scripts.filter_map(|row| Some((row.app.as_deref()?, row.runs))));
    list(runs.into_iter().take(LENGTH), new)
}

fn error_analysis(signatures: Vec<SignatureCount>, scripts: Vec<SignatureScripts>) -> Vec<ErrorGroup> {
    let mut scripts: HashMap<_, _> = scripts.into_iter().map(|row| (row.signature, row)).collect();
    let groups = signatures.into_iter().filter_map(|row| {
        let hit = scripts.remove(&row.signature)?;
        Some(ErrorGroup {
            pattern: row.template?,
            reason: SharedReason::of(row.reason, row.subject, row.category, row.blame),
            count: row.runs,
            unique_apps: hit.scripts,
            apps: hit.names.join(", "),
            signature: hexadecimal(row.signature),
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

/// The scripts with the most failed runs.
#[must_use]
pub fn worst(scripts: &[ScriptCount]) -> Vec<(&str, &ScriptCount)> {
    let failed = scripts.iter().filter(|row| row.failed > 0);
    let mut failed: Vec<_> = failed.filter_map(|row| Some((row.app.as_deref()?, row))).collect();
    failed.sort_by_key(|(app, row)| (-row.failed, *app, row.kind.as_str()));
    failed.truncate(LENGTH);
    failed
}
