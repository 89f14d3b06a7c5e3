//! Failures by signature, which is the failing line without its variable parts.

use chrono::{DateTime, NaiveDate, Utc};

use crate::store::read::snapshot::Snapshot;

/// Outcomes that count as failures with a signature.
pub const FAILED: &[&str] = &["failed"];
/// The same, with executions that the host did not allow to start.
pub const FAILED_OR_BLOCKED: &[&str] = &["failed", "blocked"];

/// Executions with a signature.
#[derive(Debug)]
pub struct SignatureCount {
    /// Id; 0 stands for the rare ones.
    pub signature: i64,
    /// The failing line, masked.
    pub template: Option<String>,
    /// Arrival of the first execution with it.
    pub created: Option<DateTime<Utc>>,
    /// Executions.
    pub runs: i64,
}

/// The scripts whose executions have a signature.
#[derive(Debug)]
pub struct SignatureScripts {
    /// Id; 0 stands for the rare ones.
    pub signature: i64,
    /// First UTC day of the period with one.
    pub first_day: NaiveDate,
    /// Last one.
    pub last_day: NaiveDate,
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

/// Executions on a day.
#[derive(Debug)]
pub struct RunsOfDay {
    /// UTC day.
    pub day: NaiveDate,
    /// Executions.
    pub runs: i64,
}

/// The fixed facts about a signature.
#[derive(Debug)]
pub struct KnownSignature {
    /// The failing line, masked.
    pub template: String,
    /// Arrival of the first execution with it.
    pub created: DateTime<Utc>,
}

impl Snapshot<'_> {
    /// The `length` most frequent signatures with these outcomes, most frequent first; with `new_since` only those
    /// without a failure on an earlier day.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn signatures(
        &mut self,
        outcomes: &[&str],
        new_since: Option<NaiveDate>,
        length: i64,
    ) -> sqlx::Result<Vec<SignatureCount>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(
            SignatureCount,
            "src/store/sql/read/signatures/count_signatures.sql",
            selection as _,
            outcomes as _,
            new_since,
            length
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// The scripts of each of these signatures, with the names of up to `names` of them. `new_since` is that of
    /// [`Snapshot::signatures`].
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn signature_scripts(
        &mut self,
        outcomes: &[&str],
        signatures: &[i64],
        names: i32,
        new_since: Option<NaiveDate>,
    ) -> sqlx::Result<Vec<SignatureScripts>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(
            SignatureScripts,
            "src/store/sql/read/signatures/signature_scripts.sql",
            selection as _,
            outcomes as _,
            signatures,
            names,
            new_since
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Recent failures with each of these signatures that has any. Ignores the dates of the filter.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn signature_weeks(
        &mut self,
        today: NaiveDate,
        signatures: &[i64],
    ) -> sqlx::Result<Vec<SignatureWeeks>> {
        let all_time = self.all_time().await?;
        sqlx::query_file_as!(
            SignatureWeeks,
            "src/store/sql/read/signatures/signature_weeks.sql",
            all_time as _,
            today,
            signatures
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Failures with a signature by day.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn signature_days(&mut self, signature: i64) -> sqlx::Result<Vec<RunsOfDay>> {
        let selection = self.selection().await?;
        sqlx::query_as!(
            RunsOfDay,
            "select day, sum(runs::integer) as \"runs!\" from rollup_signature
             where signature = $2 and outcome = 'failed' and runs <> 0 and is_shown(day, population, $1)
             group by day order by day",
            selection as _,
            signature
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// The fixed facts about a signature, or `None` for an id that is unknown, or rare in a view that hides rare names.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn known_signature(&mut self, id: i64) -> sqlx::Result<Option<KnownSignature>> {
        let hides_rare = self.hides_rare().await?;
        sqlx::query_as!(
            KnownSignature,
            "select template, created from signature where id = $1 and (not $2 or exists (
                 select from known_name where kind = 'signature' and name = id::text and detail = ''
             ))",
            id,
            hides_rare
        )
        .fetch_optional(&mut *self.transaction)
        .await
    }
}
