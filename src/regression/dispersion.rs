//! How much more the failures of a day vary than those of independent runs.

use crate::regression::Series;

/// A day with fewer runs says little about clusters.
const MIN_RUNS: i64 = 5;
/// With fewer days in all nothing is said.
const MIN_DAYS: f64 = 50.0;
/// A day of a script weighs at most so many times what chance makes of it: an incident is no
/// dispersion.
const MAX_RATIO: f64 = 16.0;

/// Pearson's chi-square of the days of each script around its own rate, over all scripts, by degrees
/// of freedom; at least 1.
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

    /// Rate 0.2, variance 16, standard deviation 4. By hand: every day one deviation off is 1 (a little
    /// more, as one degree of freedom is the rate's), two deviations off is 4.
    #[test]
    fn it_is_the_variance_by_that_of_chance() {
        let off = |by: i64| (0..100).map(move |day| if day % 2 == 0 { 20 - by } else { 20 + by });
        let found = dispersion([series(off(4))].iter());
        assert!((found - 100.0 / 99.0).abs() < 1e-9, "{found}");
        let found = dispersion([series(off(8))].iter());
        assert!((found - 400.0 / 99.0).abs() < 1e-9, "{found}");
    }

    #[test]
    fn it_is_never_below_one_nor_made_of_a_few_days() {
        assert_eq!(dispersion([series((0..100).map(|_| 20))].iter()), 1.0);
        assert_eq!(dispersion([series([0, 80].into_iter())].iter()), 1.0);
        assert_eq!(dispersion([].iter()), 1.0);
    }
}
