//! Overdispersion: how much more the failures of a day vary than those of independent executions.

use crate::regression::Series;

/// Days with fewer executions are ignored.
const MIN_RUNS: i64 = 5;
/// Degrees of freedom below which no overdispersion is assumed.
const MIN_DAYS: f64 = 50.0;
/// Largest contribution of one day of one script, as a multiple of its expectation. An incident is not
/// overdispersion.
const MAX_RATIO: f64 = 16.0;

/// Pearson's chi-square of the days of each script around the rate of that script, summed over all scripts and
/// divided by the degrees of freedom; at least 1.
#[must_use]
pub fn dispersion<'a>(series: impl Iterator<Item = &'a Series>) -> f64 {
    let (mut chi_square, mut freedom) = (0.0, 0.0);
    for series in series {
        let days = || series.days.iter().map(|day| day.failed).filter(|day| day.denominator >= MIN_RUNS);
        let runs: i64 = days().map(|day| day.denominator).sum();
        let failed: i64 = days().map(|day| day.numerator).sum();
        if failed == 0 || failed == runs {
            continue;
        }
        let rate = failed as f64 / runs as f64;
        let ratio = |numerator: i64, denominator: i64| {
            let runs = denominator as f64;
            (numerator as f64 - runs * rate).powi(2) / (runs * rate * (1.0 - rate))
        };
        chi_square += days().map(|day| ratio(day.numerator, day.denominator).min(MAX_RATIO)).sum::<f64>();
        freedom += days().count() as f64 - 1.0;
    }
    if freedom < MIN_DAYS { 1.0 } else { (chi_square / freedom).max(1.0) }
}

#[cfg(test)]
mod tests {
    use chrono::{Days, NaiveDate};

    use super::*;
    use crate::regression::proportion::Proportion;
    use crate::regression::{Day, Scope};

    fn series(failures: impl Iterator<Item = i64>) -> Series {
        let first = NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day");
        let day = |(at, failed)| Day { day: first + Days::new(at), failed: Proportion::new(failed, 100) };
        Series { app: "x".to_owned(), scope: Scope::Script, days: (0..).zip(failures).map(day).collect() }
    }

    /// Computed by hand: the rate is 0.2, the variance 16 and the standard deviation 4. If every day is one
    /// deviation off, the result is 1, if it is two deviations off, 4. Both are a little more, because estimating
    /// the rate takes one degree of freedom.
    #[test]
    fn it_is_the_ratio_of_the_variance_to_that_of_chance() {
        let off = |by: i64| (0..100).map(move |day| if day % 2 == 0 { 20 - by } else { 20 + by });
        let found = dispersion([series(off(4))].iter());
        assert!((found - 100.0 / 99.0).abs() < 1e-9, "{found}");
        let found = dispersion([series(off(8))].iter());
        assert!((found - 400.0 / 99.0).abs() < 1e-9, "{found}");
    }

    #[test]
    fn it_is_one_for_small_variance_and_for_few_days() {
        assert_eq!(dispersion([series((0..100).map(|_| 20))].iter()), 1.0);
        assert_eq!(dispersion([series([0, 80].into_iter())].iter()), 1.0);
        assert_eq!(dispersion([].iter()), 1.0);
    }
}
