//! One execution as the API shows it, alone and in lists.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use serde_json::json;
use telemetry_protocol::exit_code::explain;
use telemetry_protocol::{Generation, Outcome, Status};
use utoipa::ToSchema;

use crate::expose::numbers::hexadecimal;
use crate::expose::reason_view::ReasonView;
use crate::ingest::execution::Execution;
use crate::ingest::reported::Reported;
use crate::store::read::known::Shown;

/// Everything that is stored about one run except its ids. A field is `null` if the client never sent it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the fields are those of the contract")]
pub struct ExecutionView {
    pub app: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    #[schema(value_type = String)]
    pub status: Status,
    /// `success`, `failed`, `blocked`, `aborted` or `unfinished`; `null` while the run may still be going on.
    pub outcome: Option<&'static str>,
    /// 0 to 255; 0 for a success.
    pub exit_code: Option<i32>,
    pub exit_code_explanation: Option<String>,
    pub error: Option<String>,
    pub error_category: Option<&'static str>,
    /// The category as the client reported it; `error_category` is derived from the reason or the exit code.
    pub error_category_reported: Option<String>,
    /// Id of the signature of the failure, 16 hexadecimal digits.
    pub signature: Option<String>,
    /// Why the run failed, was blocked or was aborted; `null` for any other run.
    pub reason: Option<ReasonView>,
    pub os_type: Option<String>,
    pub os_version: Option<String>,
    pub pve_version: Option<String>,
    /// 1 unprivileged container, 0 privileged container, 2 virtual machine.
    pub ct_type: Option<i32>,
    /// GB.
    pub disk_size: Option<i32>,
    pub core_count: Option<i32>,
    /// MB.
    pub ram_size: Option<i32>,
    pub method: Option<String>,
    /// Seconds.
    pub install_duration: Option<i32>,
    pub cpu_vendor: Option<String>,
    pub cpu_model: Option<String>,
    pub gpu_vendor: Option<String>,
    pub gpu_model: Option<String>,
    pub gpu_passthrough: Option<String>,
    /// MT/s, as sent.
    pub ram_speed: Option<String>,
    pub arch: Option<String>,
    pub platform: Option<String>,
    pub has_arm: Option<bool>,
    pub kernel_version: Option<String>,
    pub app_version: Option<String>,
    pub failed_command: Option<String>,
    /// Line of `failed_command` in the script, from 1.
    pub failed_line: Option<i32>,
    pub repo_source: Option<String>,
    pub repo_slug: Option<String>,
    /// What the container was created from: `tarball` or `oci`.
    pub template_kind: Option<String>,
    pub custom_entrypoint: Option<bool>,
    pub host_managed_network: Option<bool>,
    /// Where the scripts were loaded from: `local`, `remote`, `pinned` or `mirror`.
    pub runtime_source: Option<String>,
    /// Revision of the scripts: `main`, a release tag or a commit.
    pub runtime_ref: Option<String>,
    /// Whether IPv6 was disabled; only clients of 2025 report it.
    pub disableip6: Option<bool>,
    /// Generation of the client, 0 to 3.
    #[schema(value_type = u8)]
    pub generation: Generation,
    #[serde(serialize_with = "rfc3339")]
    pub first_seen: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339")]
    pub last_seen: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339_or_null")]
    pub finished_at: Option<DateTime<Utc>>,
    /// Oldest first.
    pub steps: Vec<Step>,
}

/// A status and the time of its first report.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Step {
    /// The reported status.
    #[schema(value_type = String)]
    pub status: Status,
    /// Arrival of the first event with this status.
    #[serde(serialize_with = "rfc3339")]
    pub at: DateTime<Utc>,
}

/// Serializes a time as RFC 3339 in UTC with milliseconds.
///
/// # Errors
/// Any error of the serializer.
pub fn rfc3339<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Like [`rfc3339`], with `null` for `None`.
///
/// # Errors
/// Any error of the serializer.
pub fn rfc3339_or_null<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => rfc3339(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// The outcome as the API publishes it; `None` while the run may still be going on.
///
/// An open run is `unfinished` when its last event arrived before the full hour `running_since`, or when it
/// ended with the status `unknown`.
#[must_use]
pub fn published_outcome(execution: &Execution, running_since: DateTime<Utc>) -> Option<&'static str> {
    match execution.outcome() {
        Outcome::Open => {
            let is_running = execution.open_hour().is_some_and(|hour| hour >= running_since);
            (!is_running).then_some("unfinished")
        }
        outcome => Some(outcome.as_str()),
    }
}

impl ExecutionView {
    /// Shows an execution; see [`published_outcome`] for `running_since`.
    #[must_use]
    pub fn of(run: &Shown, running_since: DateTime<Utc>) -> Self {
        let Shown { execution, diagnosis } = run;
        let facts = &execution.facts;
        let text = |fact: &Reported<String>| fact.get().map(|text| text.as_str().to_owned());
        let number = |fact: &Reported<i32>| fact.get().copied();
        let flag = |fact: &Reported<bool>| fact.get().copied();
        let failure = |fact: &Reported<String>| execution.failure_text(fact).map(str::to_owned);
        let exit_code = execution.exit_code();
        let steps =
            Status::ALL.into_iter().filter_map(|status| Some(Step { status, at: execution.step(status)? }));
        let mut steps: Vec<_> = steps.collect();
        steps.sort_by_key(|step| (step.at, step.status));
        Self {
            app: text(&facts.app),
            kind: text(&facts.kind),
            status: execution.status(),
            outcome: published_outcome(execution, running_since),
            exit_code,
            exit_code_explanation: exit_code
                .filter(|code| *code != 0)
                .map(|code| explain(execution.generation, code).title.into_owned()),
            error: failure(&facts.error),
            error_category: execution.category.map(|category| category.as_str()),
            signature: execution.signature.map(hexadecimal),
            reason: ReasonView::of(execution, diagnosis.as_ref()),
            error_category_reported: failure(&facts.error_category),
            os_type: text(&facts.os_type),
            os_version: text(&facts.os_version),
            pve_version: text(&facts.pve_version),
            ct_type: number(&facts.ct_type),
            disk_size: number(&facts.disk_size),
            core_count: number(&facts.core_count),
            ram_size: number(&facts.ram_size),
            method: text(&facts.method),
            install_duration: facts.install_duration.reported_with(execution.status()).copied(),
            cpu_vendor: text(&facts.cpu_vendor),
            cpu_model: text(&facts.cpu_model),
            gpu_vendor: text(&facts.gpu_vendor),
            gpu_model: text(&facts.gpu_model),
            gpu_passthrough: text(&facts.gpu_passthrough),
            ram_speed: text(&facts.ram_speed),
            arch: text(&facts.arch),
            platform: text(&facts.platform),
            has_arm: flag(&facts.has_arm),
            kernel_version: text(&facts.kernel_version),
            app_version: text(&facts.app_version),
            failed_command: failure(&facts.failed_command),
            failed_line: facts.failed_line.reported_with(execution.status()).copied(),
            repo_source: text(&facts.repo_source),
            repo_slug: text(&facts.repo_slug),
            template_kind: text(&facts.template_kind),
            custom_entrypoint: flag(&facts.custom_entrypoint),
            host_managed_network: flag(&facts.host_managed_network),
            runtime_source: text(&facts.runtime_source),
            runtime_ref: text(&facts.runtime_ref),
            disableip6: flag(&facts.disable_ipv6),
            generation: execution.generation,
            first_seen: execution.first_seen,
            last_seen: execution.last_seen,
            finished_at: execution.finished_at(),
            steps,
        }
    }
}

/// One run in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Record {
    /// Everything that is stored about the run except its ids.
    #[serde(flatten)]
    pub execution: ExecutionView,
    /// Arrival of the first event.
    #[serde(serialize_with = "rfc3339")]
    pub created: DateTime<Utc>,
    /// The steps as JSON in a string: `[{"s":status,"t":time}]`.
    pub pipeline: String,
}

impl Record {
    /// Shows an execution like [`ExecutionView::of`].
    #[must_use]
    pub fn of(run: &Shown, running_since: DateTime<Utc>) -> Self {
        let view = ExecutionView::of(run, running_since);
        let steps = view
            .steps
            .iter()
            .map(|step| json!({"s": step.status, "t": step.at.to_rfc3339_opts(SecondsFormat::Millis, true)}));
        let pipeline = serde_json::Value::Array(steps.collect()).to_string();
        Self { created: view.first_seen, pipeline, execution: view }
    }
}

/// One page of runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Records {
    /// The time at which the answer was true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// The runs.
    pub records: Vec<Record>,
    /// Number of the page, from 1; `null` for a page requested by cursor.
    pub page: Option<i64>,
    /// Most runs on a page.
    pub limit: i64,
    /// Matching runs; see `total_is_exact`.
    pub total: i64,
    /// Whether `total` is exact. Some filters are only counted up to 10,000 runs; then there may be more.
    pub total_is_exact: bool,
    /// Number of pages.
    pub total_pages: i64,
    /// Pass this as `cursor` for the next page; `null` on the last page.
    pub next_cursor: Option<String>,
}
