//! Why runs ended badly: by exit code, by what their failing line says, and by application.

use chrono::{DateTime, NaiveDate, Utc};

use crate::store::read::snapshot::{Snapshot, over_sums};

/// Bad ends by exit code and category.
#[derive(Debug)]
pub struct ExitCodeCount {
    /// 0 to 255, or -1 where none was told.
    pub exit_code: i16,
    /// Our category.
    pub category: String,
    /// Generation of the client.
    pub generation: i16,
    /// `failed`, `blocked`, `aborted`.
    pub outcome: String,
    /// Runs.
    pub runs: i64,
}

/// Runs with the same failing line.
#[derive(Debug)]
pub struct SignatureCount {
    /// Id of the line.
    pub signature: i64,
    /// The line without its variable parts.
    pub template: Option<String>,
    /// When the first run with it came.
    pub created: Option<DateTime<Utc>>,
    /// Runs.
    pub runs: i64,
}

/// The scripts whose runs had the same failing line.
#[derive(Debug)]
pub struct SignatureScripts {
    /// Id of the line.
    pub signature: i64,
    /// First UTC day of the period with one.
    pub first_day: NaiveDate,
    /// Last one.
    pub last_day: NaiveDate,
    /// Number of scripts.
    pub scripts: i64,
    /// Those with the most runs, most first.
    pub names: Vec<String>,
    /// Runs of each of these.
    pub runs_of_names: Vec<i64>,
}

/// Failed runs with the same failing line of late.
#[derive(Debug)]
pub struct SignatureWeeks {
    /// Id of the line.
    pub signature: i64,
    /// In the last seven UTC days, today included.
    pub last_week: i64,
    /// In the seven days before.
    pub week_before: i64,
}

/// Which runs count as failures for a reason.
pub const FAILED: &[&str] = &["failed"];
/// The same, with those that the host did not allow to begin.
pub const FAILED_OR_BLOCKED: &[&str] = &["failed", "blocked"];

/// An application that is hit by bad ends of a category.
#[derive(Debug)]
pub struct MostHit {
    /// Our category.
    pub category: String,
    /// Application.
    pub app: String,
}

/// What the failures of a script have most often as their cause.
#[derive(Debug)]
pub struct TopCause {
    /// Our category.
    pub category: String,
    /// Application.
    pub app: String,
    /// Type of the script.
    pub kind: String,
    /// The code, -1 where none was told.
    pub exit_code: i16,
    /// The generation that gives it its meaning.
    pub generation: i16,
}

over_sums! {
    /// Bad ends by exit code, category, generation and outcome, most frequent first.
    exit_codes() -> ExitCodeCount of cover in "src/store/sql/read/count_exit_codes.sql";
    /// The five applications most hit by each category, the most hit first.
    most_hit() -> MostHit of cover in "src/store/sql/read/count_most_hit.sql";
    /// The `length` most frequent reasons for these outcomes, of those whose ids lie between `first` and `last`,
    /// most frequent first; with `new_since` only those that no failure of an earlier day had.
    signatures(outcomes: &[&str], new_since: Option<NaiveDate>, length: i64, first: i64, last: i64) -> SignatureCount
        of cover in "src/store/sql/read/count_signatures.sql";
    /// The scripts that each of `signatures` hit, and up to `names` of those with the most runs.
    signature_scripts(outcomes: &[&str], signatures: &[i64], names: i32) -> SignatureScripts
        of cover in "src/store/sql/read/signature_scripts.sql";
    /// The most frequent cause of the failures of each script of `apps`.
    causes(apps: &[String]) -> TopCause of cover in "src/store/sql/read/count_causes.sql";
}

impl Snapshot<'_> {
    /// Failed runs of late for each of these reasons that has any, whatever the dates of the filter.
    ///
    /// # Errors
    /// What the database says.
    pub async fn signature_weeks(
        &mut self,
        today: NaiveDate,
        signatures: &[i64],
    ) -> sqlx::Result<Vec<SignatureWeeks>> {
        let f = self.filter;
        sqlx::query_file_as!(
            SignatureWeeks,
            "src/store/sql/read/signature_weeks.sql",
            today,
            signatures,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref()
        )
        .fetch_all(&mut *self.transaction)
        .await
    }
}
