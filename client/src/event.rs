//! The event of one report, in the wire format of generation 3.
//!
//! An [`Event`] may contain secrets. [`Event::clean`] scrubs it and is the only constructor of
//! [`CleanEvent`], the only type that can be written or sent. Unknown values are omitted.

use std::path::Path;

use serde::Serialize;
use telemetry_protocol::{Generation, Status, exit_code};
use uuid::Uuid;

use crate::excerpt;
use crate::facts::Facts;
use crate::run_settings::{self, Guest};
use crate::runtime;
use crate::system::Host;
use crate::template;

/// Version of the payload; older clients send 2.
const PAYLOAD_VERSION: u8 = 3;
/// Longest plausible duration; a longer one means that the clock was changed.
const MAX_DURATION_S: u64 = 30 * 24 * 3600;

/// An event that may still contain secrets.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    payload_version: u8,
    random_id: String,
    execution_id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    texts: Texts,
    status: Status,
    #[serde(flatten)]
    numbers: Numbers,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_category: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    has_arm: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu_passthrough: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_entrypoint: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_managed_network: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_source: Option<&'static str>,
    /// Not scrubbed, because a commit looks like a token. [`runtime`] only lets public references through.
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_ref: Option<String>,
}

macro_rules! texts {
    ($($field:ident: $scrub:path),+ $(,)?) => {
        /// All text fields whose values come from outside; each is scrubbed.
        #[derive(Clone, Debug, Default, Serialize)]
        struct Texts {
            $(#[serde(skip_serializing_if = "Option::is_none")] $field: Option<String>,)+
            /// The only field with several lines; built by [`excerpt::error_text`], which scrubs it.
            #[serde(skip_serializing_if = "Option::is_none")]
            error: Option<String>,
        }

        impl Texts {
            fn clean(self) -> Self {
                Self { $($field: self.$field.and_then(|text| $scrub(&text)),)+ error: self.error }
            }
        }
    };
}

texts!(
    nsapp: excerpt::field,
    os_type: excerpt::field,
    os_version: excerpt::version,
    pve_version: excerpt::version,
    method: excerpt::field,
    cpu_vendor: excerpt::field,
    cpu_model: excerpt::field,
    gpu_vendor: excerpt::field,
    gpu_model: excerpt::field,
    arch: excerpt::field,
    platform: excerpt::field,
    kernel_version: excerpt::version,
    app_version: excerpt::version,
    failed_command: excerpt::field,
    repo_source: excerpt::field,
    repo_slug: excerpt::field,
);

#[derive(Clone, Debug, Default, Serialize)]
struct Numbers {
    #[serde(skip_serializing_if = "Option::is_none")]
    ct_type: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_size: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    core_count: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ram_size: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ram_speed: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    install_duration: Option<u64>,
}

/// A scrubbed event, ready to be written and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanEvent {
    /// One line of JSON.
    pub json: String,
    /// The id of the run on the server.
    pub run_id: String,
    /// Name of the application.
    pub app: String,
}

/// The end of a run, as a script reports it.
#[derive(Clone, Debug, Default)]
pub struct Ending<'a> {
    /// `done`, `success`, `completed`, `failed` or `aborted`; anything else is `unknown`.
    pub status: &'a str,
    /// A number from 0 to 255; anything else is omitted.
    pub exit_code: Option<&'a str>,
    /// The log whose end explains a failure.
    pub log: Option<&'a Path>,
    /// The command that failed.
    pub command: Option<&'a str>,
    /// Line number of the command.
    pub line: Option<&'a str>,
}

impl Event {
    /// An event of the run identified by `RANDOM_UUID`; `None` if that is not a valid id.
    #[must_use]
    pub fn for_run(host: &Host, facts: Facts, guest: Guest, status: Status, now_s: u64) -> Option<Self> {
        let random_id = host.variable("RANDOM_UUID").filter(|id| is_id(id))?;
        let execution_id = host.variable("EXECUTION_ID").filter(|id| is_id(id)).unwrap_or(random_id);
        let settings = run_settings::read(host, guest);
        let mut event = Self::base(host, facts, guest.as_str(), settings.app, now_s);
        event.random_id = random_id.to_owned();
        event.execution_id = execution_id.to_owned();
        event.status = status;
        event.numbers.ct_type = settings.ct_type;
        event.numbers.disk_size = settings.disk_size;
        event.numbers.core_count = settings.core_count;
        event.numbers.ram_size = settings.ram_size;
        event.texts.os_type = settings.os_type;
        event.texts.os_version = settings.os_version;
        event.texts.method = settings.method;
        event.texts.app_version = host.variable("APP_VERSION").map(str::to_owned);
        if guest != Guest::Vm {
            let template = template::read(host);
            event.template_kind = template.kind;
            event.custom_entrypoint = template.custom_entrypoint;
            event.host_managed_network = template.host_managed_network;
        }
        Some(event)
    }

    /// The single event of a host tool, sent when the tool has ended.
    #[must_use]
    pub fn for_tool(host: &Host, facts: Facts, name: &str, ending: &Ending<'_>, now_s: u64) -> Self {
        Self::base(host, facts, "pve", Some(name.to_owned()), now_s).with_ending(ending)
    }

    /// The single event of an add-on, sent from inside the container.
    #[must_use]
    pub fn for_addon(host: &Host, facts: Facts, name: &str, ending: &Ending<'_>, now_s: u64) -> Self {
        let mut event = Self::base(host, facts, "addon", Some(name.to_owned()), now_s);
        let release = host.read("/etc/os-release", 16 * 1024).unwrap_or_default();
        event.texts.os_type = run_settings::value_in(&release, "ID").map(str::to_owned);
        event.texts.os_version = run_settings::value_in(&release, "VERSION_ID").map(str::to_owned);
        event.with_ending(ending)
    }

    fn base(host: &Host, facts: Facts, kind: &'static str, app: Option<String>, now_s: u64) -> Self {
        let id = Uuid::new_v4().to_string();
        let runtime = runtime::read(host);
        let text = |name: &str| host.variable(name).map(str::to_owned);
        Self {
            payload_version: PAYLOAD_VERSION,
            random_id: id.clone(),
            execution_id: id,
            kind,
            status: Status::Installing,
            error_category: None,
            has_arm: flag(host, "HAS_ARM").or_else(|| flag(host, "var_arm64")),
            gpu_passthrough: passthrough(host),
            template_kind: None,
            custom_entrypoint: None,
            host_managed_network: None,
            runtime_source: Some(runtime.source),
            runtime_ref: runtime.reference,
            numbers: Numbers {
                ram_speed: facts.ram_speed,
                install_duration: duration(host, now_s),
                ..Numbers::default()
            },
            texts: Texts {
                nsapp: app,
                pve_version: facts.pve_version,
                cpu_vendor: facts.cpu_vendor,
                cpu_model: facts.cpu_model,
                gpu_vendor: facts.gpu_vendor,
                gpu_model: facts.gpu_model,
                arch: facts.arch,
                platform: facts.platform,
                kernel_version: facts.kernel_version,
                repo_source: text("REPO_SOURCE"),
                repo_slug: text("REPO_SLUG"),
                ..Texts::default()
            },
        }
    }

    /// Adds the end of the run. A failure with exit code 129, 130 or 143 was interrupted by a person or a
    /// shutdown; like other clients since July 2026, it is reported as `aborted`.
    #[must_use]
    pub fn with_ending(mut self, ending: &Ending<'_>) -> Self {
        let code = ending.exit_code.and_then(|code| code.trim().parse::<u8>().ok()).map(i32::from);
        self.status = match Status::from_wire(ending.status) {
            Some(Status::Failed) if matches!(code, Some(129 | 130 | 143)) => Status::Aborted,
            Some(status) if status.is_end() => status,
            _ => Status::Unknown,
        };
        if self.status == Status::Success {
            self.numbers.exit_code = Some(0);
            return self;
        }
        // A failure with code 0 has lost its real code.
        let code = code.filter(|code| *code != 0);
        let log = ending.log.and_then(excerpt::end_of_log);
        self.numbers.exit_code = code;
        self.texts.error = Some(excerpt::error_text(code, log.as_deref()));
        self.error_category = code.map(|code| exit_code::explain(Generation::NEWEST, code).category.as_str());
        self.texts.failed_command = ending.command.map(str::to_owned);
        self.numbers.failed_line =
            ending.line.and_then(|line| line.trim().parse().ok()).filter(|line| *line > 0);
        self
    }

    /// Scrubs every text and serializes the event.
    #[must_use]
    pub fn clean(mut self) -> CleanEvent {
        self.texts = self.texts.clean();
        // A struct of strings and numbers always serializes.
        let json = serde_json::to_string(&self).unwrap_or_default();
        CleanEvent { json, app: self.texts.nsapp.unwrap_or_default(), run_id: self.execution_id }
    }
}

/// Whether `id` is a valid run id: 1 to 128 of `A-Za-z0-9-_.`, safe in URL paths and in the list of runs.
#[must_use]
pub fn is_id(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn flag(host: &Host, name: &str) -> Option<bool> {
    match host.variable(name)? {
        "yes" | "true" | "1" => Some(true),
        "no" | "false" | "0" => Some(false),
        _ => None,
    }
}

fn passthrough(host: &Host) -> Option<&'static str> {
    let value = flag(host, "GPU_PASSTHROUGH").or_else(|| flag(host, "var_gpu"));
    value.map(|yes| if yes { "yes" } else { "no" })
}

/// Seconds since `INSTALL_START_TIME`.
fn duration(host: &Host, now_s: u64) -> Option<u64> {
    let start: u64 = host.variable("INSTALL_START_TIME")?.parse().ok()?;
    now_s.checked_sub(start).filter(|duration| *duration <= MAX_DURATION_S)
}

#[cfg(test)]
mod tests;
