//! How numbers are published: rates, quantiles, series without gaps, ids.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::model::names::{RARE, RARE_SIGNATURE};
use crate::store::model::rollup::bucket_seconds;
use crate::store::read::causes::ExitCodeCount;
use crate::store::read::counts::{DayCount, DurationCount, ScriptCount};

/// Fewest runs for which a rate is published.
const ENOUGH: i64 = 10;

/// A share with its numerator and denominator.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Rate {
    /// `numerator / denominator`, 0 to 1; `null` if the denominator is below 10.
    pub rate: Option<f64>,
    /// The runs that are counted.
    pub numerator: i64,
    /// All runs that the share refers to.
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

/// A ratio rounded to two decimals; 0 if the denominator is 0.
#[must_use]
pub fn ratio(numerator: i64, denominator: i64) -> f64 {
    if denominator == 0 { 0.0 } else { (numerator as f64 * 100.0 / denominator as f64).round() / 100.0 }
}

/// A percentage rounded to two decimals; 0 if the denominator is 0.
#[must_use]
pub fn percent(numerator: i64, denominator: i64) -> f64 {
    ratio(numerator * 100, denominator)
}

/// The duration in seconds that this share of the runs did not exceed; `None` without runs.
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

/// The period of the same length before another, with its first and last day.
#[must_use]
pub fn period_before((first, last): (NaiveDate, NaiveDate)) -> (NaiveDate, NaiveDate) {
    let length = Days::new((last - first).num_days().max(0).unsigned_abs() + 1);
    (first.checked_sub_days(length).unwrap_or(first), first.pred_opt().unwrap_or(first))
}

/// Order of the label of a class of sizes, such as `3-4` or `17+`: its smallest size.
#[must_use]
pub fn size_order(label: &str) -> i64 {
    let digits = label.find(|c: char| !c.is_ascii_digit()).map_or(label, |end| &label[..end]);
    digits.parse().unwrap_or(i64::MAX)
}

/// Runs of one day by outcome.
pub type ByOutcome<'a> = BTreeMap<&'a str, i64>;

/// One value for each day from `first` to `last`, including days without runs.
pub fn each_day<'a, T>(
    (first, last): (NaiveDate, NaiveDate),
    counts: impl Iterator<Item = (NaiveDate, &'a str, i64)>,
    value: impl Fn(NaiveDate, &ByOutcome<'a>) -> T,
) -> Vec<T> {
    let mut days = BTreeMap::<NaiveDate, ByOutcome<'a>>::new();
    for (day, outcome, runs) in counts {
        *days.entry(day).or_default().entry(outcome).or_default() += runs;
    }
    let dates = first.iter_days().take_while(|date| *date <= last);
    dates.map(|date| value(date, days.entry(date).or_default())).collect()
}

/// Adds up the runs of each key, most frequent first.
#[must_use]
pub fn most_frequent<'a>(rows: impl Iterator<Item = (&'a str, i64)>) -> Vec<(&'a str, i64)> {
    let mut sums = BTreeMap::<_, i64>::new();
    for (key, runs) in rows {
        *sums.entry(key).or_default() += runs;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, runs)| -runs);
    sums
}

/// The published id of a signature: 16 hexadecimal digits, or `(rare)` for all rare ones together.
#[must_use]
pub fn hexadecimal(id: i64) -> String {
    if id == RARE_SIGNATURE { RARE.to_owned() } else { format!("{id:016x}") }
}

/// Parses an id that [`hexadecimal`] printed; `None` for anything else.
#[must_use]
pub fn parse_hexadecimal(text: &str) -> Option<i64> {
    let is_id = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then(|| u64::from_str_radix(text, 16).ok())?.map(u64::cast_signed)
}

/// Counts that several answers need: all of one moment and one filter.
#[derive(Debug)]
pub struct RunCounts {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// First and last day of the daily series.
    pub days_shown: (NaiveDate, NaiveDate),
    /// Runs by script, and by type.
    pub scripts: Vec<ScriptCount>,
    /// Runs by day and outcome.
    pub days: Vec<DayCount>,
    /// Failed, blocked and aborted runs by exit code.
    pub exit_codes: Vec<ExitCodeCount>,
}

impl RunCounts {
    /// One value for each day shown.
    pub(super) fn each_day<T>(&self, value: impl Fn(NaiveDate, &ByOutcome<'_>) -> T) -> Vec<T> {
        let counts = self.days.iter().map(|row| (row.day, row.outcome.as_str(), row.runs));
        each_day(self.days_shown, counts, value)
    }
}

/// The total over the types of scripts among these counts.
#[must_use]
pub fn total(counts: &[ScriptCount]) -> ScriptCount {
    counts.iter().filter(|row| row.app.is_none()).fold(ScriptCount::default(), |sum, row| ScriptCount {
        scripts: sum.scripts + row.scripts,
        unattributed: sum.unattributed + row.unattributed,
        runs: sum.runs + row.runs,
        running: sum.running + row.running,
        success: sum.success + row.success,
        failed: sum.failed + row.failed,
        blocked: sum.blocked + row.blocked,
        aborted: sum.aborted + row.aborted,
        duration_count: sum.duration_count + row.duration_count,
        duration_sum: sum.duration_sum + row.duration_sum,
        ..sum
    })
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
        let counts = [(1, "failed", 9), (3, "failed", 2), (3, "success", 3), (5, "success", 4)];
        let counts = counts.into_iter().map(|(date, outcome, runs)| (day(date), outcome, runs));
        let runs = |by: &ByOutcome<'_>, outcome| by.get(outcome).copied().unwrap_or_default();
        let shown = each_day((day(2), day(5)), counts, |_, by| (runs(by, "success"), runs(by, "failed")));
        assert_eq!(shown, [(0, 0), (3, 2), (0, 0), (4, 0)]);
    }

    #[test]
    fn a_percentage_of_nothing_is_zero_and_a_rate_of_few_runs_is_null() {
        assert_eq!(percent(0, 0), 0.0);
        assert_eq!(percent(1, 3), 33.33);
        assert_eq!(Rate::of(3, 9), Rate { rate: None, numerator: 3, denominator: 9 });
        assert_eq!(Rate::of(3, 10).rate, Some(0.3));
    }

    #[test]
    fn the_period_before_is_as_long_and_ends_a_day_earlier() {
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        let before = period_before((day("2026-03-01"), day("2026-03-07")));
        assert_eq!(before, (day("2026-02-22"), day("2026-02-28")));
        let today = (day("2026-03-01"), day("2026-03-01"));
        assert_eq!(period_before(today), (day("2026-02-28"), day("2026-02-28")));
    }

    #[test]
    fn classes_of_sizes_are_sorted_by_size() {
        let mut labels = ["17+", "0", "3-4", "16385-32768", "513-1024"];
        labels.sort_by_key(|label| size_order(label));
        assert_eq!(labels, ["0", "3-4", "17+", "513-1024", "16385-32768"]);
    }

    #[test]
    fn an_id_round_trips() {
        for id in [2, 1, -1, i64::MIN, i64::MAX] {
            assert_eq!(parse_hexadecimal(&hexadecimal(id)), Some(id));
        }
        assert_eq!(hexadecimal(RARE_SIGNATURE), RARE);
        for text in ["", "1", "zzzzzzzzzzzzzzzz", "+000000000000001", "00000000000000001", "ABCDEF0123456789"]
        {
            assert_eq!(parse_hexadecimal(text), None, "{text}");
        }
    }
}
