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

/// What bad ends and applications have to do with each other.
#[derive(Debug)]
pub struct CauseCount {
    /// Our category.
    pub category: String,
    /// Application.
    pub app: String,
    /// `None`: the application is one of the five most hit by bad ends of the category. Else the type
    /// of the script whose failures have this cause most often.
    pub kind: Option<String>,
    /// The code of that cause, -1 where none was told.
    pub exit_code: i16,
    /// The generation that gives it its meaning.
    pub generation: i16,
    /// Runs.
    pub runs: i64,
}

impl Snapshot<'_> {
    /// Bad ends by exit code, category, generation and outcome, most frequent first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn exit_codes(&mut self) -> sqlx::Result<Vec<ExitCodeCount>> {
        let (cover, f) = (self.cover().await?, self.filter);
        sqlx::query_file_as!(
            ExitCodeCount,
            "src/store/sql/count_exit_codes.sql",
            &cover.days,
            &cover.spans,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref()
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// The `length` most frequent signatures of failed and blocked runs.
    ///
    /// # Errors
    /// What the database says.
    pub async fn signatures(&mut self, length: i64) -> sqlx::Result<Vec<SignatureCount>> {
        let (cover, f) = (self.cover().await?, self.filter);
        sqlx::query_file_as!(
            SignatureCount,
            "src/store/sql/count_signatures.sql",
            &cover.days,
            &cover.spans,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref(),
            length
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// The applications most hit by each category, and the most frequent cause of the failures of each
    /// script of `apps`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn causes(&mut self, apps: &[String]) -> sqlx::Result<Vec<CauseCount>> {
        let (cover, f) = (self.cover().await?, self.filter);
        sqlx::query_file_as!(
            CauseCount,
            "src/store/sql/count_causes.sql",
            &cover.days,
            &cover.spans,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref(),
            apps
        )
        .fetch_all(&mut *self.transaction)
        .await
    }
}
