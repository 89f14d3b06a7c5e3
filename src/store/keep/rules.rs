//! The rules by which stored executions were scrubbed and diagnosed.

use sqlx::PgConnection;
use telemetry_protocol::{reason, scrub};

/// Identifies the rules of this program.
#[must_use]
pub fn fingerprint() -> String {
    format!("{:016x}-{:016x}", reason::fingerprint(), scrub::FINGERPRINT)
}

/// Whether stored executions follow other rules than those of this program.
///
/// # Errors
/// Any error from the database.
pub async fn is_due(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let stored = sqlx::query_scalar!("select value from setting where name = 'rules'");
    let stored = stored.fetch_optional(connection).await?;
    Ok(stored.is_some_and(|stored| stored != fingerprint().as_bytes()))
}

/// Notes that all stored executions follow the rules of this program.
///
/// # Errors
/// Any error from the database.
pub async fn note(connection: &mut PgConnection) -> sqlx::Result<()> {
    let rules = fingerprint();
    sqlx::query!(
        "insert into setting (name, value) values ('rules', $1)
         on conflict (name) do update set value = excluded.value",
        rules.as_bytes()
    )
    .execute(connection)
    .await
    .map(drop)
}
