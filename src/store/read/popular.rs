//! How often scripts are used, compared with the period before.

use chrono::NaiveDate;

use crate::store::read::counts::OutcomeCount;
use crate::store::read::snapshot::Snapshot;

/// Executions of a script, which is an application and its type, or of all scripts.
#[derive(Debug)]
pub struct ScriptUse {
    /// Application; `None` for the total.
    pub app: Option<String>,
    /// `lxc`, …, or empty.
    pub kind: String,
    /// Number of scripts with executions: 1 for a script.
    pub scripts: i64,
    /// Executions.
    pub runs: i64,
    /// Executions in the period before.
    pub before: i64,
    /// Successful ones.
    pub success: i64,
    /// Failed ones.
    pub failed: i64,
    /// The first day with an execution, if it is in the period.
    pub first_day: Option<NaiveDate>,
    /// Rank among the scripts with the most executions.
    pub most_used: Option<i64>,
    /// Rank among those with the fewest.
    pub least_used: Option<i64>,
    /// Rank among those whose executions grew most, measured by chance.
    pub rising: Option<i64>,
    /// Rank among those whose first execution is in the period.
    pub new: Option<i64>,
}

impl Snapshot<'_> {
    /// The `length` scripts of each list, and a total. `previous` is the first and the last day of the period before;
    /// without it nothing was executed before.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn popular(
        &mut self,
        previous: Option<(NaiveDate, NaiveDate)>,
        length: i64,
    ) -> sqlx::Result<Vec<ScriptUse>> {
        let selection = self.selection().await?;
        let before = match previous {
            Some(days) => self.selection_of(days).await?,
            None => selection.without_days(),
        };
        sqlx::query_file_as!(
            ScriptUse,
            "src/store/sql/read/popular/popular_scripts.sql",
            selection as _,
            before as _,
            length
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Executions with an application by outcome, from the first to the last of these days instead of those of the filter.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn outcomes_of(&mut self, days: (NaiveDate, NaiveDate)) -> sqlx::Result<Vec<OutcomeCount>> {
        let selection = self.selection_of(days).await?;
        self.outcomes_in(selection).await
    }
}
