//! Decisions of maintainers about signatures.

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use sqlx::{PgConnection, PgPool};

use crate::store::keep::recount::derive;
use crate::store::model::row::Stored;

/// A decision about a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// `open`, `known`, `resolved`, `ignored`.
    pub state: &'static str,
    /// Address of the issue.
    pub issue_url: Option<String>,
    /// Remark for other maintainers.
    pub note: Option<String>,
}

/// Stores a decision and returns since when the signature has this state; `None` for an unknown signature. A state that
/// is set once more keeps its time, unless the signature has regressed.
///
/// # Errors
/// Any error from the database.
pub async fn decide(
    pool: &PgPool,
    signature: i64,
    decision: &Decision,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_file_scalar!(
        "src/store/sql/keep/decide.sql",
        signature,
        decision.state,
        decision.issue_url,
        decision.note
    )
    .fetch_optional(pool)
    .await
}

/// Moves each decision about a signature whose failures all get the same other signature under the rules of this
/// program, unless there is a decision about that one. It must run before the failures are renewed.
///
/// # Errors
/// Any error from the database.
pub async fn move_decisions(connection: &mut PgConnection) -> sqlx::Result<()> {
    let decided = sqlx::query_scalar!("select signature from triage order by signature");
    for old in decided.fetch_all(&mut *connection).await? {
        if let Some(new) = successor(connection, old).await? {
            let moved = sqlx::query!(
                "update triage set signature = $2 where signature = $1 and not exists (select from triage where signature = $2)",
                old,
                new
            );
            moved.execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// The signature that all failures with `old` get. `None` if it is the same one, if they get several, or if there are
/// no such failures.
async fn successor(connection: &mut PgConnection, old: i64) -> sqlx::Result<Option<i64>> {
    let rows =
        sqlx::query_scalar!("select execution as \"row!: Stored\" from execution where signature = $1", old);
    let mut rows = rows.fetch(connection);
    let mut found = None;
    while let Some(row) = rows.try_next().await? {
        let new = derive(&row).signature;
        if new.is_none() || new == Some(old) || found.is_some_and(|found| Some(found) != new) {
            return Ok(None);
        }
        found = new;
    }
    Ok(found)
}
