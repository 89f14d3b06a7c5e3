//! A small line in a row of a table. The numbers stand beside it.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use maud::{Markup, html};

use super::{coordinate, days};
use crate::page::chart::period::Period;

/// Width and height of the drawing.
const SIZE: (f64, f64) = (90.0, 20.0);

/// Runs by day, from `first` to `last`.
#[must_use]
pub fn sparkline(runs: &BTreeMap<NaiveDate, i64>, (first, last): (NaiveDate, NaiveDate)) -> Markup {
    let periods = Period::divide(first, last);
    let sums: Vec<i64> = periods
        .iter()
        .map(|period| days(period.first, period.last).filter_map(|day| runs.get(&day)).sum())
        .collect();
    let highest = sums.iter().copied().max().unwrap_or_default().max(1) as f64;
    let step = SIZE.0 / sums.len().max(1) as f64;
    let bars = sums.iter().enumerate().filter(|(_, runs)| **runs > 0);
    let path: String = bars
        .map(|(position, runs)| {
            let height = (*runs as f64 / highest * SIZE.1).max(1.0);
            format!(
                "M{} {}h{}V{}h-{}z",
                coordinate(position as f64 * step),
                SIZE.1,
                coordinate(step * 0.8),
                coordinate(SIZE.1 - height),
                coordinate(step * 0.8)
            )
        })
        .collect();
    html! {
        svg.spark viewBox=(format!("0 0 {} {}", SIZE.0, SIZE.1)) width=(SIZE.0) height=(SIZE.1) aria-hidden="true" {
            path d=(path) {}
        }
    }
}
