//! The day on which a failure rate rose: the change point of a binomial series.

use chrono::{Days, NaiveDate};

use crate::regression::proportion::Proportion;
use crate::regression::{Day, HISTORY_DAYS};

/// The first day of the higher rate: the day that splits the history up to `today` into two parts, each with
/// a rate of its own, with the greatest likelihood. `None` if no split with a higher later rate is more likely
/// than a single rate.
pub(super) fn onset(days: &[Day], today: NaiveDate) -> Option<NaiveDate> {
    let first = today - Days::new(HISTORY_DAYS);
    let days: Vec<_> = days.iter().filter(|day| day.day >= first && day.day <= today).collect();
    let total = days.iter().fold(Proportion::default(), |sum, day| sum.plus(day.failed));
    let mut before = Proportion::default();
    let mut best = (likelihood(total), None);
    for day in days {
        let numerator = total.numerator - before.numerator;
        let after = Proportion::new(numerator, total.denominator - before.denominator);
        if before.denominator > 0 && after.share() > before.share() {
            let likelihood = likelihood(before) + likelihood(after);
            if likelihood > best.0 {
                best = (likelihood, Some(day.day));
            }
        }
        before = before.plus(day.failed);
    }
    best.1
}

/// Log-likelihood of a count at its own rate.
fn likelihood(count: Proportion) -> f64 {
    let term = |part: i64| {
        if part == 0 { 0.0 } else { part as f64 * (part as f64 / count.denominator as f64).ln() }
    };
    term(count.numerator) + term(count.denominator - count.numerator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn onset_of(failures: &[(i64, i64)]) -> Option<u64> {
        let first = NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day");
        let days = (0..).zip(failures);
        let day = |(at, (failed, runs)): (u64, &(i64, i64))| Day {
            day: first + Days::new(at),
            failed: Proportion::new(*failed, *runs),
        };
        let days: Vec<_> = days.map(day).collect();
        let found = onset(&days, first + Days::new(failures.len().max(1) as u64 - 1))?;
        Some((found - first).num_days().unsigned_abs())
    }

    #[test]
    fn the_first_bad_day_splits_good_from_bad() {
        assert_eq!(onset_of(&[(1, 20), (0, 20), (2, 20), (9, 20), (8, 20)]), Some(3));
        assert_eq!(onset_of(&[(1, 20), (0, 20), (2, 20), (0, 20), (8, 9)]), Some(4));
    }

    #[test]
    fn a_falling_or_constant_rate_has_no_onset() {
        assert_eq!(onset_of(&[(9, 20), (9, 20), (1, 20), (1, 20)]), None);
        assert_eq!(onset_of(&[(2, 20), (2, 20), (2, 20)]), None);
        assert_eq!(onset_of(&[]), None);
    }
}
