//! Stacked bars: runs of each period by outcome.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use maud::html;

use super::{Frame, HEIGHT, STEP, coordinate, round_up};
use crate::page::address::Address;
use crate::page::chart::period::Period;
use crate::page::number::{count, grouped};

/// The series of a chart of runs by outcome: name, and the outcome, which is the class of its colour.
pub const OUTCOMES: [(&str, &str); 5] = [
    ("success", "success"),
    ("failed", "failed"),
    ("blocked", "blocked"),
    ("aborted", "aborted"),
    ("running or without an end", "open"),
];

/// Counts by UTC day, in the order of the series.
pub type Counts = BTreeMap<NaiveDate, Vec<i64>>;

/// Stacked bars from `days.0` to `days.1`. `series` are names and classes.
#[must_use]
pub fn stacked(
    title: &str,
    series: &[(&str, &str)],
    counts: &Counts,
    days: (NaiveDate, NaiveDate),
    as_of: DateTime<Utc>,
    address: &Address,
) -> maud::Markup {
    stacked_in(title, series, counts, &Period::divide(days.0, days.1), as_of, address)
}

/// As [`stacked`], over these periods.
#[must_use]
pub fn stacked_in(
    title: &str,
    series: &[(&str, &str)],
    counts: &Counts,
    periods: &[Period],
    as_of: DateTime<Utc>,
    address: &Address,
) -> maud::Markup {
    let sums: Vec<Vec<i64>> = periods
        .iter()
        .map(|period| {
            let mut sums = vec![0; series.len()];
            for counts in counts.range(period.first..=period.last).map(|(_, counts)| counts) {
                sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
            sums
        })
        .collect();
    let top = round_up(sums.iter().map(|counts| counts.iter().sum()).max().unwrap_or_default());
    let height = |count: i64| count as f64 * HEIGHT / top as f64;
    let path = |position: usize| -> String {
        let bars = sums.iter().enumerate().filter(|(_, counts)| counts[position] > 0);
        bars.map(|(bar, counts)| {
            let below: i64 = counts[..position].iter().sum();
            let (lower, size) = (coordinate(HEIGHT - height(below)), coordinate(height(counts[position])));
            format!("M{} {lower}h{}v-{size}h-{}z", bar * STEP + 1, STEP - 2, STEP - 2)
        })
        .collect()
    };
    let frame = Frame {
        title,
        top: grouped(top),
        periods,
        as_of,
        legend: html! { @for (name, class) in series { span class={ "key " (class) } { (name) } " " } },
        drawing: html! { @for (position, (_, class)) in series.iter().enumerate() { path class=(class) d=(path(position)) {} } },
        titles: sums
            .iter()
            .map(|counts| {
                let parts = series.iter().zip(counts).filter(|(_, count)| **count > 0);
                let parts: Vec<_> =
                    parts.map(|((name, _), count)| format!("{} {name}", grouped(*count))).collect();
                if parts.is_empty() { "no runs".to_owned() } else { parts.join(", ") }
            })
            .collect(),
        columns: series.iter().map(|(name, _)| *name).collect(),
        cells: sums.iter().map(|counts| counts.iter().map(|runs| count(*runs)).collect()).collect(),
    };
    frame.show(address)
}
