//! Failures by signature, which stands for the reason of a failure.

mod details;

use chrono::{DateTime, NaiveDate, Utc};
use telemetry_protocol::reason::{Blame, Category};

use crate::store::model::names::RARE_SIGNATURE;
pub use crate::store::read::signatures::details::{
    Differences, FacetDifference, KnownSignature, SignatureDay, SignatureRuns, SystemCount,
};
use crate::store::read::snapshot::Snapshot;

/// Outcomes that count as failures with a signature.
pub const FAILED: &[&str] = &["failed"];
/// Executions that the host did not allow to start.
pub const BLOCKED: &[&str] = &["blocked"];
/// Both together.
pub const FAILED_OR_BLOCKED: &[&str] = &["failed", "blocked"];

/// Order of a list of signatures. Equal ones are sorted by their executions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureOrder {
    /// What should be fixed first: failures of the last 28 days of the period, times the square root of the number of
    /// scripts that they hit. A failure of the last 7 days counts 8, of the 7 days before 4, then 2 and 1. Resolved
    /// signatures come behind the others, rare ones at the end.
    Priority,
    /// Most executions first.
    #[default]
    Count,
    /// Newest first.
    Created,
}

impl SignatureOrder {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::Count => "count",
            Self::Created => "created",
        }
    }
}

/// Selects signatures. A `None` does not restrict.
#[derive(Clone, Copy, Debug)]
pub struct SignatureChoice {
    /// Outcomes of the executions that are counted.
    pub outcomes: &'static [&'static str],
    /// Only signatures without a failure on an earlier day.
    pub new_since: Option<NaiveDate>,
    /// Id of the rule.
    pub reason: Option<&'static str>,
    /// Kind of the failure.
    pub category: Option<Category>,
    /// The side that has to act.
    pub blame: Option<Blame>,
    /// `open`, `known`, `resolved`, `ignored`, `regressed`.
    pub state: Option<&'static str>,
    /// Whether ignored signatures are listed.
    pub with_ignored: bool,
    /// The order.
    pub order: SignatureOrder,
    /// The current UTC day, for the order by priority.
    pub today: NaiveDate,
}

impl SignatureChoice {
    /// All signatures of executions with these outcomes, most executions first.
    #[must_use]
    pub fn of(outcomes: &'static [&'static str]) -> Self {
        Self {
            outcomes,
            new_since: None,
            reason: None,
            category: None,
            blame: None,
            state: None,
            with_ignored: true,
            order: SignatureOrder::default(),
            today: NaiveDate::default(),
        }
    }
}

/// Executions with a signature.
#[derive(Debug)]
pub struct SignatureCount {
    /// Id; 0 stands for the rare ones.
    pub signature: i64,
    /// The title of the reason with its subject, or the failing line, masked.
    pub template: Option<String>,
    /// Arrival of the first execution with it.
    pub created: Option<DateTime<Utc>>,
    /// Executions.
    pub runs: i64,
    /// First UTC day of the period with one.
    pub first_day: NaiveDate,
    /// Last one.
    pub last_day: NaiveDate,
    /// The signatures that this one stands for.
    pub members: Vec<i64>,
    /// Id of the rule.
    pub reason: Option<String>,
    /// What the failure is about.
    pub subject: Option<String>,
    /// Kind of the failure; `None` for the rare ones.
    pub category: Option<String>,
    /// The side that has to act; `None` for the rare ones.
    pub blame: Option<String>,
    /// `open`, `known`, `resolved`, `ignored`, `regressed`.
    pub state: String,
    /// Address of the issue.
    pub issue_url: Option<String>,
    /// When the state was set; `None` for a signature that never had another.
    pub since: Option<DateTime<Utc>>,
}

/// The scripts whose executions have a signature.
#[derive(Debug)]
pub struct SignatureScripts {
    /// Id; 0 stands for the rare ones.
    pub signature: i64,
    /// Number of scripts.
    pub scripts: i64,
    /// Scripts with the most executions, most first.
    pub names: Vec<String>,
    /// Executions of each of these.
    pub runs_of_names: Vec<i64>,
}

/// Recent failures with a signature.
#[derive(Debug)]
pub struct SignatureWeeks {
    /// Id; 0 stands for the rare ones.
    pub signature: i64,
    /// In the last seven UTC days, including today.
    pub last_week: i64,
    /// In the seven days before.
    pub week_before: i64,
}

/// The rows of a list of signatures, and the signatures of each.
#[derive(Clone, Debug)]
pub struct Listed {
    shown: Vec<i64>,
    signatures: Vec<i64>,
}

impl Listed {
    /// The rows of such a list.
    #[must_use]
    pub fn of(counts: &[SignatureCount]) -> Self {
        let members = counts.iter().flat_map(|row| row.members.iter().map(|member| (row.signature, *member)));
        let (shown, signatures) = members.unzip();
        Self { shown, signatures }
    }

    /// All signatures of such a list in one row, which has the id 0.
    #[must_use]
    pub fn together(counts: &[SignatureCount]) -> Self {
        let signatures: Vec<_> = counts.iter().flat_map(|row| row.members.iter().copied()).collect();
        Self { shown: vec![RARE_SIGNATURE; signatures.len()], signatures }
    }

    /// A list of one signature.
    #[must_use]
    pub fn one(signature: i64) -> Self {
        Self { shown: vec![signature], signatures: vec![signature] }
    }
}

impl Snapshot<'_> {
    /// The first `length` signatures of a choice.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn signatures(
        &mut self,
        choice: &SignatureChoice,
        length: i64,
    ) -> sqlx::Result<Vec<SignatureCount>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(
            SignatureCount,
            "src/store/sql/read/signatures/count_signatures.sql",
            selection as _,
            choice.outcomes as _,
            choice.new_since,
            choice.reason,
            choice.category.map(Category::as_str),
            choice.blame.map(Blame::as_str),
            choice.state,
            choice.with_ignored,
            choice.order.as_str(),
            choice.today,
            length
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// The scripts of each row of a list of signatures, with the names of up to `names` of them.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn signature_scripts(
        &mut self,
        outcomes: &[&str],
        listed: &Listed,
        names: i32,
    ) -> sqlx::Result<Vec<SignatureScripts>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(
            SignatureScripts,
            "src/store/sql/read/signatures/signature_scripts.sql",
            selection as _,
            outcomes as _,
            &listed.shown,
            &listed.signatures,
            names
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Recent failures of each row of a list of signatures that has any. Ignores the dates of the filter.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn signature_weeks(
        &mut self,
        today: NaiveDate,
        listed: &Listed,
    ) -> sqlx::Result<Vec<SignatureWeeks>> {
        let all_time = self.all_time().await?;
        sqlx::query_file_as!(
            SignatureWeeks,
            "src/store/sql/read/signatures/signature_weeks.sql",
            all_time as _,
            today,
            &listed.shown,
            &listed.signatures
        )
        .fetch_all(&mut *self.transaction)
        .await
    }
}
