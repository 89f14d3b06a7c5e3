//! The counts of one script.

use chrono::{DateTime, Days, NaiveDate, Utc};

use crate::store::model::rollup::size::{CORE_CLASSES, DISK_CLASSES, RAM_CLASSES, labels_and_bounds};
use crate::store::read::counts::DurationCount;
use crate::store::read::records::{Choice, end_of, start_of};
use crate::store::read::snapshot::Snapshot;

/// Longest period whose executions are counted by size, in days. They are read one by one.
const DISTRIBUTION_DAYS: u64 = 30;

/// Executions by day and outcome.
#[derive(Debug)]
pub struct ScriptDay {
    /// UTC day.
    pub day: NaiveDate,
    /// `success`, `failed`, `blocked`, `aborted`, `open`.
    pub outcome: String,
    /// Executions.
    pub runs: i64,
    /// Open ones with a recent event.
    pub running: i64,
}

/// Ended executions by platform.
#[derive(Debug)]
pub struct PlatformCount {
    /// `os`, `pve`.
    pub property: String,
    /// Family or version, or empty.
    pub value: String,
    /// Version of the operating system, or empty.
    pub detail: String,
    /// Ended executions.
    pub runs: i64,
    /// Successful ones.
    pub succeeded: i64,
    /// Failed ones.
    pub failed: i64,
}

/// Executions by a size, by privilege or by version of the application.
#[derive(Debug)]
pub struct DistributionCount {
    /// `cores`, `ram`, `disk`, `privilege`, `app_version`.
    pub property: String,
    /// Label of the class of sizes, `privileged` or `unprivileged`, or version.
    pub value: String,
    /// Executions.
    pub runs: i64,
    /// Successful ones.
    pub succeeded: i64,
    /// Failed ones.
    pub failed: i64,
}

/// The distributions of a script.
#[derive(Debug)]
pub struct Distributions {
    /// First and last day of the executions.
    pub days: (NaiveDate, NaiveDate),
    /// By property and value, in no order.
    pub values: Vec<DistributionCount>,
}

/// Bad ends by exit code.
#[derive(Debug)]
pub struct ScriptExitCode {
    /// 0 to 255, or -1 for none.
    pub exit_code: i16,
    /// Our category.
    pub category: String,
    /// Generation of the client.
    pub generation: i16,
    /// `failed`, `blocked`, `aborted`.
    pub outcome: String,
    /// Executions.
    pub runs: i64,
}

/// Failures by signature.
#[derive(Debug)]
pub struct ScriptSignature {
    /// Id.
    pub signature: i64,
    /// The failing line, masked.
    pub template: Option<String>,
    /// Failed executions.
    pub runs: i64,
    /// First day of the period with one.
    pub first_day: NaiveDate,
    /// Last one.
    pub last_day: NaiveDate,
    /// Id of the rule.
    pub reason: Option<String>,
    /// What the failure is about.
    pub subject: Option<String>,
    /// Kind of the failure; `None` for the rare ones.
    pub category: Option<String>,
    /// The side that has to act; `None` for the rare ones.
    pub blame: Option<String>,
    /// `None` if nobody decided anything.
    pub state: Option<String>,
    /// Address of the issue.
    pub issue_url: Option<String>,
}

impl Snapshot<'_> {
    /// Whether an execution of the script was ever counted, and the view shows its name.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn script_exists(&mut self, app: &str) -> sqlx::Result<bool> {
        let hides_rare = self.hides_rare().await?;
        sqlx::query_scalar!(
            "select exists (select from rollup_script where app = $1 and runs <> 0)
                 and (not $2 or exists (select from known_app where app = $1)) as \"known!\"",
            app,
            hides_rare
        )
        .fetch_one(&mut *self.transaction)
        .await
    }

    /// Executions of a script by day and outcome. An open one is running if its last event came at `running_since`
    /// or later.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn script_days(
        &mut self,
        app: &str,
        running_since: DateTime<Utc>,
    ) -> sqlx::Result<Vec<ScriptDay>> {
        self.script_days_of(self.filter.days(), app, running_since).await
    }

    /// As [`Snapshot::script_days`], from the first to the last of these days instead of those of the filter.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn script_days_of(
        &mut self,
        days: (NaiveDate, NaiveDate),
        app: &str,
        running_since: DateTime<Utc>,
    ) -> sqlx::Result<Vec<ScriptDay>> {
        let selection = self.selection_of(days).await?;
        sqlx::query_as!(
            ScriptDay,
            "select day, outcome, sum(runs::integer) as \"runs!\",
                 coalesce(sum(runs::integer) filter (where outcome = 'open' and open_hour >= $3), 0) as \"running!\"
             from rollup_script
             where app = $2 and is_shown(day, population, $1)
             group by day, outcome having sum(runs::integer) <> 0 order by day, outcome",
            selection as _,
            app,
            running_since
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Ended executions of a script by platform, most frequent first.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn script_platforms(&mut self, app: &str) -> sqlx::Result<Vec<PlatformCount>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(
            PlatformCount,
            "src/store/sql/read/script/script_platforms.sql",
            selection as _,
            app
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Executions of a script by size, by privilege and by version of the application, in the 30 days up to `last`. Only
    /// those that are still stored.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn script_distributions(&mut self, app: &str, last: NaiveDate) -> sqlx::Result<Distributions> {
        let first = last.checked_sub_days(Days::new(DISTRIBUTION_DAYS - 1)).unwrap_or(last);
        let days = (first.max(self.kept().await?.0), last);
        let Some(visible) = self.visible(&Choice::all(DateTime::UNIX_EPOCH)).await? else {
            return Ok(Distributions { days, values: Vec::new() });
        };
        let hides_rare = self.hides_rare().await?;
        let (cores, ram, disk) = (
            labels_and_bounds(&CORE_CLASSES),
            labels_and_bounds(&RAM_CLASSES),
            labels_and_bounds(&DISK_CLASSES),
        );
        let values = sqlx::query_file_as!(
            DistributionCount,
            "src/store/sql/read/script/script_distributions.sql",
            app,
            start_of(days.0),
            end_of(days.1),
            visible.filter(&self.filter) as _,
            &cores.0 as _,
            &cores.1,
            &ram.0 as _,
            &ram.1,
            &disk.0 as _,
            &disk.1,
            hides_rare
        );
        Ok(Distributions { days, values: values.fetch_all(&mut *self.transaction).await? })
    }

    /// Bad ends of a script by exit code, most frequent first.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn script_exit_codes(&mut self, app: &str) -> sqlx::Result<Vec<ScriptExitCode>> {
        let selection = self.selection().await?;
        sqlx::query_as!(
            ScriptExitCode,
            "select exit_code, category, generation, outcome, sum(runs::integer) as \"runs!\"
             from rollup_exit_code
             where app = $2 and is_shown(day, population, $1)
             group by exit_code, category, generation, outcome having sum(runs::integer) <> 0
             order by sum(runs::integer) desc, exit_code, category, generation, outcome",
            selection as _,
            app
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Failures of a script by signature, most frequent first.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn script_signatures(&mut self, app: &str, limit: i64) -> sqlx::Result<Vec<ScriptSignature>> {
        let selection = self.selection().await?;
        sqlx::query_file_as!(
            ScriptSignature,
            "src/store/sql/read/script/script_signatures.sql",
            selection as _,
            app,
            limit
        )
        .fetch_all(&mut *self.transaction)
        .await
    }

    /// Successful executions of a script by duration, shortest first.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn script_durations(&mut self, app: &str) -> sqlx::Result<Vec<DurationCount>> {
        let selection = self.selection().await?;
        sqlx::query_as!(
            DurationCount,
            "select bucket, sum(runs::integer) as \"runs!\" from rollup_duration
             where app = $2 and outcome = 'success' and runs <> 0 and is_shown(day, population, $1)
             group by bucket order by bucket",
            selection as _,
            app
        )
        .fetch_all(&mut *self.transaction)
        .await
    }
}
