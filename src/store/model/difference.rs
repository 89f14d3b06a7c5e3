//! What a batch changes in the rollups: contributions of the new rows less those of the old.

use std::collections::HashMap;

use crate::ingest::execution::Execution;
use crate::store::model::rollup::{Key, Measures, contributions};

/// Sums by rollup row. Rows that cancel out are not written.
#[derive(Debug, Default)]
pub struct Difference<'a>(HashMap<Key<'a>, Measures>);

impl<'a> Difference<'a> {
    /// Adds what a run contributes, `sign` times (1 or -1).
    pub fn count(&mut self, execution: &'a Execution, population: i32, sign: i64) {
        contributions(execution, population, |key, measures| {
            self.0.entry(key).or_default().add(measures, sign);
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
}
