//! What a batch changes in the rollups: contributions of the new rows less those of the old.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use foldhash::quality::RandomState;
use sqlx::PgConnection;

use crate::ingest::execution::Execution;
use crate::store::rollup::{Key, Measures, Slice, contributions};

/// Sums by rollup row. Rows that cancel out are not written.
#[derive(Debug, Default)]
pub struct Difference<'a>(HashMap<Key<'a>, Measures, RandomState>);

impl<'a> Difference<'a> {
    /// Adds what a run contributes, `sign` times (1 or -1).
    pub fn count(&mut self, execution: &'a Execution, population: i32, sign: i64) {
        contributions(execution, population, |key, measures| {
            self.0.entry(key).or_default().add(measures, sign)
        });
    }

    /// Adds one row.
    pub fn add(&mut self, key: Key<'a>, measures: Measures, sign: i64) {
        self.0.entry(key).or_default().add(measures, sign);
    }

    /// The rows that are not zero, in key order.
    #[must_use]
    pub fn into_rows(self) -> Vec<(Key<'a>, Measures)> {
        let mut rows: Vec<_> =
            self.0.into_iter().filter(|(_, measures)| *measures != Measures::default()).collect();
        // Every writer locks the rows of a rollup in this order, so that none waits in a circle.
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows
    }

    /// Adds everything to the rollups, within the caller's transaction.
    ///
    /// # Errors
    /// What the database says.
    pub async fn write(self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let rows = self.into_rows();
        let mut script = ScriptRows::default();
        let mut duration = DurationRows::default();
        let mut facet = FacetRows::default();
        let mut exit_code = ExitCodeRows::default();
        for (key, measures) in &rows {
            match key.slice {
                Slice::Script { app, outcome, open_hour } => {
                    script.push(key, measures, app, outcome, open_hour);
                }
                Slice::Duration { app, outcome, bucket } => {
                    duration.push(key, measures, app, outcome, bucket);
                }
                Slice::Facet { facet: name, value, detail, outcome } => {
                    facet.push(key, measures, name, value, detail, outcome);
                }
                Slice::ExitCode { app, outcome, exit_code: code, category, generation } => {
                    exit_code.push(key, measures, app, outcome, code, category, generation);
                }
            }
        }
        script.write(connection).await?;
        duration.write(connection).await?;
        facet.write(connection).await?;
        exit_code.write(connection).await
    }
}

/// The rows of one rollup as columns, and the statement that adds them.
macro_rules! rows {
    ($name:ident, $sql:literal, { $($key:ident: $type:ty),+ }, { $($measure:ident),+ }) => {
        #[derive(Default)]
        struct $name<'a> {
            day: Vec<NaiveDate>,
            population: Vec<i32>,
            $($key: Vec<$type>,)+
            $($measure: Vec<i64>,)+
            lifetime: std::marker::PhantomData<&'a str>,
        }

        impl<'a> $name<'a> {
            #[allow(clippy::too_many_arguments, reason = "one argument a column")]
            fn push(&mut self, key: &Key<'a>, measures: &Measures, $($key: $type),+) {
                self.day.push(key.day);
                self.population.push(key.population);
                $(self.$key.push($key);)+
                $(self.$measure.push(measures.$measure);)+
            }

            async fn write(self, connection: &mut PgConnection) -> sqlx::Result<()> {
                if self.day.is_empty() {
                    return Ok(());
                }
                sqlx::query_file!(
                    $sql,
                    &self.day as _,
                    &self.population as _,
                    $(&self.$key as _,)+
                    $(&self.$measure as _,)+
                )
                .execute(connection)
                .await
                .map(drop)
            }
        }
    };
}

rows!(
    ScriptRows,
    "src/store/sql/add_script.sql",
    { app: &'a str, outcome: &'a str, open_hour: DateTime<Utc> },
    { runs, duration_count, duration_sum }
);
rows!(
    DurationRows,
    "src/store/sql/add_duration.sql",
    { app: &'a str, outcome: &'a str, bucket: i16 },
    { runs }
);
rows!(
    FacetRows,
    "src/store/sql/add_facet.sql",
    { facet: &'a str, value: &'a str, detail: &'a str, outcome: &'a str },
    { runs }
);
rows!(
    ExitCodeRows,
    "src/store/sql/add_exit_code.sql",
    { app: &'a str, outcome: &'a str, exit_code: i16, category: &'a str, generation: i16 },
    { runs }
);
