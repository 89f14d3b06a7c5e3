//! Why runs did not succeed, as the API shows it.

use serde::Serialize;
use telemetry_protocol::Outcome;
use telemetry_protocol::exit_code::explain;
use telemetry_protocol::reason::{Blame, Category, Diagnosis, rule};
use utoipa::ToSchema;

use crate::ingest::execution::Execution;

/// The reason of a failed, blocked or aborted run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReasonView {
    /// Id of the rule that knows the line, as in `/api/reasons`; `null` if none does.
    pub id: Option<&'static str>,
    /// What is wrong, in a few words.
    pub title: String,
    /// The line of the log that says why, scrubbed; `null` for readers who may not see texts of single runs.
    pub line: Option<String>,
    /// What the failure is about, such as a package or a host; `null` if the line names nothing.
    pub subject: Option<String>,
    /// Kind of the failure.
    pub category: &'static str,
    /// The side that has to act: `script`, `upstream`, `host`, `user` or `unknown`.
    pub blame: &'static str,
    /// What to do about it; `null` if no rule knows the line.
    pub hint: Option<&'static str>,
}

impl ReasonView {
    /// The reason of a run with this diagnosis; `None` unless the run failed, was blocked or was aborted.
    #[must_use]
    pub fn of(run: &Execution, diagnosis: Option<&Diagnosis>) -> Option<Self> {
        let (category, blame) = match (run.outcome(), diagnosis) {
            (Outcome::Success | Outcome::Open, _) => return None,
            (Outcome::Aborted, _) => (Category::UserAbort, Blame::User),
            (Outcome::Failed | Outcome::Blocked, None) => Default::default(),
            (Outcome::Failed | Outcome::Blocked, Some(diagnosis)) => (diagnosis.category, diagnosis.blame),
        };
        let diagnosis = diagnosis.filter(|_| run.outcome() != Outcome::Aborted);
        let rule = diagnosis.and_then(|diagnosis| diagnosis.rule);
        // Without a rule, the exit code gives the title.
        let of_code = || {
            let title = run.exit_code().map(|code| explain(run.generation, code).title.into_owned());
            title.unwrap_or_else(|| "No exit code was reported".to_owned())
        };
        Some(Self {
            id: rule.map(|rule| rule.id),
            title: rule.map_or_else(of_code, |rule| rule.title.to_owned()),
            line: diagnosis.map(|diagnosis| diagnosis.line.clone()).filter(|line| !line.is_empty()),
            subject: diagnosis.and_then(|diagnosis| diagnosis.subject.clone()),
            category: category.as_str(),
            blame: blame.as_str(),
            hint: rule.map(|rule| rule.hint),
        })
    }
}

/// The reason that runs with one signature share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SharedReason {
    /// Id of the rule that knows the line, as in `/api/reasons`; `null` if none does.
    pub id: Option<String>,
    /// What is wrong, in a few words; `null` if no rule knows the line.
    pub title: Option<&'static str>,
    /// What the failures are about, such as a package or a host; `null` if the line names nothing.
    pub subject: Option<String>,
    /// Kind of the failure.
    pub category: String,
    /// The side that has to act: `script`, `upstream`, `host`, `user` or `unknown`.
    pub blame: String,
    /// What to do about it; `null` if no rule knows the line.
    pub hint: Option<&'static str>,
}

impl SharedReason {
    /// The reason that is stored with a signature; `None` for the rare ones, which have no category.
    #[must_use]
    pub fn of(
        id: Option<String>,
        subject: Option<String>,
        category: Option<String>,
        blame: Option<String>,
    ) -> Option<Self> {
        let (category, blame) = (category?, blame?);
        let rule = id.as_deref().and_then(rule);
        let (title, hint) = (rule.map(|rule| rule.title), rule.map(|rule| rule.hint));
        Some(Self { id, title, subject, category, blame, hint })
    }
}
