//! What the answers behind the totals are made of: more counts of a [`Snapshot`], all from rollups.

use chrono::{DateTime, NaiveDate, Utc};

use crate::ingest::execution::Execution;
use crate::store::keep::sessions::as_of;
use crate::store::model::row::Stored;
use crate::store::read::counts::DurationCount;
use crate::store::read::snapshot::Snapshot;

/// First attempts of a script on a value of a property, by day.
#[derive(Debug)]
pub struct PlatformSeries {
    /// Script.
    pub app: String,
    /// `os`, `pve`.
    pub property: String,
    /// Family or version, or empty.
    pub value: String,
    /// UTC days, in any order.
    pub days: Vec<NaiveDate>,
    /// Failed ones of each.
    pub failed: Vec<i64>,
    /// Succeeded and failed ones of each.
    pub runs: Vec<i64>,
}

/// Failed runs of a script for one reason.
#[derive(Debug)]
pub struct ReasonSignature {
    /// Script.
    pub app: String,
    /// What went wrong.
    pub signature: i64,
    /// In words.
    pub template: Option<String>,
    /// Before the day that was asked for.
    pub before: i64,
    /// Since.
    pub after: i64,
}

/// Failed runs of a script with one exit code.
#[derive(Debug)]
pub struct ReasonCode {
    /// Script.
    pub app: String,
    /// 0 to 255, or -1.
    pub exit_code: i16,
    /// Generation of the client.
    pub generation: i16,
    /// Before the day that was asked for.
    pub before: i64,
    /// Since.
    pub after: i64,
}

/// Runs on a day.
#[derive(Debug)]
pub struct RunsOfDay {
    /// UTC day.
    pub day: NaiveDate,
    /// Runs.
    pub runs: i64,
}

/// What is known of a signature.
#[derive(Debug)]
pub struct KnownSignature {
    /// The failing line, with its variable parts masked.
    pub template: String,
    /// When the first run with it came.
    pub created: DateTime<Utc>,
}

/// Runs of a script by day and outcome.
#[derive(Debug)]
pub struct ScriptDay {
    /// UTC day.
    pub day: NaiveDate,
    /// As it is counted.
    pub outcome: String,
    /// Runs.
    pub runs: i64,
    /// Those without an end whose last event is recent enough.
    pub running: i64,
}

/// Ended runs of a script by what they ran on.
#[derive(Debug)]
pub struct PlatformCount {
    /// `os`, `pve`.
    pub property: String,
    /// Family or version, or empty.
    pub value: String,
    /// Version of the operating system, or empty.
    pub detail: String,
    /// Ended runs.
    pub runs: i64,
    /// Those that succeeded.
    pub succeeded: i64,
    /// Those that failed.
    pub failed: i64,
}

/// Bad ends of a script.
#[derive(Debug)]
pub struct ScriptExitCode {
    /// 0 to 255, or -1.
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

/// Failures of a script for one reason.
#[derive(Debug)]
pub struct ScriptSignature {
    /// Its id.
    pub signature: i64,
    /// The failing line, with its variable parts masked.
    pub template: Option<String>,
    /// Failed runs.
    pub runs: i64,
    /// First and last day of the period with one.
    pub first_day: NaiveDate,
    /// See above.
    pub last_day: NaiveDate,
}

/// Runs by where their scripts came from.
#[derive(Debug)]
pub struct RuntimeCount {
    /// `local`, `remote`, `pinned`, `mirror`.
    pub source: String,
    /// Revision, or empty.
    pub revision: String,
    /// Runs.
    pub runs: i64,
    /// Those that succeeded or failed.
    pub ended: i64,
    /// The first day on which anybody ran it, in all time and every population.
    pub first_day: NaiveDate,
}

/// Runs in a stretch of time.
#[derive(Debug)]
pub struct Moment {
    /// Its beginning.
    pub moment: DateTime<Utc>,
    /// The group; `None`: all but the largest together.
    pub name: Option<String>,
    /// As above.
    pub outcome: String,
    /// Runs.
    pub runs: i64,
}

/// From what a series is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// By script.
    Scripts,
    /// By population or outcome.
    Days,
    /// By a facet.
    Facets,
    /// By hour.
    Hours,
}

/// Sessions by day or by script.
#[derive(Debug)]
pub struct SessionCount {
    /// The day, or else a script.
    pub day: Option<NaiveDate>,
    /// The script, or else a day.
    pub app: Option<String>,
    /// Sessions.
    pub sessions: i64,
    /// Those with more than one attempt.
    pub retried: i64,
    /// Those in which a later attempt succeeded after one that failed.
    pub saved: i64,
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident($($more:ident: $type:ty),*) -> $row:ident in $file:tt;)+) => {
        impl Snapshot<'_> {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// What the database says.
                pub async fn $name(&mut self $(, $more: $type)*) -> sqlx::Result<Vec<$row>> {
                    let f = self.filter;
                    sqlx::query_file_as!(
                        $row,
                        $file,
                        f.from,
                        f.to,
                        f.repo.as_deref(),
                        f.slug.as_deref(),
                        f.kind.as_deref(),
                        f.platform.as_deref()
                        $(, $more as _)*
                    )
                    .fetch_all(&mut *self.transaction)
                    .await
                }
            )+
        }
    };
}

counts! {
    /// First attempts that succeeded or failed, by a property or by each; the filter has both its dates.
    platform_series(property: Option<&str>) -> PlatformSeries in "src/store/sql/read/regression_series.sql";
    /// Failures for a reason by day.
    signature_days(signature: i64) -> RunsOfDay in "src/store/sql/read/signature_days.sql";
    /// Runs of a script by day and outcome.
    script_days(app: &str, running_since: DateTime<Utc>) -> ScriptDay in "src/store/sql/read/script_days.sql";
    /// Ended runs of a script by platform, most frequent first.
    script_platforms(app: &str) -> PlatformCount in "src/store/sql/read/script_platforms.sql";
    /// Bad ends of a script, most frequent first.
    script_exit_codes(app: &str) -> ScriptExitCode in "src/store/sql/read/script_exit_codes.sql";
    /// Failures of a script by reason, most frequent first.
    script_signatures(app: &str, limit: i64) -> ScriptSignature in "src/store/sql/read/script_signatures.sql";
    /// Successful runs of a script by duration, shortest first.
    script_durations(app: &str) -> DurationCount in "src/store/sql/read/script_durations.sql";
    /// See [`Snapshot::series`].
    series_of_facets(group: &str, bucket: &str, groups: i64) -> Moment in "src/store/sql/read/series_of_facets.sql";
    /// See [`Snapshot::series`].
    series_of_hours(group: &str, bucket: &str, groups: i64) -> Moment in "src/store/sql/read/series_of_hours.sql";
}

impl Snapshot<'_> {
    /// Why each of some scripts fails, before and since a day for each.
    ///
    /// # Errors
    /// What the database says.
    pub async fn reasons(
        &mut self,
        apps: &[String],
        since: &[NaiveDate],
    ) -> sqlx::Result<(Vec<ReasonSignature>, Vec<ReasonCode>)> {
        let f = self.filter;
        let signatures = sqlx::query_file_as!(
            ReasonSignature,
            "src/store/sql/read/reason_signatures.sql",
            apps,
            since,
            f.from,
            f.to,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref()
        );
        let signatures = signatures.fetch_all(&mut *self.transaction).await?;
        let codes = sqlx::query_file_as!(
            ReasonCode,
            "src/store/sql/read/reason_codes.sql",
            apps,
            since,
            f.from,
            f.to,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref()
        );
        Ok((signatures, codes.fetch_all(&mut *self.transaction).await?))
    }

    /// The newest executions of a day, of one script or for one reason; the dates of the filter do not
    /// matter.
    ///
    /// # Errors
    /// What the database says.
    pub async fn recent_of_day(
        &mut self,
        day: NaiveDate,
        limit: i64,
        app: Option<&str>,
        signature: Option<i64>,
    ) -> sqlx::Result<Vec<Execution>> {
        let f = self.filter;
        let rows = sqlx::query_file_scalar!(
            "src/store/sql/read/recent_of_day.sql",
            day,
            limit,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref(),
            app,
            signature
        )
        .fetch_all(&mut *self.transaction)
        .await?;
        Ok(rows.into_iter().map(|row| row.execution).collect())
    }

    /// What is known of a signature; `None` if it is not.
    ///
    /// # Errors
    /// What the database says.
    pub async fn known_signature(&mut self, id: i64) -> sqlx::Result<Option<KnownSignature>> {
        let known =
            sqlx::query_as!(KnownSignature, "select template, created from signature where id = $1", id);
        known.fetch_optional(&mut *self.transaction).await
    }

    /// Whether any run of a script was ever counted.
    /// # Errors
    /// What the database says.
    pub async fn knows_script(&mut self, app: &str) -> sqlx::Result<bool> {
        let known = sqlx::query_scalar!(
            "select exists (select from rollup_script where app = $1 and runs <> 0) as \"known!\"",
            app
        );
        known.fetch_one(&mut *self.transaction).await
    }

    /// See [`as_of`].
    ///
    /// # Errors
    /// As above.
    pub async fn sessions_as_of(&mut self) -> sqlx::Result<Option<DateTime<Utc>>> {
        as_of(&mut self.transaction).await
    }
}
