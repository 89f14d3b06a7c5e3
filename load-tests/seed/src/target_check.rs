//! Keeps invented executions out of a database that holds reported ones.
//!
//! A seeded database carries a mark, a row of the table `setting`. Executions without the mark were
//! reported by hosts.

use sqlx::PgConnection;
use telemetry_server::store::database::connect::DatabaseError;
use telemetry_server::store::database::settings::remember;

/// Name of the setting that marks a seeded database.
const MARK: &str = "seeded";

/// Why a database is not seeded.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It holds executions, and was not seeded before.
    #[error(
        "the database holds reported executions; --force adds invented ones to them, which cannot be undone"
    )]
    Reported,
    /// A query failed.
    #[error("cannot check the database")]
    Database(#[from] DatabaseError),
}

/// Succeeds if the database is empty or was seeded before, and marks it as seeded. `connection` leads to a
/// migrated database.
///
/// # Errors
/// [`Refusal::Reported`] if it holds executions without the mark; any error from the database.
pub async fn admit(connection: &mut PgConnection) -> Result<(), Refusal> {
    let holds_reported: bool = sqlx::query_scalar(
        "select exists (select from execution) and not exists (select from setting where name = $1)",
    )
    .bind(MARK)
    .fetch_one(&mut *connection)
    .await
    .map_err(DatabaseError::from)?;
    if holds_reported {
        return Err(Refusal::Reported);
    }
    remember(connection, MARK, b"").await?;
    Ok(())
}
