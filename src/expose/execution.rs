//! One execution as the API shows it.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use telemetry_protocol::exit_code::explain;
use telemetry_protocol::{Generation, Outcome, Status};
use utoipa::ToSchema;

use crate::ingest::execution::Execution;
use crate::ingest::reported::{Facts, Reported};
use crate::store::read::models::CommonModels;

/// Everything that is stored about a run but its ids. `null` for what was never sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the fields are those of the contract")]
pub struct ExecutionView {
    pub app: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    #[schema(value_type = String)]
    pub status: Status,
    /// `null` while the run may still go on.
    pub outcome: Option<&'static str>,
    pub exit_code: Option<i32>,
    pub exit_code_explanation: Option<String>,
    pub error: Option<String>,
    pub error_category: Option<&'static str>,
    /// The category that the client told, of which `error_category` may know better.
    pub error_category_reported: Option<String>,
    pub signature: Option<String>,
    pub os_type: Option<String>,
    pub os_version: Option<String>,
    pub pve_version: Option<String>,
    pub ct_type: Option<i32>,
    pub disk_size: Option<i32>,
    pub core_count: Option<i32>,
    pub ram_size: Option<i32>,
    pub method: Option<String>,
    pub install_duration: Option<i32>,
    pub cpu_vendor: Option<String>,
    pub cpu_model: Option<String>,
    pub gpu_vendor: Option<String>,
    pub gpu_model: Option<String>,
    pub gpu_passthrough: Option<String>,
    pub ram_speed: Option<String>,
    pub arch: Option<String>,
    pub platform: Option<String>,
    pub has_arm: Option<bool>,
    pub kernel_version: Option<String>,
    pub app_version: Option<String>,
    pub failed_command: Option<String>,
    pub failed_line: Option<i32>,
    pub repo_source: Option<String>,
    pub repo_slug: Option<String>,
    /// `tarball` or `oci`: what the container was made from.
    pub template_kind: Option<String>,
    pub custom_entrypoint: Option<bool>,
    pub host_managed_network: Option<bool>,
    /// `local`, `remote`, `pinned` or `mirror`: where the scripts came from.
    pub runtime_source: Option<String>,
    /// `main`, a release tag or a commit.
    pub runtime_ref: Option<String>,
    /// Clients of 2025 only.
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
    pub steps: Vec<Step>,
}

/// A status and when it was first reported.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Step {
    /// The status.
    #[schema(value_type = String)]
    pub status: Status,
    /// Its first arrival.
    #[serde(serialize_with = "rfc3339")]
    pub at: DateTime<Utc>,
}

/// Times go out as RFC 3339 in UTC, to the millisecond.
///
/// # Errors
/// What the serializer says.
pub fn rfc3339<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// As [`rfc3339`]; `null` for none.
///
/// # Errors
/// What the serializer says.
pub fn rfc3339_or_null<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => rfc3339(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// The outcome as it is published: a run without an end is unfinished when its last event came
/// before the full hour `running_since`, or when its end says nothing. `None` while it may still
/// go on.
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
    /// Without models of hardware that hardly anybody else has, for lists that everybody may see.
    #[must_use]
    pub fn without_rare_models(self, common: &CommonModels) -> Self {
        let cpu_model = self.cpu_model.filter(|model| common.cpu.contains(model));
        let gpu_model = self.gpu_model.filter(|model| common.gpu.contains(model));
        Self { cpu_model, gpu_model, ..self }
    }

    /// Shows an execution as of a time at which runs without an event since `running_since` are
    /// unfinished.
    #[must_use]
    pub fn of(execution: &Execution, running_since: DateTime<Utc>) -> Self {
        // All of them by name, so that none can be forgotten. The code is read by `Execution::exit_code`.
        let Facts {
            app,
            kind,
            ct_type,
            disk_size,
            core_count,
            ram_size,
            os_type,
            os_version,
            pve_version,
            method,
            disable_ipv6,
            exit_code: _,
            error,
            error_category,
            install_duration,
            failed_command,
            failed_line,
            cpu_vendor,
            cpu_model,
            gpu_vendor,
            gpu_model,
            gpu_passthrough,
            ram_speed,
            arch,
            platform,
            has_arm,
            kernel_version,
            app_version,
            repo_source,
            repo_slug,
            template_kind,
            custom_entrypoint,
            host_managed_network,
            runtime_source,
            runtime_ref,
        } = &execution.facts;
        let text = |told: &Reported<String>| told.get().map(|text| text.as_str().to_owned());
        let number = |told: &Reported<i32>| told.get().copied();
        let flag = |told: &Reported<bool>| told.get().copied();
        let failure = |told: &Reported<String>| execution.failure_text(told).map(str::to_owned);
        let exit_code = execution.exit_code();
        let steps =
            Status::ALL.into_iter().filter_map(|status| Some(Step { status, at: execution.step(status)? }));
        let mut steps: Vec<_> = steps.collect();
        steps.sort_by_key(|step| (step.at, step.status));
        Self {
            app: text(app),
            kind: text(kind),
            status: execution.status(),
            outcome: published_outcome(execution, running_since),
            exit_code,
            exit_code_explanation: exit_code
                .filter(|code| *code != 0)
                .map(|code| explain(execution.generation, code).title.into_owned()),
            error: failure(error),
            error_category: execution.category().map(|category| category.as_str()),
            signature: execution.signature.map(|id| format!("{id:016x}")),
            error_category_reported: failure(error_category),
            os_type: text(os_type),
            os_version: text(os_version),
            pve_version: text(pve_version),
            ct_type: number(ct_type),
            disk_size: number(disk_size),
            core_count: number(core_count),
            ram_size: number(ram_size),
            method: text(method),
            install_duration: install_duration.reported_with(execution.status()).copied(),
            cpu_vendor: text(cpu_vendor),
            cpu_model: text(cpu_model),
            gpu_vendor: text(gpu_vendor),
            gpu_model: text(gpu_model),
            gpu_passthrough: text(gpu_passthrough),
            ram_speed: text(ram_speed),
            arch: text(arch),
            platform: text(platform),
            has_arm: flag(has_arm),
            kernel_version: text(kernel_version),
            app_version: text(app_version),
            failed_command: failure(failed_command),
            failed_line: failed_line.reported_with(execution.status()).copied(),
            repo_source: text(repo_source),
            repo_slug: text(repo_slug),
            template_kind: text(template_kind),
            custom_entrypoint: flag(custom_entrypoint),
            host_managed_network: flag(host_managed_network),
            runtime_source: text(runtime_source),
            runtime_ref: text(runtime_ref),
            disableip6: flag(disable_ipv6),
            generation: execution.generation,
            first_seen: execution.first_seen,
            last_seen: execution.last_seen,
            finished_at: execution.finished_at(),
            steps,
        }
    }
}
