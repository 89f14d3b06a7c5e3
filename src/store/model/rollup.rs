//! The rows and counts that one execution adds to the rollups. [`contributions`] is the only definition of
//! every aggregate: the writer, `verify` and `rebuild` use it.

use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, Timelike, Utc};
use telemetry_protocol::Outcome;
use telemetry_protocol::exit_code::{Category, classification_fingerprint};

use crate::ingest::execution::Execution;
use crate::ingest::reported::Reported;
use crate::store::model::facet::Facet;

pub(crate) mod size;

use size::{CORE_CLASSES, DISK_CLASSES, RAM_CLASSES, class};

/// Increase it whenever [`contributions`] or [`PopulationKey::of`] counts differently. A server that finds
/// rollups of another definition rebuilds them when it starts.
const DEFINITION: u32 = 5;

/// Identifies the counting rules of this program: `DEFINITION` and the classification of exit codes.
#[must_use]
pub fn definition() -> String {
    format!("{DEFINITION}-{:016x}", classification_fingerprint())
}

/// The properties by which every count can be filtered; a row of `population`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PopulationKey<'a> {
    /// `ProxmoxVE`, `ProxmoxVED` or `external`; `ProxmoxVE` for clients that report none.
    pub repo: &'a str,
    /// `owner/name`, or empty.
    pub slug: &'a str,
    /// `lxc`, `vm`, …, or empty.
    pub kind: &'a str,
    /// `pve`, `incus`, or empty.
    pub platform: &'a str,
}

impl<'a> PopulationKey<'a> {
    /// The population of an execution.
    #[must_use]
    pub fn of(execution: &'a Execution) -> Self {
        let facts = &execution.facts;
        Self {
            repo: facts.repo_source.get().map_or("ProxmoxVE", String::as_str),
            slug: or_empty(facts.repo_slug.get()),
            kind: or_empty(facts.kind.get()),
            platform: or_empty(facts.platform.get()),
        }
    }
}

/// The text, or an empty one.
pub(super) fn or_empty(text: Option<&String>) -> &str {
    text.map_or("", String::as_str)
}

/// A row of one of the rollups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key<'a> {
    /// UTC day of the first event.
    pub day: NaiveDate,
    /// Id of the [`PopulationKey`].
    pub population: i32,
    /// The rollup and the rest of its key.
    pub slice: Slice<'a>,
}

/// The part of a key that differs between the rollups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slice<'a> {
    /// `rollup_script`.
    Script {
        /// Application, or empty for an execution whose start was never reported.
        app: &'a str,
        /// `success`, `failed`, `blocked`, `aborted`, `open`.
        outcome: &'a str,
        /// Full hour of the last event of an open execution, else the epoch.
        open_hour: DateTime<Utc>,
    },
    /// `rollup_duration`.
    Duration {
        /// Application.
        app: &'a str,
        /// As above.
        outcome: &'a str,
        /// See [`duration_bucket`].
        bucket: i16,
    },
    /// `rollup_facet`.
    Facet {
        /// Name of a [`Facet`].
        facet: &'a str,
        /// Value of the facet, or empty.
        value: &'a str,
        /// A refinement of the value, or empty.
        detail: &'a str,
        /// As above.
        outcome: &'a str,
    },
    /// `rollup_exit_code`.
    ExitCode {
        /// Application.
        app: &'a str,
        /// As above.
        outcome: &'a str,
        /// 0 to 255, or -1 if none was reported.
        exit_code: i16,
        /// Category of the failure, which the log may know better than the code.
        category: &'a str,
        /// Generation of the client.
        generation: i16,
    },
    /// `rollup_signature`.
    Signature {
        /// Application.
        app: &'a str,
        /// As above.
        outcome: &'a str,
        /// Id of the signature.
        signature: i64,
    },
    /// `rollup_environment`.
    Environment {
        /// Application.
        app: &'a str,
        /// `os`, `pve`.
        property: &'a str,
        /// Family of the operating system, or version of Proxmox VE up to the second point.
        value: &'a str,
        /// Version of the operating system, or empty.
        detail: &'a str,
        /// As above, but not `open`.
        outcome: &'a str,
        /// Whether it is a further attempt of a session.
        retry: bool,
    },
    /// `rollup_hour`.
    Hour {
        /// Hour of the first event, 0 to 23.
        hour: i16,
        /// As above.
        outcome: &'a str,
    },
}

/// The counts of a row, or a change of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Executions.
    pub runs: i64,
    /// Executions that reported a duration; only in [`Slice::Script`].
    pub duration_count: i64,
    /// Their sum in seconds; only in [`Slice::Script`].
    pub duration_sum: i64,
}

impl Measures {
    /// Adds `other`, `sign` times.
    pub const fn add(&mut self, other: Self, sign: i64) {
        self.runs += sign * other.runs;
        self.duration_count += sign * other.duration_count;
        self.duration_sum += sign * other.duration_sum;
    }
}

/// Calls `add` with every row that an execution counts in, and the counts that it adds there.
pub fn contributions<'a>(execution: &'a Execution, population: i32, mut add: impl FnMut(Key<'a>, Measures)) {
    let day = execution.first_seen.date_naive();
    let outcome = execution.outcome().as_str();
    let app = or_empty(execution.facts.app.get());
    let duration = execution.install_duration().filter(|_| !app.is_empty());
    let one = Measures { runs: 1, ..Measures::default() };
    let mut count = |slice, measures| add(Key { day, population, slice }, measures);

    count(
        Slice::Script { app, outcome, open_hour: execution.open_hour().unwrap_or(DateTime::UNIX_EPOCH) },
        Measures {
            runs: 1,
            duration_count: i64::from(duration.is_some()),
            duration_sum: duration.map_or(0, i64::from),
        },
    );
    if app.is_empty() {
        return;
    }
    let cause = execution.category.map(|category| Cause::of(execution, category));
    let bucket = duration.map(duration_bucket);
    if let Some(bucket) = bucket {
        count(Slice::Duration { app, outcome, bucket }, one);
    }
    let ends = [
        (Facet::Duration, bucket.map_or("", bucket_name), ""),
        (Facet::ExitCode, cause.map_or("", Cause::name), cause.map_or("", |cause| cause.category)),
    ];
    for (facet, value, detail) in facets(execution).into_iter().chain(ends) {
        if value.is_empty() && facet.is_optional() {
            continue;
        }
        count(Slice::Facet { facet: facet.as_str(), value, detail, outcome }, one);
    }
    if let Some(Cause { exit_code, category, generation }) = cause {
        count(Slice::ExitCode { app, outcome, exit_code, category, generation }, one);
    }
    if let Some(signature) = execution.signature {
        count(Slice::Signature { app, outcome, signature }, one);
    }
    // 0 to 23: fits.
    count(Slice::Hour { hour: execution.first_seen.hour() as i16, outcome }, one);
    if execution.outcome() != Outcome::Open {
        // Clients give the first attempt the id of its session.
        let retry = execution.session.is_some();
        for (property, value, detail) in environment(execution) {
            count(Slice::Environment { app, property, value, detail, outcome, retry }, one);
        }
    }
}

/// The environment of an execution: property, value and detail.
fn environment(execution: &Execution) -> [(&'static str, &str, &str); 2] {
    let (facts, text) = (&execution.facts, or_empty);
    [
        ("os", os_family(text(facts.os_type.get())), text(facts.os_version.get())),
        ("pve", minor_version(text(facts.pve_version.get())), ""),
    ]
}

/// The part of a version before its second point: `9.0` of `9.0.3`.
pub(super) fn minor_version(version: &str) -> &str {
    let second = version.match_indices('.').nth(1);
    second.map_or(version, |(end, _)| &version[..end])
}

/// The cause of a bad end.
#[derive(Clone, Copy)]
struct Cause {
    exit_code: i16,
    category: &'static str,
    generation: i16,
}

impl Cause {
    fn of(execution: &Execution, category: Category) -> Self {
        let exit_code = execution.exit_code().and_then(|code| i16::try_from(code).ok()).unwrap_or(-1);
        Self { exit_code, category: category.as_str(), generation: execution.generation.number().into() }
    }

    /// Code and generation, as `231@3`; `-1@3` without a code. The generation decides what the code means.
    fn name(self) -> &'static str {
        static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
            (0..4).flat_map(|generation| (-1..256).map(move |code| format!("{code}@{generation}"))).collect()
        });
        let position = usize::try_from(self.generation * 257 + self.exit_code + 1).ok();
        position.and_then(|position| NAMES.get(position)).map_or("", String::as_str)
    }
}

/// The number of a bucket as text.
fn bucket_name(bucket: i16) -> &'static str {
    static NAMES: LazyLock<Vec<String>> =
        LazyLock::new(|| (0..=i16::from(u8::MAX)).map(|n| n.to_string()).collect());
    usize::try_from(bucket).ok().and_then(|bucket| NAMES.get(bucket)).map_or("", String::as_str)
}

/// Each facet that is known from the first event on, with its value and detail.
pub(super) fn facets(execution: &Execution) -> [(Facet, &str, &str); 13] {
    let facts = &execution.facts;
    let text = or_empty;
    [
        (Facet::Os, os_family(text(facts.os_type.get())), text(facts.os_version.get())),
        (Facet::PveVersion, text(facts.pve_version.get()), ""),
        (Facet::Method, text(facts.method.get()), ""),
        (Facet::Arch, text(facts.arch.get()), ""),
        (Facet::CpuVendor, text(facts.cpu_vendor.get()), ""),
        (Facet::Gpu, text(facts.gpu_vendor.get()), text(facts.gpu_passthrough.get())),
        (Facet::Cores, class(&CORE_CLASSES, facts.core_count.get()), ""),
        (Facet::Ram, class(&RAM_CLASSES, facts.ram_size.get()), ""),
        (Facet::Disk, class(&DISK_CLASSES, facts.disk_size.get()), ""),
        (Facet::Privilege, privilege(facts.ct_type.get()), ""),
        (Facet::Generation, ["0", "1", "2", "3"][usize::from(execution.generation.number())], ""),
        (Facet::Template, text(facts.template_kind.get()), template_detail(execution)),
        (Facet::Runtime, text(facts.runtime_source.get()), text(facts.runtime_ref.get())),
    ]
}

/// Whether a container is privileged; empty for a virtual machine, and if it was not reported.
fn privilege(ct_type: Option<&i32>) -> &'static str {
    match ct_type {
        Some(0) => "privileged",
        Some(1) => "unprivileged",
        _ => "",
    }
}

/// Unusual settings of a container made from an image.
fn template_detail(execution: &Execution) -> &'static str {
    let is = |fact: &Reported<bool>| fact.get().copied().unwrap_or(false);
    match (is(&execution.facts.custom_entrypoint), is(&execution.facts.host_managed_network)) {
        (false, false) => "",
        (true, false) => "entrypoint",
        (false, true) => "network",
        (true, true) => "entrypoint+network",
    }
}

/// The name under which a distribution is counted: some are counted together.
#[must_use]
pub fn os_family(os: &str) -> &str {
    if os == "wolfi" { "chainguard" } else { os }
}

/// The bucket of a duration: `floor(8 · log2(seconds))`; 0 for one second.
#[must_use]
pub fn duration_bucket(seconds: i32) -> i16 {
    // At most 8 · 31: fits.
    (8.0 * f64::from(seconds.max(1)).log2()).floor() as i16
}

/// The duration that represents a bucket, in seconds: its geometric middle.
#[must_use]
pub fn bucket_seconds(bucket: i16) -> f64 {
    ((f64::from(bucket) + 0.5) / 8.0).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_at_most_four_and_a_half_percent_off() {
        for seconds in (1..100_000).step_by(7) {
            let error = bucket_seconds(duration_bucket(seconds)) / f64::from(seconds);
            assert!((0.956..1.046).contains(&error), "{seconds}: {error}");
        }
        assert_eq!(duration_bucket(1), 0);
        assert_eq!(duration_bucket(2), 8);
        assert_eq!(duration_bucket(-5), 0);
    }

    #[test]
    fn every_cause_and_every_duration_has_a_name() {
        let name = |exit_code, generation| Cause { exit_code, category: "", generation }.name();
        assert_eq!(
            [name(-1, 0), name(255, 0), name(-1, 1), name(231, 3)],
            ["-1@0", "255@0", "-1@1", "231@3"]
        );
        assert_eq!([bucket_name(0), bucket_name(duration_bucket(i32::MAX))], ["0", "247"]);
    }

    #[test]
    fn a_version_of_the_host_is_cut_at_its_second_point() {
        let folded = ["9.0.3", "9.0", "8", "", "incus-6.12", "incus-6.12.1"].map(minor_version);
        assert_eq!(folded, ["9.0", "9.0", "8", "", "incus-6.12", "incus-6.12"]);
    }
}
