//! A rate over time, with the band in which it lies with a probability of 95 %.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use maud::{Markup, html};

use super::{Frame, HEIGHT, STEP, coordinate};
use crate::expose::numbers::Rate;
use crate::page::address::Address;
use crate::page::chart::period::Period;
use crate::page::number;

/// The 97.5th percentile of the normal distribution.
const Z: f64 = 1.96;
/// Labels of the upper edge, as shares.
const TOPS: [f64; 6] = [0.05, 0.1, 0.2, 0.4, 0.6, 1.0];

/// Numerator and denominator by UTC day.
pub type Shares = BTreeMap<NaiveDate, (i64, i64)>;

/// A rate over some periods; `unit` names it in the table.
#[must_use]
pub fn rate(
    title: &str,
    unit: &str,
    shares: &Shares,
    periods: &[Period],
    as_of: DateTime<Utc>,
    address: &Address,
) -> Markup {
    let rates: Vec<Rate> = periods
        .iter()
        .map(|period| {
            let within = shares.range(period.first..=period.last);
            let sum = within.fold((0, 0), |sum, (_, share)| (sum.0 + share.0, sum.1 + share.1));
            Rate::of(sum.0, sum.1)
        })
        .collect();
    // Few runs have no rate, so the line leaves them out.
    let points: Vec<_> = rates
        .iter()
        .enumerate()
        .filter_map(|(position, rate)| Some((position * STEP + STEP / 2, rate.rate?, interval(rate))))
        .collect();
    let highest = points.iter().map(|(_, rate, _)| *rate).fold(0.0, f64::max);
    let top = TOPS.into_iter().find(|top| *top >= highest).unwrap_or(1.0);
    let y = |share: f64| coordinate(HEIGHT - share.min(top) / top * HEIGHT);
    let line: Vec<_> = points.iter().map(|(x, rate, _)| format!("{x} {}", y(*rate))).collect();
    let upper = points.iter().map(|(x, _, band)| format!("{x} {}", y(band.1)));
    let lower = points.iter().rev().map(|(x, _, band)| format!("{x} {}", y(band.0)));
    let band: Vec<_> = upper.chain(lower).collect();
    let frame = Frame {
        title,
        top: format!("{:.0} %", top * 100.0),
        periods,
        as_of,
        legend: html! { "with the range that chance explains (95 %); periods with fewer than ten runs are left out" },
        drawing: html! {
            @if !points.is_empty() {
                path.band d={ "M" (band.join("L")) "z" } {}
                path.line d={ "M" (line.join("L")) } {}
                path.dots d={ @for point in &line { "M" (point) "h0" } } {}
            }
        },
        titles: rates
            .iter()
            .map(|rate| {
                let of =
                    format!("{} of {}", number::grouped(rate.numerator), number::grouped(rate.denominator));
                rate.rate.map_or_else(|| of.clone(), |share| format!("{} ({of})", number::percent(share)))
            })
            .collect(),
        columns: vec![unit],
        cells: rates.iter().map(|rate| vec![number::rate(rate)]).collect(),
    };
    frame.show(address)
}

/// The Wilson score interval of a rate.
fn interval(rate: &Rate) -> (f64, f64) {
    let (runs, share) = (rate.denominator as f64, rate.numerator as f64 / rate.denominator as f64);
    let centre = share + Z * Z / (2.0 * runs);
    let spread = Z * (share * (1.0 - share) / runs + Z * Z / (4.0 * runs * runs)).sqrt();
    let scale = 1.0 + Z * Z / runs;
    (((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_is_the_wilson_interval() {
        let (low, high) = interval(&Rate::of(10, 100));
        assert!((low - 0.0552).abs() < 0.0001 && (high - 0.1744).abs() < 0.0001, "{low} {high}");
        assert!(interval(&Rate::of(0, 20)).0 < 1e-9);
    }
}
