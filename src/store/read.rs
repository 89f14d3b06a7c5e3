//! The read side: rollups for every number, rows only for lists.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgPool, Postgres, Transaction};

use crate::ingest::execution::Execution;
use crate::ingest::identity::RunKey;
use crate::store::row::Stored;

pub mod counts;
pub mod causes;
pub mod models;
pub mod records;

/// Most attempts of one session that are returned.
const MAX_ATTEMPTS: i64 = 100;

/// Which executions are meant. A `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// First UTC day.
    pub from: Option<NaiveDate>,
    /// Last UTC day.
    pub to: Option<NaiveDate>,
    /// `ProxmoxVE`, `ProxmoxVED` or `external`.
    pub repo: Option<String>,
    /// `owner/name`.
    pub slug: Option<String>,
    /// `lxc`, `vm`, `addon`, `pve`, `turnkey`.
    pub kind: Option<String>,
    /// `pve`, `incus`.
    pub platform: Option<String>,
}

/// What is stored about an id: the execution with this key and the attempts of the session with
/// this key, newest first.
///
/// # Errors
/// What the database says.
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

/// Whether the database answers.
///
/// # Errors
/// What it says instead.
pub async fn ping(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query!("select 1 as one").fetch_one(pool).await.map(drop)
}

/// One snapshot of the database, so that all parts of an answer describe the same moment.
#[derive(Debug)]
pub struct Snapshot<'a> {
    pub(super) transaction: Transaction<'a, Postgres>,
    pub(super) filter: &'a Filter,
}

impl<'a> Snapshot<'a> {
    /// Opens a snapshot of what `filter` means.
    ///
    /// # Errors
    /// What the database says.
    pub async fn open(pool: &PgPool, filter: &'a Filter) -> sqlx::Result<Self> {
        let begin = "begin transaction isolation level repeatable read read only";
        Ok(Self { transaction: pool.begin_with(begin).await?, filter })
    }

    /// The time for which everything that is read here is true.
    ///
    /// # Errors
    /// What the database says.
    pub async fn as_of(&mut self) -> sqlx::Result<DateTime<Utc>> {
        // A replica is as fresh as the last transaction that it has replayed.
        let time = sqlx::query_scalar!(
            "select case when pg_is_in_recovery() then coalesce(pg_last_xact_replay_timestamp(), now())
                 else now() end as \"as_of!\""
        );
        time.fetch_one(&mut *self.transaction).await
    }

    /// Ends the snapshot. Dropping it does the same later.
    ///
    /// # Errors
    /// What the database says.
    pub async fn close(self) -> sqlx::Result<()> {
        self.transaction.rollback().await
    }
}
