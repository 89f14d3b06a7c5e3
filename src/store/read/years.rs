//! What is asked of years: counts of a [`Snapshot`] that are made from the sums over spans of days, and from the
//! rollups of the other days.

use crate::store::read::insight::{Moment, RuntimeCount, SessionCount, Source};
use crate::store::read::records::{EARLIEST, LATEST};
use crate::store::read::snapshot::{Snapshot, over_sums};

over_sums! {
    /// Runs by where their scripts came from, most frequent first.
    runtimes() -> RuntimeCount of cover in "src/store/sql/read/runtimes.sql";
    /// See [`Snapshot::series`].
    series_of_days(group: &str, bucket: &str, groups: i64) -> Moment of cover_by_day
        in "src/store/sql/read/series_of_days.sql";
}

impl Snapshot<'_> {
    /// Sessions by script, most first, and by day: of one script, or of all.
    ///
    /// # Errors
    /// What the database says.
    pub async fn sessions(&mut self, app: Option<&str>) -> sqlx::Result<Vec<SessionCount>> {
        let (cover, by_day, f) = (self.cover().await?, self.cover_by_day().await?, self.filter);
        sqlx::query_file_as!(
            SessionCount,
            "src/store/sql/read/sessions.sql",
            &cover.days,
            &cover.spans,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref(),
            &by_day.days,
            &by_day.spans,
            app
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// See [`Snapshot::series`].
    async fn series_of_scripts(
        &mut self,
        bucket: &str,
        groups: i64,
        outcomes: &[&str],
    ) -> sqlx::Result<Vec<Moment>> {
        let (cover, by_day, f) = (self.cover().await?, self.cover_by_day().await?, self.filter);
        sqlx::query_file_as!(
            Moment,
            "src/store/sql/read/series_of_scripts.sql",
            &cover.days,
            &cover.spans,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref(),
            bucket,
            groups,
            f.from.unwrap_or(EARLIEST),
            f.to.unwrap_or(LATEST),
            &by_day.days,
            &by_day.spans,
            outcomes as _
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Runs with an app by time, group and outcome, earliest first; only so many groups have a name. Scripts tell
    /// only these `outcomes` apart, for they are many.
    ///
    /// # Errors
    /// What the database says.
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
            Source::Days => self.series_of_days(group, bucket, groups).await,
            Source::Facets => self.series_of_facets(group, bucket, groups).await,
            Source::Hours => self.series_of_hours(group, bucket, groups).await,
        }
    }
}
