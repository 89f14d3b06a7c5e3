//! Decisions of maintainers about signatures.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

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
