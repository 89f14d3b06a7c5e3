//! The change of the rollups by a batch: contributions of the new rows minus those of the old ones.

use std::collections::HashMap;

use crate::ingest::execution::Execution;
use crate::store::model::rollup::{Key, Measures, contributions};

/// Changes of counts by rollup row.
#[derive(Debug, Default)]
pub struct Difference<'a>(HashMap<Key<'a>, Measures>);

impl<'a> Difference<'a> {
    /// Adds the contributions of an execution, `sign` times (1 or -1).
    pub fn count(&mut self, execution: &'a Execution, population: i32, sign: i64) {
        contributions(execution, population, |key, measures| {
            self.0.entry(key).or_default().add(measures, sign);
        });
    }

    /// The rows that change, in key order.
    #[must_use]
    pub fn into_rows(self) -> Vec<(Key<'a>, Measures)> {
        let mut rows: Vec<_> =
            self.0.into_iter().filter(|(_, measures)| *measures != Measures::default()).collect();
        // All writers lock rows in this order, so that they cannot deadlock.
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows
    }
}
