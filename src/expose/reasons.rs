//! The rules that know why a run failed, and the failures of one of them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use telemetry_protocol::reason::{Rank, Rule, rules};
use utoipa::ToSchema;

use crate::expose::dashboard::AppCount;
use crate::expose::execution_view::rfc3339;
use crate::expose::numbers::hexadecimal;
use crate::expose::signatures::{DayCount, ExitCodeRuns, apps, exit_codes, sessions};
use crate::expose::table::lists;
use crate::store::model::names::{RARE, RARE_SIGNATURE};
use crate::store::read::signatures::{
    SignatureCount, SignatureDay, SignatureRuns, SignatureScripts, SystemCount,
};

/// Most signatures that an answer lists.
const LISTED: usize = 200;

/// All reasons that a rule knows.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Reasons {
    /// The time at which the answer was true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// By tool, as in the rules.
    pub reasons: Vec<Reason>,
}

lists!(Reasons: reasons);

/// A reason that a rule knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Reason {
    /// Id, as `tool.what-is-wrong`.
    pub id: &'static str,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// Kind of the failure.
    pub category: &'static str,
    /// The side that has to act: `script`, `upstream`, `host`, `user` or `unknown`.
    pub blame: &'static str,
    /// What to do about it.
    pub hint: &'static str,
}

impl From<&'static Rule> for Reason {
    fn from(rule: &'static Rule) -> Self {
        let (category, blame) = (rule.category.as_str(), rule.blame.as_str());
        Self { id: rule.id, title: rule.title, category, blame, hint: rule.hint }
    }
}

/// The catalogue of reasons. Lines that are noise are no reasons.
#[must_use]
pub fn reasons(as_of: DateTime<Utc>) -> Reasons {
    let known = rules().filter(|rule| rule.rank != Rank::Noise);
    Reasons { as_of, reasons: known.map(Reason::from).collect() }
}

/// The failed runs with one reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OneReason {
    /// The time at which the answer was true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// The reason.
    #[serde(flatten)]
    pub reason: Reason,
    /// Failed runs in the period.
    pub count: i64,
    /// Sessions with such a run in the period. Only of runs that are still stored.
    pub sessions: i64,
    /// Number of affected scripts.
    pub unique_apps: i64,
    /// The failed runs by subject, most first; at most 200.
    pub signatures: Vec<SubjectRuns>,
    /// The most affected scripts, with their failed runs.
    pub apps: Vec<AppCount>,
    /// The failed runs by operating system and version. Only of runs that are still stored.
    pub systems: Vec<SystemRuns>,
    /// The failed runs by exit code. Only of runs that are still stored.
    pub exit_codes: Vec<ExitCodeRuns>,
    /// Failed runs on each day of the period that has any.
    pub days: Vec<DayCount>,
}

lists!(OneReason: signatures, apps, systems, exit_codes, days);

/// Failed runs with one reason and one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SubjectRuns {
    /// Id of the signature, 16 hexadecimal digits.
    pub id: String,
    /// What the failures are about; `null` if the line names nothing.
    pub subject: Option<String>,
    /// `open`, `known`, `resolved`, `ignored` or `regressed`; `null` for the rare signatures.
    pub state: Option<String>,
    /// Address of the issue; `null` if there is none.
    pub issue_url: Option<String>,
    /// Failed runs.
    pub count: i64,
}

/// Failed runs on one operating system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SystemRuns {
    /// Operating system; empty if it was not reported.
    pub os: String,
    /// Its version; empty if it was not reported.
    pub version: String,
    /// Failed runs.
    pub count: i64,
}

/// The counts behind the answer about one reason.
#[derive(Debug)]
pub struct OneReasonCounts {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// The rule.
    pub rule: &'static Rule,
    /// Its signatures.
    pub signatures: Vec<SignatureCount>,
    /// Its scripts.
    pub scripts: Vec<SignatureScripts>,
    /// Its days.
    pub days: Vec<SignatureDay>,
    /// Its exit codes and sessions.
    pub runs: Vec<SignatureRuns>,
    /// Its systems.
    pub systems: Vec<SystemCount>,
}

/// Builds the answer about one reason.
#[must_use]
pub fn one_reason(counts: OneReasonCounts) -> OneReason {
    let OneReasonCounts { as_of, rule, signatures, scripts, days, runs, systems } = counts;
    let count = signatures.iter().map(|row| row.runs).sum();
    let subjects = signatures.into_iter().take(LISTED).map(|row| {
        let is_rare = row.signature == RARE_SIGNATURE;
        SubjectRuns {
            id: hexadecimal(row.signature),
            subject: if is_rare { Some(RARE.to_owned()) } else { row.subject },
            state: (!is_rare).then_some(row.state),
            issue_url: row.issue_url,
            count: row.runs,
        }
    });
    OneReason {
        as_of,
        reason: rule.into(),
        count,
        sessions: sessions(&runs, RARE_SIGNATURE),
        unique_apps: scripts.iter().map(|row| row.scripts).sum(),
        signatures: subjects.collect(),
        apps: scripts.into_iter().flat_map(apps).collect(),
        systems: systems
            .into_iter()
            .map(|row| SystemRuns { os: row.os, version: row.version, count: row.runs })
            .collect(),
        exit_codes: exit_codes(&runs, RARE_SIGNATURE),
        days: days.into_iter().map(|row| DayCount { date: row.day, count: row.runs }).collect(),
    }
}
