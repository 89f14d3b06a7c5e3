//! Compares everything that is derived from executions with a recount.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Connection, PgConnection};
use telemetry_protocol::exit_code::Category;

use crate::store::keep::horizon::horizon;
use crate::store::keep::recount::pages::{days, is_before, page_of, position};
use crate::store::keep::rules::is_due;
use crate::store::keep::{monthly_sums, sessions};
use crate::store::model::difference::Difference;
use crate::store::model::population::Populations;
use crate::store::model::rollup::{Key, Measures, PopulationKey, Slice};
use crate::store::model::row::Stored;

/// A stored value that differs from its recount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// A rollup row.
    Rollup {
        /// The key of the row.
        row: String,
        /// The counts in the rollup minus those of the recount.
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
    /// A derived column of an execution.
    Derived {
        /// UTC day of its first event.
        day: NaiveDate,
        /// `outcome`, `signature` or `category`.
        column: &'static str,
        /// The value in the row.
        stored: String,
        /// The value that follows from the facts.
        derived: String,
    },
}

/// The result of [`verify`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Number of days counted.
    pub days: usize,
    /// Days before the horizon, in order.
    pub days_left_out: Vec<NaiveDate>,
    /// Number of executions counted.
    pub executions: u64,
    /// Everything that differs.
    pub mismatches: Vec<Mismatch>,
    /// Executions that were written under other rules and wait to be diagnosed again.
    pub outdated: u64,
}

/// Recounts all days in one snapshot of the database, without holding up writers.
///
/// # Errors
/// Any error from the database.
pub async fn verify(connection: &mut PgConnection) -> sqlx::Result<Verification> {
    let mut snapshot =
        connection.begin_with("begin transaction isolation level repeatable read read only").await?;
    let populations = Populations::all(&mut snapshot).await?;
    let mut seen = Verification::default();
    let are_rules_new = is_due(&mut snapshot).await?;
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
        let rows = rows.iter().map(|row| row.key(day).map(|key| (key, row.measures())));
        add(rows.collect::<sqlx::Result<Vec<_>>>()?);
        let mut last = None;
        loop {
            let page = page_of(&mut snapshot, day, last).await?;
            let mut difference = Difference::default();
            for Stored { execution, outcome: stored, .. } in &page {
                // If the table lacks a population, its counts are missing as well.
                let population = populations.id(PopulationKey::of(execution)).unwrap_or(-1);
                difference.count(execution, population, -1);
                let outcome = execution.outcome().as_str();
                if outcome != stored.as_str() {
                    let (stored, derived) = (stored.as_str().to_owned(), outcome.to_owned());
                    seen.mismatches.push(Mismatch::Derived { day, column: "outcome", stored, derived });
                }
                let derived = execution.clone().diagnosed();
                if derived == *execution {
                    continue;
                }
                if are_rules_new {
                    seen.outdated += 1;
                    continue;
                }
                let columns = [
                    ("signature", hexadecimal(execution.signature), hexadecimal(derived.signature)),
                    ("category", word(execution.category), word(derived.category)),
                ];
                let differing = columns.into_iter().filter(|(_, stored, derived)| stored != derived);
                seen.mismatches.extend(differing.map(|(column, stored, derived)| Mismatch::Derived {
                    day,
                    column,
                    stored,
                    derived,
                }));
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

fn word(category: Option<Category>) -> String {
    category.map_or("none", Category::as_str).to_owned()
}

fn hexadecimal(signature: Option<i64>) -> String {
    signature.map_or_else(|| "none".to_owned(), |id| format!("{id:016x}"))
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

    /// The key of the row; an error for a rollup that is missing here.
    fn key(&self, day: NaiveDate) -> sqlx::Result<Key<'_>> {
        let (app, outcome) = (self.app.as_str(), self.outcome.as_str());
        let slice = match self.rollup.as_str() {
            "script" => Slice::Script { app, outcome, open_hour: self.open_hour },
            "duration" => Slice::Duration { app, outcome, bucket: self.number },
            "facet" => Slice::Facet { facet: &self.facet, value: &self.value, detail: &self.detail, outcome },
            "signature" => Slice::Signature { app, outcome, signature: self.signature },
            "environment" => {
                let (property, value, detail) = (&self.facet, &self.value, &self.detail);
                Slice::Environment { app, property, value, detail, outcome, retry: self.number != 0 }
            }
            "hour" => Slice::Hour { hour: self.number, outcome },
            "exit code" => Slice::ExitCode {
                app,
                outcome,
                exit_code: self.number,
                category: &self.value,
                generation: self.generation,
            },
            unknown => return Err(sqlx::Error::Decode(format!("unknown rollup: {unknown}").into())),
        };
        Ok(Key { day, population: self.population, slice })
    }

    const fn measures(&self) -> Measures {
        Measures { runs: self.runs, duration_count: self.duration_count, duration_sum: self.duration_sum }
    }
}
