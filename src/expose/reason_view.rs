//! Why a run did not succeed, as the API shows it.

use serde::Serialize;
use telemetry_protocol::Outcome;
use telemetry_protocol::exit_code::explain;
use telemetry_protocol::reason::{Blame, Category};
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
    /// The reason of a run; `None` unless it failed, was blocked or was aborted.
    #[must_use]
    pub fn of(run: &Execution) -> Option<Self> {
        match run.outcome() {
            Outcome::Success | Outcome::Open => None,
            Outcome::Aborted => Some(Self::without_rule(run, Category::UserAbort, Blame::User, None)),
            Outcome::Failed | Outcome::Blocked => Some(match run.diagnosis() {
                None => Self::without_rule(run, Category::Unknown, Blame::Unknown, None),
                Some(diagnosis) => match diagnosis.rule {
                    None => {
                        Self::without_rule(run, diagnosis.category, diagnosis.blame, Some(diagnosis.line))
                    }
                    Some(rule) => Self {
                        id: Some(&rule.id),
                        title: rule.title.clone(),
                        line: Some(diagnosis.line),
                        subject: diagnosis.subject,
                        category: rule.category.as_str(),
                        blame: rule.blame.as_str(),
                        hint: Some(&rule.hint),
                    },
                },
            }),
        }
    }

    /// Without a rule, the exit code gives the title.
    fn without_rule(run: &Execution, category: Category, blame: Blame, line: Option<String>) -> Self {
        let title = run.exit_code().map(|code| explain(run.generation, code).title.into_owned());
        Self {
            id: None,
            title: title.unwrap_or_else(|| "No exit code was reported".to_owned()),
            line,
            subject: None,
            category: category.as_str(),
            blame: blame.as_str(),
            hint: None,
        }
    }
}
