//! The answers of the 2025 API, under `/data`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::dashboard::RepoSlugCount;
use crate::expose::execution_view::{ExecutionView, rfc3339};
use crate::expose::numbers::total;
use crate::expose::table::lists;
use crate::store::read::counts::{ScriptCount, SlugCount};
use crate::store::read::known::Shown;
use crate::store::read::signatures::SignatureCount;

/// Most applications in the summary.
const APPS: usize = 1_000;

/// One run.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Entry {
    /// Opaque id. It only distinguishes entries.
    pub id: String,
    pub ct_type: Option<i32>,
    pub disk_size: Option<i32>,
    pub core_count: Option<i32>,
    pub ram_size: Option<i32>,
    pub os_type: Option<String>,
    pub os_version: Option<String>,
    pub disableip6: Option<bool>,
    pub nsapp: Option<String>,
    pub method: Option<String>,
    #[serde(serialize_with = "rfc3339")]
    pub created_at: DateTime<Utc>,
    pub pve_version: Option<String>,
    pub status: String,
    /// Always empty, because the id authorises its holder to report on the run.
    pub random_id: &'static str,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub error: Option<String>,
}

impl Entry {
    /// Shows an execution under an opaque id.
    #[must_use]
    pub fn of(run: &Shown, id: String) -> Self {
        let view = ExecutionView::of(run, run.execution.last_seen);
        Self {
            id,
            ct_type: view.ct_type,
            disk_size: view.disk_size,
            core_count: view.core_count,
            ram_size: view.ram_size,
            os_type: view.os_type,
            os_version: view.os_version,
            disableip6: run.execution.facts.disable_ipv6.get().copied(),
            nsapp: view.app,
            method: view.method,
            created_at: run.execution.first_seen,
            pve_version: view.pve_version,
            status: run.execution.status().as_str().to_owned(),
            random_id: "",
            kind: view.kind,
            error: view.error,
        }
    }
}

/// Runs by outcome and application.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Summary {
    /// The time at which the answer was true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// Number of runs.
    pub total_entries: i64,
    /// Runs by outcome: `success`, `failed`, `blocked`, `aborted`, `installing` and `unfinished`.
    pub status_count: BTreeMap<&'static str, i64>,
    /// Runs of the 1,000 applications with the most runs.
    pub nsapp_count: BTreeMap<String, i64>,
}

/// Builds the summary.
#[must_use]
pub fn summary(as_of: DateTime<Utc>, scripts: &[ScriptCount]) -> Summary {
    let total = total(scripts);
    let status_count = BTreeMap::from([
        ("success", total.success),
        ("failed", total.failed),
        ("blocked", total.blocked),
        ("aborted", total.aborted),
        ("installing", total.running),
        ("unfinished", total.unfinished()),
    ]);
    let mut apps: Vec<_> = scripts.iter().filter_map(|row| Some((row.app.as_ref()?, row.app_runs))).collect();
    apps.sort_by_key(|(app, runs)| (-runs, *app));
    apps.dedup();
    let nsapp_count = apps.into_iter().take(APPS).map(|(app, runs)| (app.clone(), runs)).collect();
    Summary { as_of, total_entries: total.runs, status_count, nsapp_count }
}

/// Failed and blocked runs with the same error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorCount {
    /// The failing line with its variable parts masked.
    pub error: String,
    /// Number of runs.
    pub count: i64,
}

/// Errors, most frequent first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ErrorCounts {
    /// The time at which the answer was true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// The 1,000 most frequent.
    pub error_counts: Vec<ErrorCount>,
}

lists!(ErrorCounts: error_counts);

impl ErrorCounts {
    /// Shows these signatures.
    #[must_use]
    pub fn of(as_of: DateTime<Utc>, signatures: Vec<SignatureCount>) -> Self {
        let counts = signatures
            .into_iter()
            .filter_map(|row| Some(ErrorCount { error: row.template?, count: row.runs }));
        Self { as_of, error_counts: counts.collect() }
    }
}

/// Runs by the repository of the scripts, most frequent first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RepoSlugs {
    /// The time at which the answer was true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// The 1,000 most frequent.
    pub repo_slugs: Vec<RepoSlugCount>,
}

lists!(RepoSlugs: repo_slugs);

impl RepoSlugs {
    /// Shows these counts.
    #[must_use]
    pub fn of(as_of: DateTime<Utc>, slugs: Vec<SlugCount>) -> Self {
        let counts = slugs.into_iter().map(|row| RepoSlugCount::new(row.slug, row.runs));
        Self { as_of, repo_slugs: counts.collect() }
    }
}
