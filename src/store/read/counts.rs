//! Counts of executions, one query for each figure. The database cuts the lists, because applications and values
//! come from the wire and are unbounded.

use chrono::{DateTime, NaiveDate, Utc};

use crate::store::keep::sessions;
use crate::store::model::names::RARE;
use crate::store::read::snapshot::{Snapshot, ViewSelection};

/// Executions of a script, which is an application and its type, or of all scripts of a type.
#[derive(Clone, Debug, Default)]
pub struct ScriptCount {
    /// Application; `None` for the total of a type.
    pub app: Option<String>,
    /// `lxc`, …, or empty.
    pub kind: String,
    /// Number of scripts: 1 for a script.
    pub scripts: i64,
    /// Executions whose start never arrived. No other number includes them. 0 for a script.
    pub unattributed: i64,
    /// All executions.
    pub runs: i64,
    /// Open ones with a recent event.
    pub running: i64,
    /// Successful ones.
    pub success: i64,
    /// Failed ones.
    pub failed: i64,
    /// Ones that the host did not allow to start.
    pub blocked: i64,
    /// Ones that a person or a signal ended.
    pub aborted: i64,
    /// Successful ones that reported a duration.
    pub duration_count: i64,
    /// Sum of these durations in seconds.
    pub duration_sum: i64,
    /// Executions of the application with any type. 0 for a total.
    pub app_runs: i64,
}

impl ScriptCount {
    /// Executions that are neither running nor ended with a known outcome.
    #[must_use]
    pub const fn unfinished(&self) -> i64 {
        self.runs - self.success - self.failed - self.blocked - self.aborted - self.running
    }
}

/// Executions by day and outcome.
#[derive(Debug)]
pub struct DayCount {
    /// UTC day.
    pub day: NaiveDate,
    /// `success`, `failed`, `blocked`, `aborted`, `open`.
    pub outcome: String,
    /// Executions.
    pub runs: i64,
}

/// Executions by outcome.
#[derive(Debug)]
pub struct OutcomeCount {
    /// `success`, `failed`, `blocked`, `aborted`, `open`.
    pub outcome: String,
    /// Executions.
    pub runs: i64,
}

/// Executions by the value of a facet.
#[derive(Debug)]
pub struct FacetCount {
    /// Name of the facet.
    pub facet: String,
    /// Its value.
    pub value: String,
    /// Refinement of the value, or empty.
    pub detail: String,
    /// Executions.
    pub runs: i64,
}

/// Executions by repository slug.
#[derive(Debug)]
pub struct SlugCount {
    /// `owner/name`.
    pub slug: String,
    /// Executions.
    pub runs: i64,
}

/// Successful executions by bucket of their duration.
#[derive(Debug)]
pub struct DurationCount {
    /// See [`crate::store::model::rollup::bucket_seconds`].
    pub bucket: i16,
    /// Executions.
    pub runs: i64,
}

/// Everything that a filter selects in all time.
#[derive(Debug)]
pub struct History {
    /// Executions with an application.
    pub runs: i64,
    /// Day of the first one.
    pub first_day: Option<NaiveDate>,
}

/// The first day with an execution of a script.
#[derive(Debug)]
pub struct FirstDay {
    /// Application.
    pub app: String,
    /// Its type.
    pub kind: String,
    /// UTC day.
    pub day: NaiveDate,
}

/// Executions by the source of their scripts.
#[derive(Debug)]
pub struct RuntimeCount {
    /// `local`, `remote`, `pinned`, `mirror`.
    pub source: String,
    /// Revision, or empty.
    pub revision: String,
    /// The revision as the view shows it.
    pub shown_revision: String,
    /// Executions.
    pub runs: i64,
    /// The first day with an execution of the revision, in all time and every population.
    pub first_day: NaiveDate,
}

/// Sessions by day or by script.
#[derive(Debug)]
pub struct SessionCount {
    /// UTC day; `None` in a row for a script.
    pub day: Option<NaiveDate>,
    /// Script; `None` in a row for a day.
    pub app: Option<String>,
    /// Sessions.
    pub sessions: i64,
    /// Those with more than one attempt.
    pub retried: i64,
    /// Those in which a later attempt succeeded after one that failed.
    pub saved: i64,
}

impl Snapshot<'_> {
    /// Executions by script: the scripts that are among the first `length` by executions, by failures, or by
    /// executions within their type, and a total for each type. An open execution is running if its last event
    /// came at `running_since` or later.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn scripts(
        &mut self,
        running_since: DateTime<Utc>,
        length: i64,
    ) -> sqlx::Result<Vec<ScriptCount>> {
        self.scripts_named(running_since, length, None).await
    }

    /// As [`Snapshot::scripts`]; with `search` the lists have only the scripts whose name contains it.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn scripts_named(
        &mut self,
        running_since: DateTime<Utc>,
        length: i64,
        search: Option<&str>,
    ) -> sqlx::Result<Vec<ScriptCount>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(
            ScriptCount,
            "src/store/sql/read/counts/count_scripts.sql",
            selection as _,
            running_since,
            length,
            search
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// The first day of each of these scripts, which are pairs of an application and a type. Ignores the dates of
    /// the filter.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn first_days(&mut self, apps: &[&str], kinds: &[&str]) -> sqlx::Result<Vec<FirstDay>> {
        let all_time = self.all_time().await?;
        let rare = if apps.contains(&RARE) { self.rare_apps().await? } else { Vec::new() };
        sqlx::query_as!(
            FirstDay,
            "select script.app as \"app!\", kind as \"kind!\", min(day) as \"day!\"
             from unnest($1::text[], $2::text[]) as script (app, kind)
                 left join unnest($4::text[]) as rare (app) on script.app = $5
                 cross join lateral (
                     select day from rollup_script join population on population.id = population
                     where rollup_script.app = coalesce(rare.app, script.app) and runs <> 0
                         and population.kind = script.kind and is_shown(population, $3)
                     order by day limit 1
                 ) as first
             group by script.app, kind",
            apps as _,
            kinds as _,
            all_time as _,
            &rare,
            RARE
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Everything that the filter selects without its dates.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn history(&mut self) -> sqlx::Result<History> {
        let all_time = self.all_time().await?;
        sqlx::query_as!(
            History,
            "select coalesce(sum(runs), 0) as \"runs!\", (
                 select day from rollup_facet
                 where facet = 'generation' and runs <> 0 and is_shown(population, $1)
                 order by facet, day limit 1
             ) as first_day
             from shown_runs($1)",
            all_time as _
        )
        .fetch_one(&mut *self.transaction)
        .await
    }

    /// Executions with an application by day and outcome. Days without any are left out.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn days(&mut self) -> sqlx::Result<Vec<DayCount>> {
        let selection = self.selection().await?;
        sqlx::query_as!(
            DayCount,
            "select day as \"day!\", outcome as \"outcome!\", sum(runs) as \"runs!\"
             from shown_day($1) group by day, outcome order by day, outcome",
            selection as _
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Executions with an application by outcome.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn outcomes(&mut self) -> sqlx::Result<Vec<OutcomeCount>> {
        let selection = self.selection().await?;
        self.outcomes_in(selection).await
    }

    pub(super) async fn outcomes_in(&mut self, selection: ViewSelection) -> sqlx::Result<Vec<OutcomeCount>> {
        sqlx::query_as!(
            OutcomeCount,
            "select outcome as \"outcome!\", sum(runs) as \"runs!\"
             from shown_runs($1) group by outcome",
            selection as _
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Executions by the `length` most frequent values of each of these facets.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn facets(&mut self, facets: &[&str], length: i64) -> sqlx::Result<Vec<FacetCount>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(
            FacetCount,
            "src/store/sql/read/counts/count_facets.sql",
            selection as _,
            facets as _,
            length
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Executions with an application by the `length` most frequent repository slugs.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn slugs(&mut self, length: i64) -> sqlx::Result<Vec<SlugCount>> {
        let selection = self.selection().await?;
        sqlx::query_as!(
            SlugCount,
            "select slug as \"slug!\", sum(runs) as \"runs!\"
             from shown_runs($1) join (
                 select population.id, shown(slug, known.kind is not null, ($1).hides_rare) as slug from population
                     left join known_name as known on known.kind = 'slug' and known.name = slug and known.detail = ''
             ) as population on population.id = population
             where slug <> '' group by slug order by sum(runs) desc, slug limit $2",
            selection as _,
            length
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Successful executions by bucket of their duration, shortest first.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn durations(&mut self) -> sqlx::Result<Vec<DurationCount>> {
        let selection = self.selection().await?;
        sqlx::query_as!(
            DurationCount,
            "select value::smallint as \"bucket!\", sum(runs) as \"runs!\" from shown_facet($1)
             where facet = 'duration' and outcome = 'success' group by value order by value::smallint",
            selection as _
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Executions by the source of their scripts, most frequent first.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn runtimes(&mut self) -> sqlx::Result<Vec<RuntimeCount>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(RuntimeCount, "src/store/sql/read/counts/runtimes.sql", selection as _)
            .fetch_all(&mut *self.transaction)
            .await
    }

    /// Sessions by day and by script, most first; with `app` only those of one script, and not by day.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn sessions(&mut self, app: Option<&str>) -> sqlx::Result<Vec<SessionCount>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(SessionCount, "src/store/sql/read/counts/sessions.sql", selection as _, app)
            .fetch_all(&mut *self.transaction)
            .await
    }

    /// The time for which the sessions were counted; see [`sessions::as_of`].
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn sessions_as_of(&mut self) -> sqlx::Result<Option<DateTime<Utc>>> {
        sessions::as_of(&mut self.transaction).await
    }
}
