//! The proof and the cure: everything that is derived, made again from the rows.
//!
//! Both go day by day and page by page, so that memory and locks stay small however long the
//! history is. Days before the horizon are left as they are: their executions are deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::ingest::execution::Execution;
use crate::ingest::scrub::scrub_facts;
use crate::store::keep::horizon::horizon;
use crate::store::keep::{monthly_sums, sessions};
use crate::store::model::difference::Difference;
use crate::store::model::population::Populations;
use crate::store::model::rollup::{Key, Measures, PopulationKey, Slice};
use crate::store::model::row::{Stored, Written};
use crate::store::write::merge::Known;
use crate::store::write::statement::write;

/// Executions that are held in memory at once.
const PAGE_ROWS: i64 = 5_000;

/// Something that does not equal its recount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// A rollup row.
    Rollup {
        /// The key of the row, in words.
        row: String,
        /// What the rollup holds less what the executions say.
        excess: Measures,
    },
    /// The sessions that began on a day.
    Sessions {
        /// That UTC day.
        day: NaiveDate,
    },
    /// A monthly sum.
    MonthlySum {
        /// First UTC day of the month.
        month: NaiveDate,
        /// The row, as it is stored or as it should be.
        row: String,
    },
    /// What is derived of an execution and stands in its row.
    Derived {
        /// UTC day of its first event.
        day: NaiveDate,
        /// `outcome` or `signature`.
        column: &'static str,
        /// What stands there.
        stored: String,
        /// What its events say.
        derived: String,
    },
}

/// What [`verify`] saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Days counted.
    pub days: usize,
    /// Days before the horizon, in order: nothing can recount them.
    pub days_left_out: Vec<NaiveDate>,
    /// Executions counted.
    pub executions: u64,
    /// Everything that differs.
    pub mismatches: Vec<Mismatch>,
}

/// What [`rebuild`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Days whose rollups are made anew.
    pub days: usize,
    /// Days before the horizon, in order: their rollups stay.
    pub days_left_out: Vec<NaiveDate>,
}

/// Recounts all days in one snapshot of the database; writers go on meanwhile.
///
/// # Errors
/// What the database says.
pub async fn verify(connection: &mut PgConnection) -> sqlx::Result<Verification> {
    let mut snapshot =
        connection.begin_with("begin transaction isolation level repeatable read read only").await?;
    let populations = Populations::all(&mut snapshot).await?;
    let mut seen = Verification::default();
    let horizon = horizon(&mut snapshot).await?;
    for day in days(&mut snapshot).await? {
        if is_before(day, horizon) {
            seen.days_left_out.push(day);
            continue;
        }
        let mut excess = BTreeMap::<String, Measures>::new();
        let mut add = |rows: Vec<(Key<'_>, Measures)>| {
            for (key, measures) in rows {
                excess.entry(format!("{key:?}")).or_default().add(measures, 1);
            }
        };
        let rows = RollupRow::of(&mut snapshot, day).await?;
        add(rows.iter().map(|row| (row.key(day), row.measures())).collect());
        let mut last = None;
        loop {
            let page = page_of(&mut snapshot, day, last).await?;
            let mut difference = Difference::default();
            for Stored { execution, outcome: stored, .. } in &page {
                // A population that is not in the table can only be one whose counts are missing.
                let population = populations.id(PopulationKey::of(execution)).unwrap_or(-1);
                difference.count(execution, population, -1);
                let outcome = execution.outcome().as_str();
                if outcome != stored.as_str() {
                    let (stored, derived) = (stored.as_str().to_owned(), outcome.to_owned());
                    seen.mismatches.push(Mismatch::Derived { day, column: "outcome", stored, derived });
                }
                let signature = execution.failure().map(|signature| signature.id);
                if signature != execution.signature {
                    let (stored, derived) = (hexadecimal(execution.signature), hexadecimal(signature));
                    seen.mismatches.push(Mismatch::Derived { day, column: "signature", stored, derived });
                }
            }
            add(difference.into_rows());
            seen.executions += page.len() as u64;
            last = page.last().map(position);
            if last.is_none() {
                break;
            }
        }
        let differing = excess.into_iter().filter(|(_, excess)| *excess != Measures::default());
        seen.mismatches.extend(differing.map(|(row, excess)| Mismatch::Rollup { row, excess }));
        seen.days += 1;
    }
    let days = sessions::differing_days(&mut snapshot).await?;
    seen.mismatches.extend(days.into_iter().map(|day| Mismatch::Sessions { day }));
    let sums = monthly_sums::differing(&mut snapshot).await?.into_iter();
    seen.mismatches.extend(sums.map(|sum| Mismatch::MonthlySum { month: sum.month, row: sum.row }));
    snapshot.rollback().await?;
    Ok(seen)
}

fn hexadecimal(signature: Option<i64>) -> String {
    signature.map_or_else(|| "none".to_owned(), |id| format!("{id:016x}"))
}

/// Makes the rollups anew from the rows while writers go on: they wait for the day that is being
/// counted, and for no longer.
///
/// # Errors
/// What the database says; the days done so far stay done.
pub async fn rebuild(connection: &mut PgConnection) -> sqlx::Result<Rebuilt> {
    let mut known = Known::default();
    let mut rebuilt = Rebuilt::default();
    for day in days(connection).await? {
        if rebuild_day(connection, &mut known, day).await? {
            rebuilt.days += 1;
        } else {
            rebuilt.days_left_out.push(day);
        }
    }
    while !sessions::recount(connection).await? {
        // A running server is at it, with what stood there before.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(rebuilt)
}

/// Whether it could be done: not for a day before the horizon.
async fn rebuild_day(connection: &mut PgConnection, known: &mut Known, day: NaiveDate) -> sqlx::Result<bool> {
    let mut transaction = connection.begin().await?;
    // Waits for running batches and holds back new ones: what is counted next is all there is,
    // and whoever comes later adds to what is written here.
    sqlx::query!("lock table execution in share row exclusive mode").execute(&mut *transaction).await?;
    // Nothing is deleted while the lock is held, and the horizon is known before anything is.
    if is_before(day, horizon(&mut transaction).await?) {
        transaction.rollback().await?;
        return Ok(false);
    }
    sqlx::query!("delete from rollup_script where day = $1", day).execute(&mut *transaction).await?;
    sqlx::query!("delete from rollup_duration where day = $1", day).execute(&mut *transaction).await?;
    sqlx::query!("delete from rollup_facet where day = $1", day).execute(&mut *transaction).await?;
    sqlx::query!("delete from rollup_exit_code where day = $1", day).execute(&mut *transaction).await?;
    sqlx::query!("delete from rollup_signature where day = $1", day).execute(&mut *transaction).await?;
    sqlx::query!("delete from rollup_platform where day = $1", day).execute(&mut *transaction).await?;
    sqlx::query!("delete from rollup_hour where day = $1", day).execute(&mut *transaction).await?;
    monthly_sums::invalidate(&mut transaction, day).await?;
    let mut last = None;
    loop {
        let page = page_of(&mut transaction, day, last).await?;
        rebuild_page(&mut transaction, known, &page).await?;
        last = page.last().map(position);
        if last.is_none() {
            break;
        }
    }
    transaction.commit().await?;
    Ok(true)
}

/// Counts some executions, and derives anew what is derived of them.
async fn rebuild_page(connection: &mut PgConnection, known: &mut Known, page: &[Stored]) -> sqlx::Result<()> {
    let derived: Vec<_> = page.iter().map(derive).collect();
    let touched: Vec<_> = derived.iter().map(PopulationKey::of).collect();
    known.populations.learn(connection, &touched).await?;
    known.signatures.learn(connection, derived.iter()).await?;
    let mut difference = Difference::default();
    let mut changed = Vec::new();
    for (execution, row) in derived.iter().zip(page) {
        let population = known.populations.id(PopulationKey::of(execution)).unwrap_or_default();
        difference.count(execution, population, 1);
        if *execution != row.execution || execution.outcome().as_str() != row.outcome.as_str() {
            changed.push(Written { execution, revision: row.revision + 1, is_new: false });
        }
    }
    changed.sort_unstable_by_key(|row| row.execution.key);
    write(connection, &changed, &difference.into_rows()).await
}

/// What would stand in the row if its events came today: rows of earlier versions hold texts that
/// were scrubbed by other rules, and no signature.
fn derive(row: &Stored) -> Execution {
    let execution = row.execution.clone();
    Execution { facts: scrub_facts(execution.facts), ..execution }.signed()
}

fn is_before(day: NaiveDate, horizon: Option<NaiveDate>) -> bool {
    horizon.is_some_and(|first| day < first)
}

/// Every day that has rows or counts.
async fn days(connection: &mut PgConnection) -> sqlx::Result<BTreeSet<NaiveDate>> {
    let days = sqlx::query_scalar!(
        "select distinct (first_seen at time zone 'UTC')::date as \"day!\" from execution
         union select day from rollup_script union select day from rollup_duration
         union select day from rollup_facet union select day from rollup_exit_code
         union select day from rollup_signature union select day from rollup_platform
         union select day from rollup_hour"
    );
    Ok(days.fetch_all(connection).await?.into_iter().collect())
}

/// Where a page ended: first event and key of its last execution.
type Position = (DateTime<Utc>, Uuid);

fn position(row: &Stored) -> Position {
    (row.execution.first_seen, row.execution.key.0)
}

/// The next executions of a day behind a position, by first event and key.
async fn page_of(
    connection: &mut PgConnection,
    day: NaiveDate,
    last: Option<Position>,
) -> sqlx::Result<Vec<Stored>> {
    let start = day.and_time(NaiveTime::MIN).and_utc();
    let (time, key) = last.map_or((start, None), |(time, key)| (time, Some(key)));
    sqlx::query_scalar!(
        "select execution as \"row!: Stored\" from execution
         where first_seen >= $1 and first_seen < $2
             and ($3::uuid is null or (first_seen, run_key) > ($1, $3))
         order by first_seen, run_key limit $4",
        time,
        start + Days::new(1),
        key as _,
        PAGE_ROWS
    )
    .fetch_all(connection)
    .await
}

/// A row of any rollup.
struct RollupRow {
    rollup: String,
    population: i32,
    app: String,
    outcome: String,
    open_hour: DateTime<Utc>,
    number: i16,
    facet: String,
    value: String,
    detail: String,
    generation: i16,
    signature: i64,
    runs: i64,
    duration_count: i64,
    duration_sum: i64,
}

impl RollupRow {
    async fn of(connection: &mut PgConnection, day: NaiveDate) -> sqlx::Result<Vec<Self>> {
        sqlx::query_file_as!(Self, "src/store/sql/keep/rollups_of_day.sql", day).fetch_all(connection).await
    }

    fn key(&self, day: NaiveDate) -> Key<'_> {
        let (app, outcome) = (self.app.as_str(), self.outcome.as_str());
        let slice = match self.rollup.as_str() {
            "script" => Slice::Script { app, outcome, open_hour: self.open_hour },
            "duration" => Slice::Duration { app, outcome, bucket: self.number },
            "facet" => Slice::Facet { facet: &self.facet, value: &self.value, detail: &self.detail, outcome },
            "signature" => Slice::Signature { app, outcome, signature: self.signature },
            "platform" => {
                let (property, value, detail) = (&self.facet, &self.value, &self.detail);
                Slice::Platform { app, property, value, detail, outcome, retry: self.number != 0 }
            }
            "hour" => Slice::Hour { hour: self.number, outcome },
            _ => Slice::ExitCode {
                app,
                outcome,
                exit_code: self.number,
                category: &self.value,
                generation: self.generation,
            },
        };
        Key { day, population: self.population, slice }
    }

    const fn measures(&self) -> Measures {
        Measures { runs: self.runs, duration_count: self.duration_count, duration_sum: self.duration_sum }
    }
}
