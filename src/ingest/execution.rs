//! One attempt at running a script, as far as it is known, and the join of two such states.
//!
//! An event is an execution that was seen once; a stored row is the join of all its events.
//! [`Execution::join`] is commutative, associative and idempotent, so neither the order of events
//! nor duplicates nor lost responses change the result.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use telemetry_protocol::exit_code::{Category, Fault, explain};
use telemetry_protocol::reason::{Diagnosis, Failure, diagnose};
use telemetry_protocol::{Generation, Outcome, Status};

use crate::ingest::identity::RunKey;
use crate::ingest::reported::{Facts, Reported};

/// One attempt at running a script: the join of all its events so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Key of the execution.
    pub key: RunKey,
    /// Key of the session, if the client sent an id for the attempt as well.
    pub session: Option<RunKey>,
    /// The newest generation of client among the events.
    pub generation: Generation,
    /// When the first event arrived.
    pub first_seen: DateTime<Utc>,
    /// When the last event arrived.
    pub last_seen: DateTime<Utc>,
    /// When each status was first reported, indexed by [`Status::rank`]. At least one is set.
    pub steps: [Option<DateTime<Utc>>; Status::ALL.len()],
    /// What the events reported.
    pub facts: Facts,
    /// Id of the failure's signature, set by [`Execution::diagnosed`]. Rows may hold an id of older rules until they
    /// are diagnosed again.
    pub signature: Option<i64>,
    /// The category of a failure or an abort, set like `signature`; `None` for any other run.
    pub category: Option<Category>,
}

impl Execution {
    /// Sets the signature and the category, which are functions of all other fields.
    #[must_use]
    pub fn diagnosed(mut self) -> Self {
        self.diagnose();
        self
    }

    fn diagnose(&mut self) {
        let diagnosis = self.diagnosis();
        self.signature = diagnosis.as_ref().map(|diagnosis| diagnosis.signature().id);
        self.category = self.category_given(diagnosis.as_ref());
    }

    /// Why the run failed or was blocked; `None` for any other run, and if nothing was reported about the failure.
    #[must_use]
    pub fn diagnosis(&self) -> Option<Diagnosis> {
        if !matches!(self.outcome(), Outcome::Failed | Outcome::Blocked) {
            return None;
        }
        diagnose(&Failure {
            error: self.failure_text(&self.facts.error).unwrap_or_default(),
            failed_command: self.failure_text(&self.facts.failed_command),
            exit_code: self.exit_code(),
            generation: Some(self.generation),
        })
    }

    /// Joins `other`, another state of the same run, into this one.
    pub fn join(&mut self, other: &Self) {
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
        self.diagnose();
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

    /// When the final status was first reported; `None` for an open run.
    #[must_use]
    pub fn finished_at(&self) -> Option<DateTime<Utc>> {
        let status = self.status();
        if status.is_end() { self.step(status) } else { None }
    }

    /// The exit code that was reported with the status; a code from a weaker report, such as a failure
    /// before the recovery, does not count. A success without a code has 0; any other run has `None`.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        let status = self.status();
        let reported = self.facts.exit_code.reported_with(status).copied();
        reported.or_else(|| (status == Status::Success).then_some(0))
    }

    /// Duration in seconds, reported with the status; see [`Execution::exit_code`]. Zero counts as absent,
    /// because clients that measure nothing send it.
    #[must_use]
    pub fn install_duration(&self) -> Option<i32> {
        self.facts.install_duration.reported_with(self.status()).copied().filter(|seconds| *seconds > 0)
    }

    /// A text about the failure, if it was reported with the status; see [`Execution::exit_code`].
    #[must_use]
    pub fn failure_text<'a>(&self, fact: &'a Reported<String>) -> Option<&'a str> {
        fact.reported_with(self.status()).map(String::as_str)
    }

    /// The outcome, from status, exit code and generation.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.status() {
            Status::Success => Outcome::Success,
            Status::Aborted => Outcome::Aborted,
            Status::Failed => match self.exit_code() {
                // SIGHUP, SIGINT and SIGTERM: clients before July 2026 report them as failures.
                Some(129 | 130 | 143) => Outcome::Aborted,
                Some(code) if explain(self.generation, code).fault == Fault::Environment => Outcome::Blocked,
                _ => Outcome::Failed,
            },
            Status::Unknown | Status::Configuring | Status::Validation | Status::Installing => Outcome::Open,
        }
    }

    /// The category of a failure or an abort. That of a line that a rule knows is preferred to that of the exit code.
    /// Without a code, or with the general code 1, the category that the client reported is used if there is one.
    fn category_given(&self, diagnosis: Option<&Diagnosis>) -> Option<Category> {
        match self.outcome() {
            Outcome::Success | Outcome::Open => None,
            Outcome::Aborted => Some(Category::UserAborted),
            Outcome::Failed | Outcome::Blocked => {
                let known = diagnosis.filter(|diagnosis| diagnosis.rule.is_some());
                if let Some(category) = known.and_then(|known| known.category.of_exit_codes()) {
                    return Some(category);
                }
                let code = self.exit_code();
                let by_code = code.map(|code| explain(self.generation, code).category);
                let reported = self.failure_text(&self.facts.error_category).and_then(Category::from_word);
                let reported = reported.filter(|category| *category != Category::Unknown);
                let category = if matches!(code, None | Some(1)) { reported.or(by_code) } else { by_code };
                category.or(Some(Category::Unknown))
            }
        }
    }

    /// The full hour of the last event of an open run, which decides when the run counts as unfinished.
    /// `None` once a final status was reported, even `unknown`.
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
