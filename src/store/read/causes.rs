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

    /// The five applications most hit by each category, the most hit first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn most_hit(&mut self) -> sqlx::Result<Vec<MostHit>> {
        let (cover, f) = (self.cover().await?, self.filter);
        sqlx::query_file_as!(
            MostHit,
            "src/store/sql/count_most_hit.sql",
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

    /// The most frequent cause of the failures of each script of `apps`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn causes(&mut self, apps: &[String]) -> sqlx::Result<Vec<TopCause>> {
        let (cover, f) = (self.cover().await?, self.filter);
        sqlx::query_file_as!(
            TopCause,
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
