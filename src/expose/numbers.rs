//! How numbers are published: rates, quantiles, days without gaps.

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::model::rollup::bucket_seconds;
use crate::store::read::counts::{DayCount, DurationCount, ScriptCount};

/// Fewer runs than this tell nothing about a rate.
const ENOUGH: i64 = 10;

/// A share with what it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
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

/// A ratio to two digits; 0 over nothing.
#[must_use]
pub fn ratio(numerator: i64, denominator: i64) -> f64 {
    if denominator == 0 { 0.0 } else { (numerator as f64 * 100.0 / denominator as f64).round() / 100.0 }
}

/// A share of 100 to two digits, as today's readers expect it; 0 over nothing.
#[must_use]
pub fn percent(numerator: i64, denominator: i64) -> f64 {
    ratio(numerator * 100, denominator)
}

/// The duration in seconds below which this share of the runs lies; `None` without runs.
#[must_use]
pub fn quantile(counts: &[DurationCount], share: f64) -> Option<f64> {
    let total: i64 = counts.iter().map(|row| row.runs).sum();
    let rank = (total as f64 * share).ceil() as i64;
    let mut seen = 0;
    let bucket = counts.iter().find(|row| {
        seen += row.runs;
        seen >= rank
    })?;
    Some((bucket_seconds(bucket.bucket) * 10.0).round() / 10.0)
}

/// One value a day, days without runs included; `counts` are by day.
pub fn each_day<T>(
    (first, last): (NaiveDate, NaiveDate),
    counts: &[DayCount],
    value: impl Fn(NaiveDate, &dyn Fn(&str) -> i64) -> T,
) -> Vec<T> {
    let days = first.iter_days().take_while(|date| *date <= last);
    let mut rest = counts;
    days.map(|date| {
        let begin = rest.partition_point(|row| row.day < date);
        rest = rest.get(begin..).unwrap_or_default();
        let of_day = rest.get(..rest.partition_point(|row| row.day == date)).unwrap_or_default();
        value(date, &|outcome| of_day.iter().filter(|row| row.outcome == outcome).map(|row| row.runs).sum())
    })
    .collect()
}

/// The totals of all types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "as in ScriptCount")]
pub struct Totals {
    pub scripts: i64,
    pub unattributed: i64,
    pub runs: i64,
    pub running: i64,
    pub unfinished: i64,
    pub success: i64,
    pub failed: i64,
    pub blocked: i64,
    pub aborted: i64,
    pub duration_count: i64,
    pub duration_sum: i64,
}

impl Totals {
    /// Adds up the totals among these counts.
    #[must_use]
    pub fn of(counts: &[ScriptCount]) -> Self {
        counts.iter().filter(|row| row.app.is_none()).fold(Self::default(), |sum, row| Self {
            scripts: sum.scripts + row.scripts,
            unattributed: sum.unattributed + row.unattributed,
            runs: sum.runs + row.runs,
            running: sum.running + row.running,
            unfinished: sum.unfinished + row.unfinished(),
            success: sum.success + row.success,
            failed: sum.failed + row.failed,
            blocked: sum.blocked + row.blocked,
            aborted: sum.aborted + row.aborted,
            duration_count: sum.duration_count + row.duration_count,
            duration_sum: sum.duration_sum + row.duration_sum,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_bucket_that_holds_the_rank() {
        let counts = |pairs: &[(i16, i64)]| -> Vec<_> {
            pairs.iter().map(|(bucket, runs)| DurationCount { bucket: *bucket, runs: *runs }).collect()
        };
        assert_eq!(quantile(&counts(&[]), 0.5), None);
        assert_eq!(quantile(&counts(&[(16, 1)]), 0.95), Some(4.2));
        assert_eq!(quantile(&counts(&[(16, 50), (40, 50)]), 0.5), Some(4.2));
        assert_eq!(quantile(&counts(&[(16, 49), (40, 51)]), 0.5), Some(33.4));
    }

    #[test]
    fn days_without_runs_are_shown() {
        let day = |day| NaiveDate::from_ymd_opt(2026, 3, day).expect("a day");
        let count =
            |date, outcome: &str, runs| DayCount { day: day(date), outcome: outcome.to_owned(), runs };
        let counts =
            [count(1, "failed", 9), count(3, "failed", 2), count(3, "success", 3), count(5, "success", 4)];
        let shown = each_day((day(2), day(5)), &counts, |_, of| (of("success"), of("failed")));
        assert_eq!(shown, [(0, 0), (3, 2), (0, 0), (4, 0)]);
    }

    #[test]
    fn a_rate_over_nothing_is_zero_and_one_over_little_is_null() {
        assert_eq!(percent(0, 0), 0.0);
        assert_eq!(percent(1, 3), 33.33);
        assert_eq!(Rate::of(3, 9), Rate { rate: None, numerator: 3, denominator: 9 });
        assert_eq!(Rate::of(3, 10).rate, Some(0.3));
    }
}
