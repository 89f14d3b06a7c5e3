//! Turns the fields of any client generation into one [`Event`].
//!
//! Words are folded, and fillers (`0`, `""`, `none`) become absent. A field without a usable value is
//! dropped; the rest of its event is kept.

use chrono::{DateTime, Utc};
use telemetry_protocol::exit_code::code_from_text;
use telemetry_protocol::wire::{RawEvent, Scalar};
use telemetry_protocol::{Generation, Status};
use validator::{Validate, ValidationError};

use crate::ingest::rejection::Rejection;
use crate::ingest::reported::{
    Facts, MAX_CORES, MAX_CT_TYPE, MAX_DISK_GB, MAX_DURATION_SECONDS, MAX_EXIT_CODE, MAX_RAM_MB, Reported,
};
use crate::ingest::rescue::{Decoded, Rescue, Rescues};

/// Longest id, in characters.
pub const MAX_ID_CHARS: u64 = 128;

/// The path that received an event. It decides the generation and the default repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/upload`: the start of a run, generation 1.
    Upload,
    /// `/dev/upload`: the same for the development repository.
    DevUpload,
    /// `/upload/updatestatus`: the end of a run, generation 1.
    UpdateStatus,
    /// `/dev/upload/updatestatus`: the same for the development repository.
    DevUpdateStatus,
    /// `/telemetry`: every event of generations 2 and 3.
    Telemetry,
}

impl Route {
    const fn is_start(self) -> bool {
        matches!(self, Self::Upload | Self::DevUpload)
    }
    const fn is_development(self) -> bool {
        matches!(self, Self::DevUpload | Self::DevUpdateStatus)
    }
}

/// One event in the vocabulary that all generations share, with the limits of each field.
///
/// [`normalise`] and `scrub` drop or cut every fact that exceeds its limits, so that the rest of the event
/// is kept. Only an id and the name of the application reject the event, because a shortened one would
/// denote another run or another application.
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Event {
    /// Id of the session.
    #[validate(
        length(max = MAX_ID_CHARS, message = "is longer than 128 characters"),
        custom(function = without_white_space)
    )]
    pub random_id: Option<String>,
    /// Id of the attempt.
    #[validate(
        length(max = MAX_ID_CHARS, message = "is longer than 128 characters"),
        custom(function = without_white_space)
    )]
    pub execution_id: Option<String>,
    /// Generation of the client.
    pub generation: Generation,
    /// The status that is reported.
    pub status: Status,
    /// When the event arrived.
    pub at: DateTime<Utc>,
    /// All other fields.
    #[validate(nested)]
    pub facts: Facts,
}

fn without_white_space(id: &str) -> Result<(), ValidationError> {
    if id.contains(char::is_whitespace) {
        return Err(ValidationError::new("white_space").with_message("contains white space".into()));
    }
    Ok(())
}

/// Builds an event, which arrived at `now`, from the fields of any generation. Adds what was dropped or
/// repaired to the rescues of decoding.
///
/// # Errors
/// [`Rejection::InvalidField`] for an unknown status, [`Rejection::MissingField`] without both a status and
/// an application.
pub fn normalise(
    decoded: Decoded<'_>,
    route: Route,
    now: DateTime<Utc>,
) -> Result<(Event, Rescues), Rejection> {
    let raw = decoded.event;
    let mut read = Reader { rescues: decoded.rescues };
    let random_id = text(raw.random_id.clone());
    let execution_id = text(raw.execution_id.clone());
    let generation = generation(&raw, route, random_id.is_some() || execution_id.is_some());
    let app = text(raw.nsapp).or_else(|| text(raw.vm_app)).map(|app| one_line(app).to_lowercase());
    let status = status(raw.status, route, app.is_some(), random_id.is_some() || execution_id.is_some())?;
    let ends = status.is_end();
    let ends_badly = ends && status != Status::Success;

    let ct_type_sent = read.integer(raw.ct_type, MAX_CT_TYPE);
    let kind = match line(raw.kind) {
        Some(word) => read.known(kind(&word)),
        None => ct_type_sent.map(|ct_type| if ct_type == 2 { "vm" } else { "lxc" }),
    };
    // Clients send 2 at the start of a VM and 1 at its end.
    let ct_type = if kind == Some("vm") { ct_type_sent.map(|_| 2) } else { ct_type_sent };

    // Colours and control characters stay: the scrubber looks at what they hide.
    let error_text = raw.error.into_text().or_else(|| raw.error_explanation.into_text());
    let error_text = error_text.filter(|text| text != "none");
    let exit_code = read.integer(raw.exit_code, MAX_EXIT_CODE).or_else(|| {
        let text = error_text.as_deref().filter(|_| ends_badly && generation <= Generation::One);
        text.and_then(code_from_text)
    });
    let duration = [raw.install_duration, raw.duration];
    let repo_source = line(raw.repo_source)
        .map(|word| repo_source(&word))
        .or_else(|| route.is_development().then_some("ProxmoxVED"));

    let short = |value: Scalar<'_>| reported(status, line(value));
    let facts = Facts {
        app: reported(status, app),
        kind: reported(status, kind),
        ct_type: Reported::by(status, ct_type),
        disk_size: Reported::by(status, read.either(raw.disk_size, raw.vm_disk, MAX_DISK_GB)),
        core_count: Reported::by(status, read.either(raw.core_count, raw.vm_cores, MAX_CORES)),
        ram_size: Reported::by(status, read.either(raw.ram_size, raw.vm_ram, MAX_RAM_MB)),
        os_type: reported(status, line(raw.os_type).or_else(|| line(raw.vm_os)).map(|word| os(&word))),
        os_version: reported(status, line(raw.os_version).or_else(|| line(raw.vm_version))),
        pve_version: short(raw.pve_version),
        method: short(raw.method),
        disable_ipv6: Reported::by(status, raw.disableip6.to_bool()),
        exit_code: Reported::by(status, exit_code.filter(|_| ends)),
        error: reported(status, error_text.filter(|_| ends_badly)),
        error_category: reported(status, line(raw.error_category).filter(|_| ends_badly)),
        install_duration: Reported::by(
            status,
            duration.into_iter().find_map(|value| read.size(value, MAX_DURATION_SECONDS)).filter(|_| ends),
        ),
        failed_command: reported(status, raw.failed_command.into_text().filter(|_| ends_badly)),
        failed_line: Reported::by(
            status,
            read.integer(raw.failed_line, i32::MAX).filter(|number| ends_badly && *number > 0),
        ),
        cpu_vendor: short(raw.cpu_vendor),
        cpu_model: short(raw.cpu_model),
        gpu_vendor: short(raw.gpu_vendor),
        gpu_model: short(raw.gpu_model),
        gpu_passthrough: short(raw.gpu_passthrough),
        ram_speed: short(raw.ram_speed),
        arch: reported(status, line(raw.arch).map(|word| arch(&word))),
        platform: short(raw.platform),
        has_arm: Reported::by(status, raw.has_arm.to_bool()),
        kernel_version: short(raw.kernel_version),
        app_version: short(raw.app_version),
        repo_source: reported(status, repo_source),
        repo_slug: short(raw.repo_slug),
        template_kind: reported(status, read.word(line(raw.template_kind), &["tarball", "oci"])),
        custom_entrypoint: Reported::by(status, raw.custom_entrypoint.to_bool()),
        host_managed_network: Reported::by(status, raw.host_managed_network.to_bool()),
        runtime_source: reported(
            status,
            read.word(line(raw.runtime_source), &["local", "remote", "pinned", "mirror"]),
        ),
        runtime_ref: reported(status, line(raw.runtime_ref).filter(|word| is_public_ref(word))),
    };
    Ok((Event { random_id, execution_id, generation, status, at: now, facts }, read.rescues))
}

fn reported(status: Status, text: Option<impl Into<String>>) -> Reported<String> {
    Reported::by(status, text.map(Into::into))
}

fn generation(raw: &RawEvent<'_>, route: Route, has_id: bool) -> Generation {
    if route != Route::Telemetry {
        return if has_id { Generation::One } else { Generation::Zero };
    }
    // The version is sometimes empty, but the fields introduced with it are always sent.
    let newest = [&raw.payload_version, &raw.failed_command, &raw.failed_line, &raw.kernel_version];
    if newest.into_iter().any(|field| *field != Scalar::Absent) { Generation::Three } else { Generation::Two }
}

fn status(value: Scalar<'_>, route: Route, has_app: bool, has_id: bool) -> Result<Status, Rejection> {
    let Some(word) = line(value) else {
        return match (has_app && !matches!(route, Route::UpdateStatus | Route::DevUpdateStatus), has_id) {
            (true, _) => Ok(Status::Installing),
            (false, true) => Err(Rejection::MissingField("status")),
            (false, false) => Err(Rejection::MissingField("random_id")),
        };
    };
    let status = Status::from_wire(&word).ok_or(Rejection::InvalidField {
        field: "status",
        reason: "is not a status that a client reports",
    })?;
    // Generation 0 sends `failed` when a run starts.
    Ok(if route.is_start() && status == Status::Failed { Status::Installing } else { status })
}

/// Folds the type of a run. `None` for an unknown word.
fn kind(word: &str) -> Option<&'static str> {
    const KINDS: [(&str, &str); 7] = [
        ("lxc", "lxc"),
        ("vm", "vm"),
        ("qemu", "vm"),
        ("addon", "addon"),
        ("pve", "pve"),
        ("tool", "pve"),
        ("turnkey", "turnkey"),
    ];
    KINDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, kind)| *kind)
}

/// Folds the name of an operating system: some clients send the name that it displays. An unknown name is kept.
fn os(word: &str) -> String {
    let word = word.to_lowercase();
    let letters: String = word.chars().filter(|c| c.is_alphanumeric()).collect();
    let name = letters.strip_suffix("gnulinux").or_else(|| letters.strip_suffix("linux")).unwrap_or(&letters);
    match name {
        "alma" | "alpine" | "debian" | "devuan" | "fedora" | "rocky" | "ubuntu" => name.to_owned(),
        "arch" => "arch-linux".to_owned(),
        _ => word,
    }
}

/// Folds the name of a CPU architecture: `dpkg` and `uname` use different ones. An unknown name is kept.
fn arch(word: &str) -> String {
    let word = word.to_lowercase();
    match word.as_str() {
        "x86_64" | "x86-64" | "x64" => "amd64".to_owned(),
        "aarch64" | "armv8l" => "arm64".to_owned(),
        _ => word,
    }
}

fn repo_source(word: &str) -> &'static str {
    match word.to_lowercase().as_str() {
        "proxmoxve" => "ProxmoxVE",
        "proxmoxved" => "ProxmoxVED",
        _ => "external",
    }
}

/// Whether a revision is public: `main`, a release tag or a commit. The name of any other branch is private.
fn is_public_ref(word: &str) -> bool {
    let is_commit =
        (7..=40).contains(&word.len()) && word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let version = word.strip_prefix('v').unwrap_or(word);
    let is_tag = version.len() <= 20
        && version.starts_with(|c: char| c.is_ascii_digit())
        && version.contains(['.', '-'])
        && version.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    word == "main" || is_commit || is_tag
}

/// Text without control characters, except newline and tab.
fn text(value: Scalar<'_>) -> Option<String> {
    let text = value.into_text()?;
    let dropped = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(dropped) {
        return Some(text.into_owned());
    }
    let kept = text.replace(dropped, "");
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

fn one_line(text: String) -> String {
    if text.contains(['\n', '\t']) { text.replace(['\n', '\t'], " ") } else { text }
}

/// Text on one line.
fn line(value: Scalar<'_>) -> Option<String> {
    text(value).map(one_line)
}

/// Reads values that have limits and records what was wrong with them.
struct Reader {
    rescues: Rescues,
}

impl Reader {
    /// A whole number from 0 to `max`; `None` for anything else.
    fn integer(&mut self, value: Scalar<'_>, max: i32) -> Option<i32> {
        let number = value.to_integer();
        self.within(&value, number, max)
    }

    /// A size or a duration from 0 to `max`, without its fraction; `None` for anything else.
    fn size(&mut self, value: Scalar<'_>, max: i32) -> Option<i32> {
        let size = value.to_size();
        self.within(&value, size, max)
    }

    fn within(&mut self, value: &Scalar<'_>, number: Option<i32>, max: i32) -> Option<i32> {
        match value {
            Scalar::Absent | Scalar::Bool(_) => return None,
            Scalar::Text(text) if text.trim().is_empty() => return None,
            Scalar::Text(_) => {
                self.rescues.insert(Rescue::NumberAsText);
            }
            Scalar::Integer(_) | Scalar::Float(_) => {}
        }
        let number = number.filter(|number| (0..=max).contains(number));
        if number.is_none() {
            self.rescues.insert(Rescue::NumberOutOfRange);
        }
        number
    }

    /// Passes a recognised word on, and records an unknown one.
    fn known<T>(&mut self, word: Option<T>) -> Option<T> {
        if word.is_none() {
            self.rescues.insert(Rescue::UnknownWord);
        }
        word
    }

    /// A word from a closed list; any other word is dropped.
    fn word(&mut self, sent: Option<String>, known: &[&'static str]) -> Option<&'static str> {
        let sent = sent?;
        self.known(known.iter().copied().find(|word| word.eq_ignore_ascii_case(&sent)))
    }

    /// The size in the field that scripts send, or else in the field that was documented in 2025.
    fn either(&mut self, value: Scalar<'_>, documented: Scalar<'_>, max: i32) -> Option<i32> {
        self.size(value, max).or_else(|| self.size(documented, max))
    }
}

#[cfg(test)]
mod tests;
