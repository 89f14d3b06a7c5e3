//! The executions behind an id.

use sqlx::PgPool;

use crate::ingest::execution::Execution;
use crate::ingest::identity::RunKey;
use crate::store::model::row::Stored;

/// Most attempts of one session that are returned.
const MAX_ATTEMPTS: i64 = 100;

/// The execution with this key and the attempts of the session with this key, newest first.
///
/// # Errors
/// Any error from the database.
pub async fn runs(pool: &PgPool, key: RunKey) -> sqlx::Result<Vec<Execution>> {
    let rows = sqlx::query_scalar!(
        "select execution as \"row!: Stored\" from execution where run_key = $1 or session_key = $1
         order by first_seen desc, run_key limit $2",
        key.0,
        MAX_ATTEMPTS
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| row.execution).collect())
}
