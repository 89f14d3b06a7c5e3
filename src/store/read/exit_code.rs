//! The bad ends (failed, blocked and aborted executions) with one exit code.

use chrono::NaiveDate;

use crate::store::read::snapshot::Snapshot;

/// Bad ends by day, generation and outcome.
#[derive(Debug)]
pub struct ExitCodeDay {
    /// UTC day.
    pub day: NaiveDate,
    /// Generation of the client.
    pub generation: i16,
    /// `failed`, `blocked`, `aborted`.
    pub outcome: String,
    /// Executions.
    pub runs: i64,
}

/// Bad ends of a script.
#[derive(Debug)]
pub struct ExitCodeScript {
    /// Application.
    pub app: String,
    /// Its type, or empty.
    pub kind: String,
    /// Executions.
    pub runs: i64,
    /// Number of all scripts with the exit code; the same in every row.
    pub scripts: i64,
}

impl Snapshot<'_> {
    /// Bad ends with an exit code by day, generation and outcome, earliest first.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn exit_code_days(&mut self, code: u8) -> sqlx::Result<Vec<ExitCodeDay>> {
        let selection = self.selection().await?;
        let values: Vec<_> = (0..4).map(|generation| format!("{code}@{generation}")).collect();
        sqlx::query_as!(
            ExitCodeDay,
            "select day, split_part(value, '@', 2)::smallint as \"generation!\", outcome,
                 sum(runs::integer) as \"runs!\"
             from rollup_facet
             where facet = 'exit_code' and value = any($2::text[]) and runs <> 0 and is_shown(day, population, $1)
             group by day, value, outcome order by day, value, outcome",
            selection as _,
            &values
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Bad ends with an exit code by script, most first.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn exit_code_scripts(&mut self, code: u8, length: i64) -> sqlx::Result<Vec<ExitCodeScript>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(
            ExitCodeScript,
            "src/store/sql/read/exit_code/exit_code_scripts.sql",
            selection as _,
            i16::from(code),
            length
        )
        .fetch_all(&mut *self.transaction)
        .await
    }
}
