//! How many runs: every count of the API is made here, by one query each, from the rollups. What is
//! listed is cut by the database, for applications and values come from the wire.

use chrono::{DateTime, NaiveDate, Utc};

use crate::store::read::snapshot::{Snapshot, over_sums};

/// Runs of a script, which is an application and its type, or of everything of a type.
#[derive(Clone, Debug, Default)]
pub struct ScriptCount {
    /// Application; `None` for the total of a type.
    pub app: Option<String>,
    /// `lxc`, …, or empty.
    pub kind: String,
    /// Number of scripts: 1 for a script.
    pub scripts: i64,
    /// Runs whose start never arrived: in no other number here; 0 for a script.
    pub unattributed: i64,
    /// Runs.
    pub runs: i64,
    /// Those of them without an end whose last event is recent enough.
    pub running: i64,
    /// Those that succeeded.
    pub success: i64,
    /// Those that failed.
    pub failed: i64,
    /// Those that refused to begin.
    pub blocked: i64,
    /// Those that a person or a signal ended.
    pub aborted: i64,
    /// Successful runs that told a duration.
    pub duration_count: i64,
    /// Sum of these durations in seconds.
    pub duration_sum: i64,
    /// Runs of the application with any type; 0 for a total.
    pub app_runs: i64,
}

impl ScriptCount {
    /// Runs without an end that are not running, or with an end that says nothing.
    #[must_use]
    pub const fn unfinished(&self) -> i64 {
        self.runs - self.success - self.failed - self.blocked - self.aborted - self.running
    }
}

/// Runs by day and outcome.
#[derive(Debug)]
pub struct DayCount {
    /// UTC day.
    pub day: NaiveDate,
    /// `success`, `failed`, `blocked`, `aborted`, `open`.
    pub outcome: String,
    /// Runs.
    pub runs: i64,
}

/// Runs by outcome.
#[derive(Debug)]
pub struct OutcomeCount {
    /// `success`, `failed`, `blocked`, `aborted`, `open`.
    pub outcome: String,
    /// Runs.
    pub runs: i64,
}

/// Runs by the value of a property.
#[derive(Debug)]
pub struct FacetCount {
    /// Which property.
    pub facet: String,
    /// Its value.
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
    /// See [`crate::store::model::rollup::bucket_seconds`].
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

/// The day of the first run of a script.
#[derive(Debug)]
pub struct FirstDay {
    /// Application.
    pub app: String,
    /// Its type.
    pub kind: String,
    /// UTC day.
    pub day: NaiveDate,
}

impl Snapshot<'_> {
    /// Runs by script: the scripts that are among the first `length` by runs, by failures, or by
    /// runs within their type, and a total for each type. A run without an end is running if its
    /// last event lies at `running_since` or later.
    ///
    /// # Errors
    /// What the database says.
    pub async fn scripts(
        &mut self,
        running_since: DateTime<Utc>,
        length: i64,
    ) -> sqlx::Result<Vec<ScriptCount>> {
        let (cover, f) = (self.cover_before(running_since).await?, self.filter);
        sqlx::query_file_as!(
            ScriptCount,
            "src/store/sql/read/count_scripts.sql",
            &cover.days,
            &cover.spans,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref(),
            running_since,
            length
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// The first day of each of these scripts, an application and a type each, whatever the dates
    /// of the filter.
    ///
    /// # Errors
    /// What the database says.
    pub async fn first_days(&mut self, apps: &[&str], kinds: &[&str]) -> sqlx::Result<Vec<FirstDay>> {
        let f = self.filter;
        sqlx::query_as!(
            FirstDay,
            "select app as \"app!\", kind as \"kind!\", day as \"day!\"
             from unnest($1::text[], $2::text[]) as script (app, kind) cross join lateral (
                 select day from rollup_script join population on population.id = population
                 where rollup_script.app = script.app and runs <> 0 and population.kind = script.kind
                     and ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                     and ($5::text is null or platform = $5)
                 order by day limit 1
             ) as first",
            apps as _,
            kinds as _,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.platform.as_deref()
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// All runs that the filter means without its dates.
    ///
    /// # Errors
    /// What the database says.
    pub async fn history(&mut self) -> sqlx::Result<History> {
        let (cover, f) = (self.cover_all().await?, self.filter);
        sqlx::query_file_as!(
            History,
            "src/store/sql/read/count_all.sql",
            &cover.days,
            &cover.spans,
            f.repo.as_deref(),
            f.slug.as_deref(),
            f.kind.as_deref(),
            f.platform.as_deref()
        )
        .fetch_one(&mut *self.transaction)
        .await
    }
}

over_sums! {
    /// Runs by day and outcome; only runs with an app. Days without runs are left out.
    days() -> DayCount of cover_by_day in "src/store/sql/read/count_days.sql";
    /// Runs by outcome; only runs with an app.
    outcomes() -> OutcomeCount of cover in "src/store/sql/read/count_outcomes.sql";
    /// Runs by the `length` most frequent values of each of these properties.
    facets(facets: &[&str], length: i64) -> FacetCount of cover in "src/store/sql/read/count_facets.sql";
    /// Runs by the `length` most frequent repository slugs; only runs with an app that told one.
    slugs(length: i64) -> SlugCount of cover in "src/store/sql/read/count_slugs.sql";
    /// Successful runs by bucket of their duration, shortest first.
    durations() -> DurationCount of cover in "src/store/sql/read/count_durations.sql";
}
