//! The counts behind the weekly report, and the evidence behind an issue.

use chrono::{DateTime, Days, NaiveDate, Utc};
use sqlx::PgConnection;

use crate::store::read::filter::Filter;
use crate::store::read::platform_history::{self, PlatformSeries};
use crate::store::read::snapshot::{Selection, Snapshot, ViewSelection};

/// Most signatures in a list of a report.
const SIGNATURES: i64 = 10;
/// Days back that count for an issue.
const ISSUE_DAYS: u64 = 30;

/// Seven UTC days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Week {
    /// First day.
    pub first: NaiveDate,
    /// Last day.
    pub last: NaiveDate,
}

impl Week {
    /// The seven days up to and including this one.
    #[must_use]
    pub fn ending(last: NaiveDate) -> Self {
        Self { first: last.checked_sub_days(Days::new(6)).unwrap_or(last), last }
    }
}

/// Executions of a script with one outcome, in a week and in the week before.
#[derive(Clone, Debug)]
pub struct ScriptWeek {
    /// Script.
    pub app: String,
    /// `success`, `failed`, `blocked`, `aborted`, `open`.
    pub outcome: String,
    /// Executions in the week.
    pub runs: i64,
    /// Executions in the week before.
    pub runs_before: i64,
    /// Whether the script had no execution before the week.
    pub is_new: bool,
}

/// A signature that was first seen in a week, or failed again after it was resolved.
#[derive(Clone, Debug)]
pub struct WeekSignature {
    /// The title of the reason with its subject, or the failing line, masked.
    pub template: String,
    /// The side that has to act.
    pub blame: String,
    /// Id.
    pub signature: i64,
    /// Executions of the week with it.
    pub runs: i64,
    /// Their scripts.
    pub apps: Vec<String>,
}

/// The history of each script of a repository, in which regressions are searched.
///
/// # Errors
/// Any error from the database.
pub async fn platform_series(
    connection: &mut PgConnection,
    first: NaiveDate,
    last: NaiveDate,
    repository: &str,
) -> sqlx::Result<Vec<PlatformSeries>> {
    let filter = Filter { repo: Some(repository.to_owned()), ..Filter::default() };
    let populations = filter.populations(connection, false).await?;
    let chosen = Selection { first_day: first, last_day: last, populations, ..Selection::default() };
    let selection = ViewSelection { chosen, hides_rare: false };
    platform_history::platform_series(connection, &selection, None).await
}

/// The executions of a repository in a week, by script, its new signatures, and those that failed again.
///
/// # Errors
/// Any error from the database.
pub async fn of_week(
    connection: &mut PgConnection,
    week: Week,
    repository: &str,
) -> sqlx::Result<(Vec<ScriptWeek>, Vec<WeekSignature>, Vec<WeekSignature>)> {
    let before = week.first.checked_sub_days(Days::new(7)).unwrap_or(week.first);
    let scripts = sqlx::query_file_as!(
        ScriptWeek,
        "src/store/sql/read/report/report_scripts.sql",
        before,
        week.first,
        week.last,
        repository
    );
    let scripts = scripts.fetch_all(&mut *connection).await?;
    let regressed = sqlx::query_file_as!(
        WeekSignature,
        "src/store/sql/read/report/report_regressed.sql",
        week.first,
        week.last,
        repository,
        SIGNATURES
    );
    let regressed = regressed.fetch_all(&mut *connection).await?;
    let new = sqlx::query_file_as!(
        WeekSignature,
        "src/store/sql/read/report/report_signatures.sql",
        week.first,
        week.last,
        repository,
        SIGNATURES
    );
    Ok((scripts, new.fetch_all(connection).await?, regressed))
}

/// The evidence about one signature.
#[derive(Clone, Debug)]
pub struct SignatureEvidence {
    /// The failing line, masked.
    pub template: String,
    /// When it was first seen.
    pub first_seen: DateTime<Utc>,
    /// Runs of the last days by script, most first.
    pub scripts: Vec<(String, i64)>,
    /// The same by day, oldest first.
    pub days: Vec<(NaiveDate, i64)>,
}

/// The evidence of the last 30 days, as the public may see it; `None` if the signature does not exist.
///
/// # Errors
/// Any error from the database.
pub async fn of_signature(
    connection: &mut PgConnection,
    signature: i64,
    today: NaiveDate,
) -> sqlx::Result<Option<SignatureEvidence>> {
    let known = sqlx::query!(
        "select shown(template, known.kind is not null, hides_rare) as \"template!\", created
         from signature cross join hides_rare
             left join known_name as known
                 on known.kind = 'signature' and known.name = id::text and known.detail = ''
         where id = $1",
        signature
    );
    let Some(known) = known.fetch_optional(&mut *connection).await? else { return Ok(None) };
    let since = today.checked_sub_days(Days::new(ISSUE_DAYS - 1)).unwrap_or(today);
    let counts = sqlx::query!(
        "select shown(counted.app, known.app is not null, hides_rare) as \"app!\", day, sum(runs)::bigint as \"runs!\"
         from rollup_signature as counted cross join hides_rare
             left join known_app as known on known.app = counted.app
         where signature = $1 and day >= $2 group by 1, day having sum(runs) <> 0 order by day, 1",
        signature,
        since
    );
    let (mut scripts, mut days) = (Vec::<(String, i64)>::new(), Vec::<(NaiveDate, i64)>::new());
    for count in counts.fetch_all(connection).await? {
        match scripts.iter_mut().find(|(app, _)| *app == count.app) {
            Some((_, runs)) => *runs += count.runs,
            None => scripts.push((count.app, count.runs)),
        }
        match days.last_mut().filter(|(day, _)| *day == count.day) {
            Some((_, runs)) => *runs += count.runs,
            None => days.push((count.day, count.runs)),
        }
    }
    scripts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    Ok(Some(SignatureEvidence { template: known.template, first_seen: known.created, scripts, days }))
}

impl Snapshot<'_> {
    /// As [`of_signature`].
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn evidence(
        &mut self,
        signature: i64,
        today: NaiveDate,
    ) -> sqlx::Result<Option<SignatureEvidence>> {
        of_signature(&mut self.transaction, signature, today).await
    }
}
