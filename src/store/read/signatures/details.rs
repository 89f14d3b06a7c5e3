//! More about some signatures: their reason, days, exit codes, sessions, and where their failures differ.

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::Listed;
use crate::store::read::records::{Choice, end_of, start_of};
use crate::store::read::snapshot::Snapshot;
use crate::store::read::view::View;

/// Longest period in which failures are compared with all executions of their scripts, in days.
const COMPARED_DAYS: u64 = 30;

/// Executions with a signature on a day.
#[derive(Debug)]
pub struct SignatureDay {
    /// Id; 0 stands for the rare ones.
    pub signature: i64,
    /// UTC day.
    pub day: NaiveDate,
    /// Executions.
    pub runs: i64,
}

/// Stored executions with a signature and an exit code.
#[derive(Debug)]
pub struct SignatureRuns {
    /// Id; 0 stands for the rare ones.
    pub signature: i64,
    /// Exit code; `None` if none was reported.
    pub exit_code: Option<i32>,
    /// Executions.
    pub runs: i64,
    /// Sessions with the signature, whatever their exit code.
    pub sessions: i64,
}

/// Stored executions with some signatures on an operating system.
#[derive(Debug)]
pub struct SystemCount {
    /// Family, or empty.
    pub os: String,
    /// Its version, or empty.
    pub version: String,
    /// Executions.
    pub runs: i64,
}

/// The facts about a signature that no period changes.
#[derive(Debug)]
pub struct KnownSignature {
    /// The title of the reason with its subject, or the failing line, masked.
    pub template: String,
    /// Arrival of the first execution with it.
    pub created: DateTime<Utc>,
    /// Id of the rule.
    pub reason: Option<String>,
    /// What the failure is about.
    pub subject: Option<String>,
    /// Kind of the failure.
    pub category: String,
    /// The side that has to act.
    pub blame: String,
    /// `open`, `known`, `resolved`, `ignored`, `regressed`.
    pub state: String,
    /// Address of the issue.
    pub issue_url: Option<String>,
    /// Remark for maintainers; `None` in the public view.
    pub note: Option<String>,
    /// When the state was set; `None` for a signature that never had another.
    pub since: Option<DateTime<Utc>>,
}

/// The failures of a signature and all executions of its scripts with one value of a property.
#[derive(Debug)]
pub struct FacetDifference {
    /// The property.
    pub facet: String,
    /// Its value.
    pub value: String,
    /// Failures with this value.
    pub hits: i64,
    /// Failures with any value.
    pub all_hits: i64,
    /// Executions with this value.
    pub runs: i64,
    /// Executions with any value.
    pub all_runs: i64,
}

/// The properties of the failures of a signature, beside those of all executions of its scripts.
#[derive(Debug)]
pub struct Differences {
    /// First and last day of the executions.
    pub days: (NaiveDate, NaiveDate),
    /// By property and value, in no order.
    pub values: Vec<FacetDifference>,
}

impl Snapshot<'_> {
    /// Executions of each row of a list of signatures by day.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn signature_days(
        &mut self,
        outcomes: &[&str],
        listed: &Listed,
    ) -> sqlx::Result<Vec<SignatureDay>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(
            SignatureDay,
            "src/store/sql/read/signatures/signature_days.sql",
            selection as _,
            outcomes as _,
            &listed.shown,
            &listed.signatures
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Exit codes and sessions of each row of a list of signatures, of the executions that are still stored.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn signature_runs(
        &mut self,
        outcomes: &[&str],
        listed: &Listed,
    ) -> sqlx::Result<Vec<SignatureRuns>> {
        let Some(visible) = self.visible(&Choice::all(DateTime::UNIX_EPOCH)).await? else {
            return Ok(Vec::new());
        };
        let (first, last) = self.kept().await?;
        sqlx::query_file_as!(
            SignatureRuns,
            "src/store/sql/read/signatures/signature_runs.sql",
            start_of(first),
            end_of(last),
            outcomes as _,
            &listed.shown,
            &listed.signatures,
            visible.filter(&self.filter) as _
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Executions of a list of signatures by operating system, of those that are still stored.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn signature_systems(
        &mut self,
        outcomes: &[&str],
        listed: &Listed,
    ) -> sqlx::Result<Vec<SystemCount>> {
        let Some(visible) = self.visible(&Choice::all(DateTime::UNIX_EPOCH)).await? else {
            return Ok(Vec::new());
        };
        let ((first, last), hides_rare) = (self.kept().await?, self.hides_rare().await?);
        sqlx::query_file_as!(
            SystemCount,
            "src/store/sql/read/signatures/signature_systems.sql",
            start_of(first),
            end_of(last),
            outcomes as _,
            &listed.signatures,
            visible.filter(&self.filter) as _,
            hides_rare
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// How the failures of a signature differ from all executions of the same scripts, in the 30 days up to `last`, the
    /// last day of the period with such a failure. Only executions that are still stored.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn differences(&mut self, signature: i64, last: NaiveDate) -> sqlx::Result<Differences> {
        let first = last.checked_sub_days(Days::new(COMPARED_DAYS - 1)).unwrap_or(last);
        let days = (first.max(self.kept().await?.0), last);
        let Some(visible) = self.visible(&Choice::all(DateTime::UNIX_EPOCH)).await? else {
            return Ok(Differences { days, values: Vec::new() });
        };
        let hides_rare = self.hides_rare().await?;
        let values = sqlx::query_file_as!(
            FacetDifference,
            "src/store/sql/read/signatures/differences.sql",
            start_of(days.0),
            end_of(days.1),
            visible.filter(&self.filter) as _,
            signature,
            hides_rare
        );
        Ok(Differences { days, values: values.fetch_all(&mut *self.transaction).await? })
    }

    /// The fixed facts about a signature, or `None` for an id that is unknown, or rare in a view that hides rare names.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn known_signature(&mut self, id: i64) -> sqlx::Result<Option<KnownSignature>> {
        let (hides_rare, hides_note) = (self.hides_rare().await?, self.view == View::Public);
        sqlx::query_file_as!(
            KnownSignature,
            "src/store/sql/read/signatures/known_signature.sql",
            id,
            hides_rare,
            hides_note
        )
        .fetch_optional(&mut *self.transaction)
        .await
    }
}
