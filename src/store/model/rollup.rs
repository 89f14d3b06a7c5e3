//! What one run adds to the counts. [`contributions`] is the one definition of every aggregate:
//! the writer, the recount and the rebuild all use it.

use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, Timelike, Utc};
use telemetry_protocol::Outcome;
use telemetry_protocol::exit_code::{Category, classification_fingerprint};

use crate::ingest::execution::Execution;
use crate::ingest::reported::Reported;

mod size;

use size::{CORE_CLASSES, DISK_CLASSES, RAM_CLASSES, class};

/// Raised whenever [`contributions`] or [`PopulationKey::of`] counts something differently: a
/// server that finds the rollups made by another definition rebuilds them when it starts.
const DEFINITION: u32 = 3;

/// What the rollups in the database were made with.
#[must_use]
pub fn definition() -> String {
    format!("{DEFINITION}-{:016x}", classification_fingerprint())
}

/// The properties by which every count can be filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PopulationKey<'a> {
    /// `ProxmoxVE`, `ProxmoxVED` or `external`; clients that told none are `ProxmoxVE`.
    pub repo: &'a str,
    /// `owner/name`, or empty.
    pub slug: &'a str,
    /// `lxc`, `vm`, …, or empty.
    pub kind: &'a str,
    /// `pve`, `incus`, or empty.
    pub platform: &'a str,
}

impl<'a> PopulationKey<'a> {
    /// The population to which a run belongs.
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

fn or_empty(text: Option<&String>) -> &str {
    text.map_or("", String::as_str)
}

/// A row of one of the rollups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key<'a> {
    /// UTC day of the first event.
    pub day: NaiveDate,
    /// Id of the [`PopulationKey`].
    pub population: i32,
    /// Which rollup, and the rest of its key.
    pub slice: Slice<'a>,
}

/// The part of a key that differs between the rollups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slice<'a> {
    /// `rollup_script`.
    Script {
        /// Application, or empty for a run whose start never arrived.
        app: &'a str,
        /// `success`, `failed`, `blocked`, `aborted`, `open`.
        outcome: &'a str,
        /// Full hour of the last event of an open run, else the epoch.
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
        /// One of [`FACETS`].
        facet: &'a str,
        /// Value of the property, or empty.
        value: &'a str,
        /// What refines it, or empty.
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
        /// 0 to 255, or -1 where none was told.
        exit_code: i16,
        /// Our category.
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
        /// Id of what went wrong.
        signature: i64,
    },
    /// `rollup_platform`.
    Platform {
        /// Application.
        app: &'a str,
        /// `os`, `pve`.
        property: &'a str,
        /// Family of the operating system, or version of Proxmox VE to the first point.
        value: &'a str,
        /// Version of the operating system, or empty.
        detail: &'a str,
        /// As above, but not `open`.
        outcome: &'a str,
        /// Whether it is another attempt of a session.
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

/// What is added to a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Runs.
    pub runs: i64,
    /// Runs that told a duration; only in [`Slice::Script`].
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

/// The properties in `rollup_facet`. Type, platform, repository and slug are in the population.
///
/// Each run has exactly one `generation`, so that facet also counts all runs with an app. `duration`
/// and `exit_code` repeat without the application what has a rollup of its own by application.
pub const FACETS: [&str; 14] = [
    "os",
    "pve_version",
    "method",
    "arch",
    "cpu_vendor",
    "gpu",
    "cores",
    "ram",
    "disk",
    "generation",
    "template",
    "runtime",
    "duration",
    "exit_code",
];

/// Those of [`FACETS`] that only newer clients or only some ends tell: a run that did not tell is not
/// counted.
const OPTIONAL_FACETS: [&str; 4] = ["template", "runtime", "duration", "exit_code"];

/// Hands every row to which a run contributes, and what it adds there, to `add`.
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
    let cause = execution.category().map(|category| Cause::of(execution, category));
    let bucket = duration.map(duration_bucket);
    if let Some(bucket) = bucket {
        count(Slice::Duration { app, outcome, bucket }, one);
    }
    let ends = [
        ("duration", bucket.map_or("", bucket_name), ""),
        ("exit_code", cause.map_or("", Cause::name), cause.map_or("", |cause| cause.category)),
    ];
    for (facet, value, detail) in facets(execution).into_iter().chain(ends) {
        if value.is_empty() && OPTIONAL_FACETS.contains(&facet) {
            continue;
        }
        count(Slice::Facet { facet, value, detail, outcome }, one);
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
        for (property, value, detail) in platform(execution) {
            count(Slice::Platform { app, property, value, detail, outcome, retry }, one);
        }
    }
}

/// What a run ran on: property, value and detail.
fn platform(execution: &Execution) -> [(&'static str, &str, &str); 2] {
    let (facts, text) = (&execution.facts, or_empty);
    [
        ("os", os_family(text(facts.os_type.get())), text(facts.os_version.get())),
        ("pve", minor_version(text(facts.pve_version.get())), ""),
    ]
}

/// A version to its first point and the number behind it: what is released together.
fn minor_version(version: &str) -> &str {
    let second = version.match_indices('.').nth(1);
    second.map_or(version, |(end, _)| &version[..end])
}

/// Why a run ended badly.
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

    /// Code and the generation that gives it its meaning, as `231@3`; `-1@3` without a code.
    fn name(self) -> &'static str {
        static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
            (0..4).flat_map(|generation| (-1..256).map(move |code| format!("{code}@{generation}"))).collect()
        });
        let position = usize::try_from(self.generation * 257 + self.exit_code + 1).ok();
        position.and_then(|position| NAMES.get(position)).map_or("", String::as_str)
    }
}

/// The number of a bucket as a text.
fn bucket_name(bucket: i16) -> &'static str {
    static NAMES: LazyLock<Vec<String>> =
        LazyLock::new(|| (0..=i16::from(u8::MAX)).map(|n| n.to_string()).collect());
    usize::try_from(bucket).ok().and_then(|bucket| NAMES.get(bucket)).map_or("", String::as_str)
}

/// Each of [`FACETS`] that is told by a fact, with its value and detail.
fn facets(execution: &Execution) -> [(&'static str, &str, &str); FACETS.len() - 2] {
    let facts = &execution.facts;
    let text = or_empty;
    [
        ("os", os_family(text(facts.os_type.get())), text(facts.os_version.get())),
        ("pve_version", text(facts.pve_version.get()), ""),
        ("method", text(facts.method.get()), ""),
        ("arch", text(facts.arch.get()), ""),
        ("cpu_vendor", text(facts.cpu_vendor.get()), ""),
        ("gpu", text(facts.gpu_vendor.get()), text(facts.gpu_passthrough.get())),
        ("cores", class(&CORE_CLASSES, facts.core_count.get()), ""),
        ("ram", class(&RAM_CLASSES, facts.ram_size.get()), ""),
        ("disk", class(&DISK_CLASSES, facts.disk_size.get()), ""),
        ("generation", ["0", "1", "2", "3"][usize::from(execution.generation.number())], ""),
        ("template", text(facts.template_kind.get()), template_detail(execution)),
        ("runtime", text(facts.runtime_source.get()), text(facts.runtime_ref.get())),
    ]
}

/// What is unusual about a container made from an image.
fn template_detail(execution: &Execution) -> &'static str {
    let is = |fact: &Reported<bool>| fact.get().copied().unwrap_or(false);
    match (is(&execution.facts.custom_entrypoint), is(&execution.facts.host_managed_network)) {
        (false, false) => "",
        (true, false) => "entrypoint",
        (false, true) => "network",
        (true, true) => "entrypoint+network",
    }
}

/// Distributions that are counted together.
#[must_use]
pub fn os_family(os: &str) -> &str {
    if os == "wolfi" { "chainguard" } else { os }
}

/// The bucket of a duration: `floor(8 · log2(seconds))`, from 0 (one second) up.
#[must_use]
pub fn duration_bucket(seconds: i32) -> i16 {
    // At most 8 · 31: fits.
    (8.0 * f64::from(seconds.max(1)).log2()).floor() as i16
}

/// The duration for which a bucket stands, in seconds: its geometric middle.
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
    fn a_version_of_the_host_is_counted_to_the_first_point() {
        let folded = ["9.0.3", "9.0", "8", "", "incus-6.12", "incus-6.12.1"].map(minor_version);
        assert_eq!(folded, ["9.0", "9.0", "8", "", "incus-6.12", "incus-6.12"]);
    }
}
