//! The read side: rollups for every number, rows only for lists.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgPool, Postgres, Transaction};

use crate::ingest::execution::Execution;
use crate::ingest::identity::RunKey;
use crate::store::row::Stored;

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

/// Runs by script, type and outcome.
#[derive(Debug)]
pub struct ScriptCount {
    /// Application; empty for runs whose start never arrived.
    pub app: String,
    /// `lxc`, …
    pub kind: String,
    /// `success`, `failed`, `blocked`, `aborted`, `open`.
    pub outcome: String,
    /// Runs.
    pub runs: i64,
    /// Those of them without an end whose last event is recent enough.
    pub running: i64,
    /// Runs that told a duration.
    pub duration_count: i64,
    /// Sum of these durations in seconds.
    pub duration_sum: i64,
}

/// Runs by day and outcome.
#[derive(Debug)]
pub struct DayCount {
    /// UTC day.
    pub day: NaiveDate,
    /// As above.
    pub outcome: String,
    /// Runs.
    pub runs: i64,
}

/// Bad ends by script, exit code and category.
#[derive(Debug)]
pub struct ExitCodeCount {
    /// Application.
    pub app: String,
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

/// Runs by the value of a property.
#[derive(Debug)]
pub struct FacetCount {
    /// Which property.
    pub facet: String,
    /// Its value, or empty.
    pub value: String,
    /// What refines it, or empty.
    pub detail: String,
    /// Runs.
    pub runs: i64,
}

/// Runs by repository slug.
#[derive(Debug)]
pub struct SlugCount {
    /// `owner/name`.
    pub slug: String,
    /// Runs.
    pub runs: i64,
}

/// Successful runs by bucket of their duration.
#[derive(Debug)]
pub struct DurationCount {
    /// See [`crate::store::rollup::bucket_seconds`].
    pub bucket: i16,
    /// Runs.
    pub runs: i64,
}

/// What a filter means without its dates.
#[derive(Debug)]
pub struct History {
    /// Runs with an app.
    pub runs: i64,
    /// Day of the first one.
    pub first_day: Option<NaiveDate>,
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
        let time = sqlx::query_scalar!("select now() as \"now!\"");
        time.fetch_one(&mut *self.transaction).await
    }

    /// Runs by script, type and outcome; a run without an end is running if its last event lies
    /// at `running_since` or later.
    ///
    /// # Errors
    /// What the database says.
    pub async fn scripts(&mut self, running_since: DateTime<Utc>) -> sqlx::Result<Vec<ScriptCount>> {
        let f = self.filter;
        sqlx::query_file_as!(
            ScriptCount,
            "src/store/sql/count_scripts.sql",
            f.from,
            f.to,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref(),
            running_since
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// All runs that the filter means without its dates.
    ///
    /// # Errors
    /// What the database says.
    pub async fn history(&mut self) -> sqlx::Result<History> {
        let f = self.filter;
        sqlx::query_file_as!(
            History,
            "src/store/sql/count_all.sql",
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref()
        )
        .fetch_one(&mut *self.transaction)
        .await
    }

    /// Runs by day and outcome; only runs with an app. Days without runs are left out.
    ///
    /// # Errors
    /// What the database says.
    pub async fn days(&mut self) -> sqlx::Result<Vec<DayCount>> {
        let f = self.filter;
        sqlx::query_file_as!(
            DayCount,
            "src/store/sql/count_days.sql",
            f.from,
            f.to,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref()
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Bad ends by script, exit code, category, generation and outcome.
    ///
    /// # Errors
    /// What the database says.
    pub async fn exit_codes(&mut self) -> sqlx::Result<Vec<ExitCodeCount>> {
        let f = self.filter;
        sqlx::query_file_as!(
            ExitCodeCount,
            "src/store/sql/count_exit_codes.sql",
            f.from,
            f.to,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref()
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Runs by each value of the properties named, most frequent first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn facets(&mut self, facets: &[&str]) -> sqlx::Result<Vec<FacetCount>> {
        let f = self.filter;
        sqlx::query_file_as!(
            FacetCount,
            "src/store/sql/count_facets.sql",
            f.from,
            f.to,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref(),
            facets as _
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Runs by repository slug, most frequent first; only runs with an app that told one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn slugs(&mut self) -> sqlx::Result<Vec<SlugCount>> {
        let f = self.filter;
        sqlx::query_file_as!(
            SlugCount,
            "src/store/sql/count_slugs.sql",
            f.from,
            f.to,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref()
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Successful runs by bucket of their duration, shortest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn durations(&mut self) -> sqlx::Result<Vec<DurationCount>> {
        let f = self.filter;
        sqlx::query_file_as!(
            DurationCount,
            "src/store/sql/count_durations.sql",
            f.from,
            f.to,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref()
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// The newest executions with an app, at most `limit`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn recent(&mut self, limit: i64) -> sqlx::Result<Vec<Execution>> {
        let f = self.filter;
        let rows = sqlx::query_file_scalar!(
            "src/store/sql/recent_executions.sql",
            f.from,
            f.to,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref(),
            limit
        )
        .fetch_all(&mut *self.transaction)
        .await?;
        Ok(rows.into_iter().map(|row| row.execution).collect())
    }

    /// Ends the snapshot. Dropping it does the same later.
    ///
    /// # Errors
    /// What the database says.
    pub async fn close(self) -> sqlx::Result<()> {
        self.transaction.rollback().await
    }
}
