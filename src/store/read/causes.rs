//! Bad ends (failed, blocked and aborted executions) by exit code, category and application.

use crate::store::read::snapshot::Snapshot;

/// Bad ends by exit code and category.
#[derive(Debug)]
pub struct ExitCodeCount {
    /// 0 to 255, or -1 for none.
    pub exit_code: i16,
    /// Our category.
    pub category: String,
    /// Generation of the client.
    pub generation: i16,
    /// `failed`, `blocked`, `aborted`.
    pub outcome: String,
    /// Executions.
    pub runs: i64,
}

/// An application with many bad ends of a category.
#[derive(Debug)]
pub struct MostHit {
    /// Our category.
    pub category: String,
    /// Application.
    pub app: String,
}

/// The most frequent cause of the failures of a script.
#[derive(Debug)]
pub struct TopCause {
    /// Our category.
    pub category: String,
    /// Application.
    pub app: String,
    /// Type of the script.
    pub kind: String,
    /// 0 to 255, or -1 for none.
    pub exit_code: i16,
    /// Generation of the client, which decides the meaning of the code.
    pub generation: i16,
}

/// Failed and blocked executions with a signature by reason.
#[derive(Debug)]
pub struct ReasonCount {
    /// Id of the rule; `None` if none knows the line.
    pub reason: Option<String>,
    /// Kind of the failure.
    pub category: String,
    /// The side that has to act.
    pub blame: String,
    /// Executions.
    pub runs: i64,
}

/// The most frequent signature of the failures of a script.
#[derive(Debug)]
pub struct TopReason {
    /// Application.
    pub app: String,
    /// Type of the script.
    pub kind: String,
    /// Id of the rule.
    pub reason: Option<String>,
    /// What the failure is about.
    pub subject: Option<String>,
    /// Kind of the failure.
    pub category: Option<String>,
    /// The side that has to act.
    pub blame: Option<String>,
}

impl Snapshot<'_> {
    /// Bad ends by exit code, category, generation and outcome, most frequent first.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn exit_codes(&mut self) -> sqlx::Result<Vec<ExitCodeCount>> {
        let selection = self.selection().await?;
        sqlx::query_as!(
            ExitCodeCount,
            "select split_part(value, '@', 1)::smallint as \"exit_code!\",
                 split_part(value, '@', 2)::smallint as \"generation!\", detail as \"category!\",
                 outcome as \"outcome!\", sum(runs) as \"runs!\"
             from shown_facet($1) where facet = 'exit_code' group by value, detail, outcome
             order by sum(runs) desc, value, detail, outcome",
            selection as _
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// The five applications with the most bad ends of each category, most first.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn most_hit(&mut self) -> sqlx::Result<Vec<MostHit>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(MostHit, "src/store/sql/read/causes/count_most_hit.sql", selection as _)
            .fetch_all(&mut *self.transaction)
            .await
    }

    /// Failed and blocked executions with a signature by reason, most frequent first.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn reason_counts(&mut self) -> sqlx::Result<Vec<ReasonCount>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(ReasonCount, "src/store/sql/read/causes/count_reasons.sql", selection as _)
            .fetch_all(&mut *self.transaction)
            .await
    }

    /// The most frequent signature of the failures of each script of `apps`.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn top_reasons(&mut self, apps: &[String]) -> sqlx::Result<Vec<TopReason>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(
            TopReason,
            "src/store/sql/read/causes/count_top_reasons.sql",
            selection as _,
            apps
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// The most frequent cause of the failures of each script of `apps`.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn causes(&mut self, apps: &[String]) -> sqlx::Result<Vec<TopCause>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(TopCause, "src/store/sql/read/causes/count_causes.sql", selection as _, apps)
            .fetch_all(&mut *self.transaction)
            .await
    }
}
