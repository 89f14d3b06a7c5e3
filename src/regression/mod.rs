//! Detects scripts whose failure rate rose more than chance explains. Pure: counts by day in, evidence out.
//!
//! # Comparison
//! The first attempts of a window are compared with those of the 28 days before it: for each script, and
//! for each operating system and version of Proxmox VE that it runs on. A window is today so far, alone or
//! with the one, three or seven days before. Only successful and failed executions count. Days are UTC days,
//! as in the rollups, so the window `24h` covers 24 to 48 hours. The window `today` finds a bad morning that
//! a good yesterday would hide.
//!
//! # Test
//! Fisher's exact test, one-sided: given the number of failures in both periods, the probability that at
//! least as many fall into the window. Unlike tests based on the normal distribution, it is exact for small
//! counts. Barnard's and Boschloo's tests have a little more power, but maximise over an unknown rate in each
//! of thousands of tests. Fisher's test is conservative, which suits a test that runs many times a day.
//!
//! # Assumption
//! Executions must be independent. A failed script is often started again on the same host and fails again,
//! which caused four times as many false alarms in simulation; therefore only first attempts are compared.
//! Other dependence, such as a mirror that is down for a day, is estimated over all scripts: the counts are
//! divided by their overdispersion ([`mod@dispersion`]; Rao and Scott, 1992).
//!
//! # False discoveries
//! Thousands of tests run at once, so q values decide (Benjamini and Hochberg, 1995): on average, at most
//! [`FALSE_DISCOVERIES`] of the reported regressions are false. A rise must also be large enough to matter
//! ([`is_large_enough`]). `tests/it/regressions.rs` simulates the number of false alarms.

pub mod proportion;
pub mod dispersion;
mod discovery;
mod onset;
pub mod histories;

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};

use crate::regression::discovery::q_values;
use crate::regression::dispersion::dispersion;
use crate::regression::onset::onset;
use crate::regression::proportion::{Proportion, p_value};

/// Largest q value that is reported.
pub const FALSE_DISCOVERIES: f64 = 0.05;
/// Days before a window with which it is compared.
pub const BASELINE_DAYS: u64 = 28;
/// Days before today that the longest window and its baseline cover.
pub const HISTORY_DAYS: u64 = BASELINE_DAYS + 7;
/// Minimum number of executions in a window.
const MIN_RUNS: i64 = 10;
/// Minimum number of executions before it.
const MIN_BASELINE_RUNS: i64 = 20;
/// Minimum number of failures in a window.
const MIN_FAILURES: i64 = 5;
/// Minimum difference of the rates.
const MIN_RISE: f64 = 0.1;
/// Minimum ratio of the rates.
const MIN_RATIO: f64 = 1.5;

/// The executions of a script that are compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// All executions.
    Script,
    /// Executions on this operating system.
    Os(String),
    /// Executions on this version of Proxmox VE.
    Pve(String),
}

/// One day of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// UTC day.
    pub day: NaiveDate,
    /// Failed first attempts among those that succeeded or failed.
    pub failed: Proportion,
}

/// The history of a script or of a part of its executions. Days ascend; days without executions may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The script.
    pub app: String,
    /// The executions that are counted.
    pub scope: Scope,
    /// The days.
    pub days: Vec<Day>,
}

/// A period up to now that is compared with the time before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    /// Today so far.
    Today,
    /// Yesterday and today so far.
    Day,
    /// Three days and today so far.
    ThreeDays,
    /// Seven days and today so far.
    Week,
}

impl Window {
    /// All windows, shortest first.
    pub const ALL: [Self; 4] = [Self::Today, Self::Day, Self::ThreeDays, Self::Week];

    /// The name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::Day => "24h",
            Self::ThreeDays => "3d",
            Self::Week => "7d",
        }
    }

    /// Its weight among the tests. Short windows weigh more, because they contain fewer executions.
    const fn weight(self) -> f64 {
        match self {
            Self::Today | Self::Day => 2.0,
            Self::ThreeDays | Self::Week => 1.0,
        }
    }

    /// Its first day.
    #[must_use]
    pub fn first_day(self, today: NaiveDate) -> NaiveDate {
        let days = match self {
            Self::Today => 0,
            Self::Day => 1,
            Self::ThreeDays => 3,
            Self::Week => 7,
        };
        today - Days::new(days)
    }
}

/// A rise of a failure rate that chance does not explain.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The executions that are compared.
    pub scope: Scope,
    /// The window with the smallest p value.
    pub window: Window,
    /// The proportion of failures in the 28 days before the window.
    pub before: Proportion,
    /// The proportion of failures in the window.
    pub after: Proportion,
    /// Probability of this rise, or a greater one, by chance.
    pub p: f64,
    /// Expected share of false discoveries among all regressions with at most this q value.
    pub q: f64,
    /// The day on which the rate most likely rose.
    pub first_bad_day: NaiveDate,
}

/// A script that fails more often than before.
#[derive(Clone, Debug, PartialEq)]
pub struct Regression {
    /// The script.
    pub app: String,
    /// At most one entry per scope, smallest p value first; never empty.
    pub evidence: Vec<Evidence>,
}

/// The result of a search for regressions.
#[derive(Clone, Debug, PartialEq)]
pub struct Findings {
    /// Number of comparisons with enough executions.
    pub tested: usize,
    /// The overdispersion by which the counts were divided; 1 if executions are independent.
    pub dispersion: f64,
    /// Smallest p value first.
    pub regressions: Vec<Regression>,
}

/// Searches the series for regressions in these windows. The q values are computed over all windows, so they
/// do not depend on the choice.
#[must_use]
pub fn find(series: &[Series], today: NaiveDate, windows: &[Window]) -> Findings {
    let dispersion = dispersion(series.iter().filter(|series| series.scope == Scope::Script));
    let mut tests = Vec::<Test<'_>>::new();
    for series in series {
        for window in Window::ALL {
            let first = window.first_day(today);
            let before = sum(series, first - Days::new(BASELINE_DAYS), first);
            let after = sum(series, first, today + Days::new(1));
            if after.denominator < MIN_RUNS || before.denominator < MIN_BASELINE_RUNS {
                continue;
            }
            // A rise that would not be reported need not be tested. A p value of 1 favours no other test.
            let p = if is_large_enough(before, after) {
                p_value(before.shrunk(dispersion), after.shrunk(dispersion))
            } else {
                1.0
            };
            tests.push((series, window, before, after, p));
        }
    }
    let q_values = q_values_by_family(&tests);
    let mut scripts = BTreeMap::<&str, Vec<Evidence>>::new();
    for (&(series, window, before, after, p), q) in tests.iter().zip(q_values) {
        if q > FALSE_DISCOVERIES || p >= 1.0 || !windows.contains(&window) {
            continue;
        }
        let found = scripts.entry(&series.app).or_default();
        let first_bad_day = onset(&series.days, today).unwrap_or(window.first_day(today));
        let scope = series.scope.clone();
        let evidence = Evidence { scope, window, before, after, p, q, first_bad_day };
        match found.iter_mut().find(|other| other.scope == series.scope) {
            Some(other) if other.p <= p => {}
            Some(other) => *other = evidence,
            None => found.push(evidence),
        }
    }
    let mut regressions: Vec<_> = scripts
        .into_iter()
        .map(|(app, mut evidence)| {
            evidence.sort_by(|a, b| a.p.total_cmp(&b.p));
            Regression { app: app.to_owned(), evidence }
        })
        .collect();
    regressions.sort_by(|a, b| a.evidence[0].p.total_cmp(&b.evidence[0].p));
    Findings { tested: tests.len(), dispersion, regressions }
}

/// A comparison: series, window, before, after, p value.
type Test<'a> = (&'a Series, Window, Proportion, Proportion, f64);

/// The q value of each test. Scripts and their parts are separate families, so that the many tests of parts do
/// not raise the q values of scripts.
fn q_values_by_family(tests: &[Test<'_>]) -> Vec<f64> {
    let mut all = vec![1.0; tests.len()];
    for is_script in [true, false] {
        let family: Vec<_> =
            (0..tests.len()).filter(|test| (tests[*test].0.scope == Scope::Script) == is_script).collect();
        let weighted: Vec<_> = family.iter().map(|test| (tests[*test].4, tests[*test].1.weight())).collect();
        for (test, q) in family.into_iter().zip(q_values(&weighted)) {
            all[test] = q;
        }
    }
    all
}

/// Whether a rise is large enough to be reported: by ten percentage points, to one and a half times the rate
/// before, with at least five failures.
#[must_use]
pub fn is_large_enough(before: Proportion, after: Proportion) -> bool {
    let (old, new) = (before.share(), after.share());
    after.numerator >= MIN_FAILURES && new - old >= MIN_RISE && new >= old * MIN_RATIO
}

/// The sum of the days from `first` up to, but not including, `end`.
fn sum(series: &Series, first: NaiveDate, end: NaiveDate) -> Proportion {
    let before = series.days.partition_point(|day| day.day < first);
    let days = series.days[before..].iter().take_while(|day| day.day < end);
    days.fold(Proportion::default(), |sum, day| sum.plus(day.failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> NaiveDate {
        "2026-03-31".parse().expect("a day")
    }

    /// A series of `(failed, executions)` by day that ends today.
    fn series(app: &str, scope: Scope, days: &[(i64, i64)]) -> Series {
        let first = today() - Days::new(days.len() as u64 - 1);
        let days = first.iter_days().zip(days);
        let day = |(day, (failed, runs)): (NaiveDate, &(i64, i64))| Day {
            day,
            failed: Proportion::new(*failed, *runs),
        };
        Series { app: app.to_owned(), scope, days: days.map(day).collect() }
    }

    #[test]
    fn a_rise_is_detected_with_its_first_day_and_its_scope() {
        let calm = [(1, 20); 36];
        let mut bad = calm;
        bad[34..].fill((8, 20));
        let mut on_alpine = [(0, 5); 36];
        on_alpine[34..].fill((5, 5));
        let found = find(
            &[
                series("calm", Scope::Script, &calm),
                series("bad", Scope::Script, &bad),
                series("bad", Scope::Os("alpine".to_owned()), &on_alpine),
            ],
            today(),
            &Window::ALL,
        );
        assert_eq!(found.regressions.len(), 1);
        let [first, second] = &found.regressions[0].evidence[..] else { panic!("two scopes: {found:#?}") };
        assert_eq!((&first.scope, first.window), (&Scope::Os("alpine".to_owned()), Window::Day));
        assert_eq!((first.before, first.after), (Proportion::new(0, 140), Proportion::new(10, 10)));
        assert_eq!(first.first_bad_day, today() - Days::new(1));
        assert_eq!(second.scope, Scope::Script);
        assert!(first.p < second.p && first.p <= first.q && second.q < 0.05);
    }

    #[test]
    fn small_rises_and_rare_scripts_are_not_reported() {
        let mut slight = [(100, 1000); 36];
        slight[30..].fill((180, 1000));
        let mut rare = [(0, 1); 36];
        rare[32..].fill((1, 1));
        let found = find(
            &[series("slight", Scope::Script, &slight), series("rare", Scope::Script, &rare)],
            today(),
            &Window::ALL,
        );
        assert_eq!(found.regressions, []);
    }

    #[test]
    fn a_window_that_is_not_selected_still_counts_as_a_test() {
        let mut bad = [(1, 20); 36];
        bad[35] = (15, 20);
        let bad = [series("bad", Scope::Script, &bad)];
        let (all, today_only) = (find(&bad, today(), &Window::ALL), find(&bad, today(), &[Window::Today]));
        assert_eq!(all.tested, today_only.tested);
        assert_eq!(today_only.regressions[0].evidence[0].window, Window::Today);
        assert_eq!(all.regressions[0].evidence[0].q, today_only.regressions[0].evidence[0].q);
    }
}
