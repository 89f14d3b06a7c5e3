//! Executions over time, by group.

use chrono::{DateTime, Utc};

use crate::store::read::snapshot::Snapshot;

/// Executions in a bucket of time.
#[derive(Debug)]
pub struct Moment {
    /// Start of the bucket.
    pub moment: DateTime<Utc>,
    /// The group; `None` for all except the largest together.
    pub name: Option<String>,
    /// `success`, `failed`, `blocked`, `aborted`, `open`, or empty where outcomes are not told apart.
    pub outcome: String,
    /// Executions.
    pub runs: i64,
}

/// The rollup that a series is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// By script.
    Scripts,
    /// By day, population and outcome.
    Days,
    /// By facet.
    Facets,
    /// By hour, population and outcome.
    Hours,
}

impl Snapshot<'_> {
    /// Executions with an application by time, group and outcome, earliest first. The `groups` largest groups have
    /// a name. By script, only these `outcomes` are told apart.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn series(
        &mut self,
        source: Source,
        group: &str,
        bucket: &str,
        groups: i64,
        outcomes: &[&str],
    ) -> sqlx::Result<Vec<Moment>> {
        match source {
            Source::Scripts => self.series_of_scripts(bucket, groups, outcomes).await,
            Source::Days => self.series_of_groups("days", group, bucket, groups).await,
            Source::Facets => self.series_of_groups("facets", group, bucket, groups).await,
            Source::Hours => self.series_of_groups("hours", group, bucket, groups).await,
        }
    }

    async fn series_of_groups(
        &mut self,
        source: &str,
        group: &str,
        bucket: &str,
        groups: i64,
    ) -> sqlx::Result<Vec<Moment>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(
            Moment,
            "src/store/sql/read/series/series_of_groups.sql",
            selection as _,
            source,
            group,
            bucket,
            groups
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    async fn series_of_scripts(
        &mut self,
        bucket: &str,
        groups: i64,
        outcomes: &[&str],
    ) -> sqlx::Result<Vec<Moment>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(
            Moment,
            "src/store/sql/read/series/series_of_scripts.sql",
            selection as _,
            bucket,
            groups,
            outcomes as _
        )
        .fetch_all(&mut *self.transaction)
        .await
    }
}
