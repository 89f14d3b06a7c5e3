//! Numbers as they are published.

use serde::Serialize;

/// Fewer runs say nothing about a rate.
const ENOUGH: i64 = 10;

/// A share with what it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// 0 to 1; `null` below 10 runs.
    pub rate: Option<f64>,
    /// Runs that are meant.
    pub numerator: i64,
    /// Runs among which they are looked for.
    pub denominator: i64,
}

impl Rate {
    /// The share of `numerator` in `denominator`.
    #[must_use]
    pub fn of(numerator: i64, denominator: i64) -> Self {
        let rate = (denominator >= ENOUGH)
            .then(|| (numerator as f64 / denominator as f64 * 10_000.0).round() / 10_000.0);
        Self { rate, numerator, denominator }
    }
}
