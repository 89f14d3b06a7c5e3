//! Why runs ended badly: by exit code, by what their failing line says, and by application.

use crate::store::read::Snapshot;

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

/// Failed and blocked runs with the same failing line.
#[derive(Debug)]
pub struct SignatureCount {
    /// Id of the line.
    pub signature: i64,
    /// The line without its variable parts.
    pub template: String,
    /// Runs.
    pub runs: i64,
    /// Applications hit.
    pub unique_apps: i64,
    /// The ten most hit of them, separated by commas.
    pub apps: String,
}

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

sums! {
    /// Bad ends by exit code, category, generation and outcome, most frequent first.
    exit_codes() -> ExitCodeCount of cover in "src/store/sql/count_exit_codes.sql";
    /// The `length` most frequent signatures of failed and blocked runs.
    signatures(length: i64) -> SignatureCount of cover in "src/store/sql/count_signatures.sql";
    /// The five applications most hit by each category, the most hit first.
    most_hit() -> MostHit of cover in "src/store/sql/count_most_hit.sql";
    /// The most frequent cause of the failures of each script of `apps`.
    causes(apps: &[String]) -> TopCause of cover in "src/store/sql/count_causes.sql";
}
