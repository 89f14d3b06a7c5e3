//! One run as far as it is known, and how two halves of that knowledge are joined.
//!
//! An event is an execution that was seen once; a stored row is the join of all its events.
//! [`Execution::join`] is commutative, associative and idempotent, so neither order nor
//! duplicates nor lost answers can change what a run ends as.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use telemetry_protocol::exit_code::{Category, Fault, explain};
use telemetry_protocol::signature::{Signature, signature};
use telemetry_protocol::{Generation, Outcome, Status};

use crate::ingest::identity::RunKey;

/// What an event told about one field, with the status of the event that told it.
///
/// In a join the stronger status wins; among equals the longer text or the greater number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told<T>(Option<(Status, T)>);

impl<T> Default for Told<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// A total order that says which of two values is kept when equally strong events disagree.
pub trait Preference: Eq {
    /// Whether `self` is kept.
    fn beats(&self, other: &Self) -> bool;
}

impl Preference for String {
    fn beats(&self, other: &Self) -> bool {
        (self.len(), self) > (other.len(), other)
    }
}

impl Preference for i32 {
    fn beats(&self, other: &Self) -> bool {
        self > other
    }
}

impl Preference for bool {
    fn beats(&self, other: &Self) -> bool {
        self > other
    }
}

impl<T> Told<T> {
    /// A value told by an event of this status, if there was one.
    #[must_use]
    pub fn by(status: Status, value: Option<T>) -> Self {
        Self(value.map(|value| (status, value)))
    }

    /// The value; `None` if no event told one.
    #[must_use]
    pub const fn get(&self) -> Option<&T> {
        match &self.0 {
            Some((_, value)) => Some(value),
            None => None,
        }
    }

    /// Whether no event told a value.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.0.is_none()
    }

    /// The value, unless a weaker event than one of this status told it.
    #[must_use]
    pub fn told_at(&self, status: Status) -> Option<&T> {
        self.0.as_ref().filter(|(told, _)| *told == status).map(|(_, value)| value)
    }

    /// The status of the event that told the value.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.0.as_ref().map(|(status, _)| *status)
    }
}

impl<T: Preference + Clone> Told<T> {
    /// Whether a join with `other` changes this.
    fn yields(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some((own, kept)), Some((status, value))) => {
                status > own || (status == own && value.beats(kept))
            }
        }
    }

    fn join(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            (_, None) => {}
            // Told again, mostly: nothing to copy.
            (Some((own, kept)), Some((status, value))) if kept == value => *own = (*own).max(*status),
            (Some((own, kept)), Some((status, value))) => {
                if status > own || (status == own && value.beats(kept)) {
                    *own = *status;
                    kept.clone_from(value);
                }
            }
            (None, Some(_)) => self.clone_from(other),
        }
    }
}

macro_rules! facts {
    ($($(#[$doc:meta])* $field:ident: $type:ty),+ $(,)?) => {
        /// Everything that events tell about a run besides its status and times.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Facts {
            $($(#[$doc])* #[serde(skip_serializing_if = "Told::is_absent")] pub $field: Told<$type>,)+
        }

        impl Facts {
            /// Number of facts.
            pub const COUNT: usize = [$(stringify!($field)),+].len();

            fn join(&mut self, other: &Self) {
                $(self.$field.join(&other.$field);)+
            }

            /// For each fact the status of the event that told it, in declaration order.
            #[must_use]
            pub fn statuses(&self) -> [Option<Status>; Self::COUNT] {
                [$(self.$field.status()),+]
            }
        }
    };
}

/// Hands the list of facts to another macro, so that it is written only here. The order is that
/// of the stored evidence: new facts go to the end.
macro_rules! with_facts {
    ($callback:ident) => {
        $callback! {
        /// Application, lower case.
        app: String,
        /// `lxc`, `vm`, `addon`, `pve` or `turnkey`.
        kind: String,
        /// 1 unprivileged, 0 privileged container, 2 virtual machine.
        ct_type: i32,
        /// GB.
        disk_size: i32,
        /// CPU cores.
        core_count: i32,
        /// MB.
        ram_size: i32,
        /// Operating system of the guest, folded.
        os_type: String,
        /// Its version.
        os_version: String,
        /// Version of Proxmox VE (or `incus-…`).
        pve_version: String,
        /// How the settings were chosen.
        method: String,
        /// Whether IPv6 was disabled; generation 1 only.
        disable_ipv6: bool,
        /// Exit code, 0 to 255. Only ends tell one.
        exit_code: i32,
        /// What went wrong, the end of it. Only bad ends tell one.
        error: String,
        /// The client's own category.
        error_category: String,
        /// Seconds. Only ends tell one.
        install_duration: i32,
        /// The command that failed.
        failed_command: String,
        /// Its line in the script, from 1.
        failed_line: i32,
        /// CPU vendor.
        cpu_vendor: String,
        /// CPU model.
        cpu_model: String,
        /// GPU vendor.
        gpu_vendor: String,
        /// GPU model.
        gpu_model: String,
        /// `yes`, `no`; earlier clients `igpu`, `dgpu`, `unknown`.
        gpu_passthrough: String,
        /// MT/s, as sent.
        ram_speed: String,
        /// CPU architecture.
        arch: String,
        /// `pve` or `incus`.
        platform: String,
        /// Whether the script supports ARM.
        has_arm: bool,
        /// Kernel of the host.
        kernel_version: String,
        /// Version of the application.
        app_version: String,
        /// `ProxmoxVE`, `ProxmoxVED` or `external`.
        repo_source: String,
        /// `owner/name` of the repository.
        repo_slug: String,
        /// `tarball` or `oci`: what the container was made from.
        template_kind: String,
        /// Whether the container starts another program than its image says.
        custom_entrypoint: bool,
        /// Whether the host configures the network of the container.
        host_managed_network: bool,
        /// Where the scripts came from: `local`, `remote`, `pinned`, `mirror`.
        runtime_source: String,
        /// Their revision: `main`, a release tag or a commit.
        runtime_ref: String,
            }
    };
}
pub(crate) use with_facts;

with_facts!(facts);

/// A run: the join of all its events so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Key of the attempt.
    pub key: RunKey,
    /// Key of the session, where the attempt has an id of its own.
    pub session: Option<RunKey>,
    /// The newest generation among the events.
    pub generation: Generation,
    /// When the first event came.
    pub first_seen: DateTime<Utc>,
    /// When the last event came.
    pub last_seen: DateTime<Utc>,
    /// When each status was first reported, by [`Status::rank`]. At least one is set.
    pub steps: [Option<DateTime<Utc>>; Status::ALL.len()],
    /// What the events told.
    pub facts: Facts,
    /// What went wrong, by [`Execution::signed`]; `None` also for a row of a server that knew none.
    pub signature: Option<i64>,
}

impl Execution {
    /// With the signature of its failure, which is a function of everything else.
    #[must_use]
    pub fn signed(self) -> Self {
        Self { signature: self.failure().map(|signature| signature.id), ..self }
    }

    /// What went wrong; `None` unless the run failed and said how.
    #[must_use]
    pub fn failure(&self) -> Option<Signature> {
        let [error, command] = self.failure_texts();
        signature(error, command)
    }

    /// The texts from which the signature is made.
    fn failure_texts(&self) -> [Option<&str>; 2] {
        match self.status() {
            Status::Failed => {
                [&self.facts.error, &self.facts.failed_command].map(|fact| self.failure_text(fact))
            }
            _ => [None, None],
        }
    }

    /// Adds what another half of the knowledge about the same run says.
    pub fn join(&mut self, other: &Self) {
        let (before, facts) = (self.status(), &self.facts);
        let another_failure = facts.error.yields(&other.facts.error)
            || facts.failed_command.yields(&other.facts.failed_command);
        self.session = self.session.max(other.session);
        self.generation = self.generation.max(other.generation);
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        for (own, others) in self.steps.iter_mut().zip(other.steps) {
            *own = match (*own, others) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (one, another) => one.or(another),
            };
        }
        self.facts.join(&other.facts);
        if another_failure || self.status() != before {
            self.signature = match self.failure_texts() {
                [None, None] => None,
                texts if texts == other.failure_texts() => other.signature,
                [error, command] => signature(error, command).map(|signature| signature.id),
            };
        }
    }

    /// The strongest status reported.
    #[must_use]
    pub fn status(&self) -> Status {
        let reported = Status::ALL.into_iter().rev().find(|status| self.step(*status).is_some());
        reported.unwrap_or(Status::Installing)
    }

    /// When this status was first reported.
    #[must_use]
    pub const fn step(&self, status: Status) -> Option<DateTime<Utc>> {
        self.steps[status.rank() as usize]
    }

    /// When the end that counts was first reported; `None` while there is none.
    #[must_use]
    pub fn finished_at(&self) -> Option<DateTime<Utc>> {
        let status = self.status();
        if status.is_end() { self.step(status) } else { None }
    }

    /// The exit code that belongs to the status: one told by a weaker report (a failure before
    /// the recovery) does not count. A success is 0 by definition; otherwise an absent code is
    /// absent.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        let status = self.status();
        let told = self.facts.exit_code.told_at(status).copied();
        told.or_else(|| (status == Status::Success).then_some(0))
    }

    /// Seconds that the run took, by the report that counts; see [`Execution::exit_code`]. Clients
    /// that did not measure send zero, which is no duration.
    #[must_use]
    pub fn install_duration(&self) -> Option<i32> {
        self.facts.install_duration.told_at(self.status()).copied().filter(|seconds| *seconds > 0)
    }

    /// A text about the failure that belongs to the status; see [`Execution::exit_code`].
    #[must_use]
    pub fn failure_text<'a>(&self, fact: &'a Told<String>) -> Option<&'a str> {
        fact.told_at(self.status()).map(String::as_str)
    }

    /// Our reading of status and exit code.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.status() {
            Status::Success => Outcome::Success,
            Status::Aborted => Outcome::Aborted,
            Status::Failed => match self.exit_code() {
                // Hang-up, Ctrl-C and termination: clients before July 2026 call them failed.
                Some(129 | 130 | 143) => Outcome::Aborted,
                Some(code) if explain(self.generation, code).fault == Fault::Environment => Outcome::Blocked,
                _ => Outcome::Failed,
            },
            Status::Unknown | Status::Configuring | Status::Validation | Status::Installing => Outcome::Open,
        }
    }

    /// The category of a bad end: by exit code; without one, or with the general code 1, what the
    /// client said, if it said anything. `None` for good ends and open runs.
    #[must_use]
    pub fn category(&self) -> Option<Category> {
        match self.outcome() {
            Outcome::Success | Outcome::Open => None,
            Outcome::Aborted => Some(Category::UserAborted),
            Outcome::Failed | Outcome::Blocked => {
                let by_code = self.exit_code().map(|code| (code, explain(self.generation, code).category));
                let told = || {
                    let word = self.failure_text(&self.facts.error_category);
                    word.and_then(Category::from_word).filter(|category| *category != Category::Unknown)
                };
                match by_code {
                    Some((code, category)) if code != 1 => Some(category),
                    general => told().or(general.map(|(_, category)| category)).or(Some(Category::Unknown)),
                }
            }
        }
    }

    /// For a run without an end, the full hour of its last event: what decides whether it is
    /// unfinished. `None` when an end was reported, even one that says nothing.
    #[must_use]
    pub fn open_hour(&self) -> Option<DateTime<Utc>> {
        if self.status().is_end() { None } else { Some(full_hour(self.last_seen)) }
    }
}

/// The full hour in which a time lies.
#[must_use]
pub fn full_hour(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::hours(1)).unwrap_or(time)
}

#[cfg(test)]
mod tests;
