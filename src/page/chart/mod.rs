//! Charts as SVG, each with its data as a table behind it.
//!
//! A drawing is stretched to the width of the page, so it contains no text: labels are HTML around it. It is hidden
//! from screen readers and from the tabulator key, because the table has the same numbers and links.

pub mod period;
pub mod stacked;
pub mod rate;
pub mod spark;
pub mod bar;

use chrono::{DateTime, NaiveDate, Utc};
use maud::{Markup, html};

use crate::page::address::Address;
use crate::page::chart::period::Period;

/// Width of the drawing of a period.
const STEP: usize = 10;
/// Height of a drawing.
const HEIGHT: f64 = 100.0;

/// The parts of a chart around its drawing.
struct Frame<'a> {
    title: &'a str,
    /// Label of the upper edge.
    top: String,
    periods: &'a [Period],
    as_of: DateTime<Utc>,
    /// What the colours mean.
    legend: Markup,
    /// The content of the drawing.
    drawing: Markup,
    /// A text for each period.
    titles: Vec<String>,
    /// Names of the columns of the table, and the cells of each period.
    columns: Vec<&'a str>,
    cells: Vec<Vec<Markup>>,
}

impl Frame<'_> {
    /// The chart. Each period links to `address` with its days.
    fn show(self, address: &Address) -> Markup {
        let width = self.periods.len().max(1) * STEP;
        let (first, last) = (self.periods.first(), self.periods.last());
        let links: Vec<_> = self.periods.iter().map(|period| period.link(address)).collect();
        let is_open = |period: &Period| period.last >= self.as_of.date_naive();
        html! {
            figure.chart {
                figcaption { (self.title) " " span.legend { (self.legend) } }
                div.plot {
                    div.scale { span { (self.top) } span { "0" } }
                    svg viewBox=(format!("0 0 {width} {HEIGHT}")) preserveAspectRatio="none" aria-hidden="true" {
                        (self.drawing)
                        @for (position, ((period, link), title)) in self.periods.iter().zip(&links).zip(&self.titles).enumerate() {
                            a href=(link) tabindex="-1" {
                                title { (period.label()) ": " (title) }
                                path.hit.part[is_open(period)] d=(format!("M{} 0h{STEP}v{HEIGHT}h-{STEP}z", position * STEP)) {}
                            }
                        }
                    }
                }
                @if let (Some(first), Some(last)) = (first, last) {
                    div.dates {
                        span { (first.first) }
                        span { (last.last) @if is_open(last) { " (until " (self.as_of.format("%H:%M")) " UTC)" } }
                    }
                }
                details {
                    summary { "As a table" }
                    div.scroll tabindex="0" role="region" aria-label=(self.title) {
                        table {
                            thead { tr { th scope="col" { "UTC day" } @for column in &self.columns { th.number scope="col" { (column) } } } }
                            tbody {
                                @for ((period, link), cells) in self.periods.iter().zip(&links).zip(&self.cells) {
                                    tr {
                                        th scope="row" { a href=(link) { (period.label()) } @if is_open(period) { " so far" } }
                                        @for cell in cells { td.number { (cell) } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The smallest round number that is not below `value`.
fn round_up(value: i64) -> i64 {
    let mut size = 1_i64;
    loop {
        for factor in [1, 2, 3, 4, 5, 6, 8] {
            if size.saturating_mul(factor) >= value {
                return size.saturating_mul(factor);
            }
        }
        size = size.saturating_mul(10);
    }
}

/// A coordinate with one decimal.
fn coordinate(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The days from the first to the last one; at most 3660.
fn days(first: NaiveDate, last: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    first.iter_days().take_while(move |day| *day <= last).take(3660)
}
