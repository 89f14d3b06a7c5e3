//! Every generation to one [`Event`]: words are folded, fillers (`0`, `""`, `none`) become what
//! they mean, namely nothing, and a field that makes no sense is dropped without its event.

use chrono::{DateTime, Utc};
use telemetry_protocol::exit_code::code_from_text;
use telemetry_protocol::wire::{RawEvent, Scalar};
use telemetry_protocol::{Generation, Status};

use crate::ingest::execution::{Facts, Reported};
use crate::ingest::rejection::Rejection;
use crate::ingest::rescue::{Decoded, Rescue, Rescues};

/// The path an event came by: it decides generation and repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/upload`: generation 1, a start.
    Upload,
    /// `/dev/upload`: the same from the development repository.
    DevUpload,
    /// `/upload/updatestatus`: generation 1, an end.
    UpdateStatus,
    /// `/dev/upload/updatestatus`: the same from the development repository.
    DevUpdateStatus,
    /// `/telemetry`: generations 2 and 3, every event.
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

/// One report in the words that all generations share.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Id of the session.
    pub random_id: Option<String>,
    /// Id of the attempt.
    pub execution_id: Option<String>,
    /// Who speaks.
    pub generation: Generation,
    /// What is reported.
    pub status: Status,
    /// When it arrived.
    pub at: DateTime<Utc>,
    /// What else it tells.
    pub facts: Facts,
}

/// Makes one event of the fields of any generation; `now` is when it arrived. Returns also what
/// was dropped or mended on the way, added to what decoding noted.
///
/// # Errors
/// [`Rejection::InvalidField`] for a status that we do not know, [`Rejection::MissingField`] if
/// there is neither a status nor an application.
pub fn normalise(
    decoded: Decoded<'_>,
    route: Route,
    now: DateTime<Utc>,
) -> Result<(Event, Rescues), Rejection> {
    let raw = decoded.event;
    let mut read = Reading { rescues: decoded.rescues };
    let random_id = text(raw.random_id.clone());
    let execution_id = text(raw.execution_id.clone());
    let generation = generation(&raw, route, random_id.is_some() || execution_id.is_some());
    let app = text(raw.nsapp).or_else(|| text(raw.vm_app)).map(|app| one_line(app).to_lowercase());
    let status = status(raw.status, route, app.is_some(), random_id.is_some() || execution_id.is_some())?;
    let ends = status.is_end();
    let ends_badly = ends && status != Status::Success;

    let told_ct_type = read.integer(raw.ct_type, 2);
    let kind = match line(raw.kind) {
        Some(word) => read.known(kind(&word)),
        None => told_ct_type.map(|ct_type| if ct_type == 2 { "vm" } else { "lxc" }),
    };
    // The end of a VM says 1 where its start says 2.
    let ct_type = if kind == Some("vm") { told_ct_type.map(|_| 2) } else { told_ct_type };

    // What colours and control characters hide is for the scrubber to see.
    let error_text = raw.error.into_text().or_else(|| raw.error_explanation.into_text());
    let error_text = error_text.filter(|text| text != "none");
    let exit_code = read.integer(raw.exit_code, 255).or_else(|| {
        let text = error_text.as_deref().filter(|_| ends_badly && generation <= Generation::One);
        text.and_then(code_from_text)
    });
    let duration = [raw.install_duration, raw.duration];
    let repo_source = line(raw.repo_source)
        .map(|word| repo_source(&word))
        .or_else(|| route.is_development().then_some("ProxmoxVED"));

    let short = |value: Scalar<'_>| told(status, line(value));
    let facts = Facts {
        app: told(status, app),
        kind: told(status, kind),
        ct_type: Reported::by(status, ct_type),
        disk_size: Reported::by(status, read.either(raw.disk_size, raw.vm_disk, 1 << 20)),
        core_count: Reported::by(status, read.either(raw.core_count, raw.vm_cores, 1 << 14)),
        ram_size: Reported::by(status, read.either(raw.ram_size, raw.vm_ram, 1 << 30)),
        os_type: told(status, line(raw.os_type).or_else(|| line(raw.vm_os)).map(|word| os(&word))),
        os_version: told(status, line(raw.os_version).or_else(|| line(raw.vm_version))),
        pve_version: short(raw.pve_version),
        method: short(raw.method),
        disable_ipv6: Reported::by(status, raw.disableip6.to_bool()),
        exit_code: Reported::by(status, exit_code.filter(|_| ends)),
        error: told(status, error_text.filter(|_| ends_badly)),
        error_category: told(status, line(raw.error_category).filter(|_| ends_badly)),
        install_duration: Reported::by(
            status,
            duration.into_iter().find_map(|value| read.integer(value, 31 * 86_400)).filter(|_| ends),
        ),
        failed_command: told(status, raw.failed_command.into_text().filter(|_| ends_badly)),
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
        arch: short(raw.arch),
        platform: short(raw.platform),
        has_arm: Reported::by(status, raw.has_arm.to_bool()),
        kernel_version: short(raw.kernel_version),
        app_version: short(raw.app_version),
        repo_source: told(status, repo_source),
        repo_slug: short(raw.repo_slug),
        template_kind: told(status, read.word(line(raw.template_kind), &["tarball", "oci"])),
        custom_entrypoint: Reported::by(status, raw.custom_entrypoint.to_bool()),
        host_managed_network: Reported::by(status, raw.host_managed_network.to_bool()),
        runtime_source: told(
            status,
            read.word(line(raw.runtime_source), &["local", "remote", "pinned", "mirror"]),
        ),
        runtime_ref: told(status, line(raw.runtime_ref).filter(|word| is_public_ref(word))),
    };
    Ok((Event { random_id, execution_id, generation, status, at: now, facts }, read.rescues))
}

fn told(status: Status, text: Option<impl Into<String>>) -> Reported<String> {
    Reported::by(status, text.map(Into::into))
}

fn generation(raw: &RawEvent<'_>, route: Route, has_id: bool) -> Generation {
    if route != Route::Telemetry {
        return if has_id { Generation::One } else { Generation::Zero };
    }
    // The version itself is sometimes empty; the fields that came with it are not left out.
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
    // The very first client said `failed` when it started.
    Ok(if route.is_start() && status == Status::Failed { Status::Installing } else { status })
}

/// Folds the type of a run. `None` for a word of no client.
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

/// Folds the names of operating systems. One never heard of is kept.
fn os(word: &str) -> String {
    let word = word.to_lowercase();
    match word.as_str() {
        "rockylinux" => "rocky".to_owned(),
        "almalinux" => "alma".to_owned(),
        "archlinux" | "arch" => "arch-linux".to_owned(),
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

/// Whether a revision is one of the public repositories: `main`, a release tag or a commit. A
/// branch of one's own is nobody's business.
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

/// Text without control characters but newline and tab.
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

/// Reads numbers and notes what was wrong with them.
struct Reading {
    rescues: Rescues,
}

impl Reading {
    /// A whole number from 0 to `max`; anything else is absent.
    fn integer(&mut self, value: Scalar<'_>, max: i32) -> Option<i32> {
        match &value {
            Scalar::Absent | Scalar::Bool(_) => return None,
            Scalar::Text(text) if text.trim().is_empty() => return None,
            Scalar::Text(_) => self.rescues.add(Rescue::NumberAsText),
            Scalar::Integer(_) | Scalar::Float(_) => {}
        }
        let number = value.to_integer().filter(|number| (0..=max).contains(number));
        if number.is_none() {
            self.rescues.add(Rescue::NumberOutOfRange);
        }
        number
    }

    /// Notes when a word is none of those that we know.
    fn known<T>(&mut self, word: Option<T>) -> Option<T> {
        if word.is_none() {
            self.rescues.add(Rescue::UnknownWord);
        }
        word
    }

    /// A word out of a closed list; another one is dropped.
    fn word(&mut self, told: Option<String>, known: &[&'static str]) -> Option<&'static str> {
        let told = told?;
        self.known(known.iter().copied().find(|word| word.eq_ignore_ascii_case(&told)))
    }

    fn either(&mut self, value: Scalar<'_>, documented: Scalar<'_>, max: i32) -> Option<i32> {
        self.integer(value, max).or_else(|| self.integer(documented, max))
    }
}

#[cfg(test)]
mod tests;
