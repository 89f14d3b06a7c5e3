//! Scripts whose failure rate rose beyond chance. Pure: counts by day in, evidence out.
//!
//! # What is compared
//! The first attempts of a window (today so far, and with it the whole day, three days and seven days
//! before) with those of the 28 days before that window, for each script, and within it for each
//! operating system and version of Proxmox VE. Only success and failure count. Days are UTC days, as
//! in the rollups: so the window `24h` holds the last 24 hours and up to 24 more, and `today` is
//! looked at besides, so that a bad morning is not hidden behind a good yesterday.
//!
//! # The test
//! Fisher's exact test, one-sided: given how many runs failed in both periods, how likely is it that
//! so many or more of them fell into the window. It is exact however few runs there are, where tests
//! by the normal distribution are far off. Barnard's and Boschloo's tests find a little more, but
//! maximise over an unknown rate for each of thousands of tests; that Fisher's is the more cautious
//! one is welcome, because we look many times a day.
//!
//! # What it assumes
//! Independent runs. Who fails tries again on the same host and fails again, which in simulation made
//! four times as many false alarms; so only first attempts are compared. What remains (a mirror that
//! is down for a day) is estimated over all scripts: by how much more days vary than chance lets them,
//! the counts are divided ([`mod@dispersion`]; Rao and Scott, 1992).
//!
//! # How many are false
//! Thousands of tests are made at once, so q values decide (Benjamini and Hochberg, 1995): of what is
//! reported at most [`FALSE_DISCOVERIES`] is false on average. And chance is not all: a rise must also
//! matter ([`is_worth_telling`]). `tests/it/regressions.rs` simulates what that comes to.

pub mod proportion;
pub mod dispersion;
mod discovery;
mod onset;
pub mod series;

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};

use crate::regression::discovery::q_values;
use crate::regression::dispersion::dispersion;
use crate::regression::onset::onset;
use crate::regression::proportion::{Proportion, p_value};

/// Bound of the q values.
pub const FALSE_DISCOVERIES: f64 = 0.05;
/// Days before a window that it is compared with.
pub const BASELINE_DAYS: u64 = 28;
/// Days before today that any window or its baseline reaches back.
pub const HISTORY_DAYS: u64 = BASELINE_DAYS + 7;
/// Fewest runs in a window.
const MIN_RUNS: i64 = 10;
/// Fewest runs before it.
const MIN_BASELINE_RUNS: i64 = 20;
/// Fewest failures in a window.
const MIN_FAILURES: i64 = 5;
/// Smallest rise of the rate.
const MIN_RISE: f64 = 0.1;
/// Smallest ratio of the rates.
const MIN_RATIO: f64 = 1.5;

/// Which runs of a script are looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// All of them.
    Script,
    /// Those on an operating system.
    Os(String),
    /// Those on a version of Proxmox VE.
    Pve(String),
}

/// One day of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// UTC day.
    pub day: NaiveDate,
    /// Failed among succeeded and failed first attempts.
    pub failed: Proportion,
}

/// The history of some runs of a script; days ascend, those without runs may be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The script.
    pub app: String,
    /// Which of its runs.
    pub scope: Scope,
    /// The days.
    pub days: Vec<Day>,
}

/// What is compared with the time before.
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
    /// All, shortest first.
    pub const ALL: [Self; 4] = [Self::Today, Self::Day, Self::ThreeDays, Self::Week];

    /// The name that is published.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::Day => "24h",
            Self::ThreeDays => "3d",
            Self::Week => "7d",
        }
    }

    /// Its weight among the tests: a long window has time to become clear, a short one has not.
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

/// A rise that chance does not explain.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Which runs of the script.
    pub scope: Scope,
    /// The window in which the rise is clearest.
    pub window: Window,
    /// The 28 days before it.
    pub before: Proportion,
    /// The window.
    pub after: Proportion,
    /// Probability of such a rise, or a greater one, by chance.
    pub p: f64,
    /// Share of false ones among all that are at least as clear.
    pub q: f64,
    /// The day from which on the rate is best explained as higher.
    pub first_bad_day: NaiveDate,
}

/// A script that fails more than before.
#[derive(Clone, Debug, PartialEq)]
pub struct Regression {
    /// The script.
    pub app: String,
    /// Clearest first, never empty: at most one for each scope.
    pub evidence: Vec<Evidence>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Findings {
    /// Comparisons that had enough runs.
    pub tested: usize,
    /// By what the counts were divided; 1 if runs are independent.
    pub dispersion: f64,
    /// Clearest first.
    pub regressions: Vec<Regression>,
}

/// Compares every series in every window of `windows` with its past. The q values are always over all
/// windows, so that choosing some changes nothing about the others.
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
            // What would not be told anyway need not be computed; a greater p harms no other test.
            let p = if is_worth_telling(before, after) {
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

/// A comparison: what, when, before, after, p.
type Test<'a> = (&'a Series, Window, Proportion, Proportion, f64);

/// Scripts are one family of tests and their parts another, so that the many parts do not hide a script.
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

/// Whether a rise matters, be it chance or not: ten percentage points, half as much again, and five
/// failures.
#[must_use]
pub fn is_worth_telling(before: Proportion, after: Proportion) -> bool {
    let (old, new) = (before.share(), after.share());
    after.numerator >= MIN_FAILURES && new - old >= MIN_RISE && new >= old * MIN_RATIO
}

/// From a day up to, not with, another.
fn sum(series: &Series, first: NaiveDate, end: NaiveDate) -> Proportion {
    let days = series.days.iter().filter(|day| day.day >= first && day.day < end);
    days.fold(Proportion::default(), |sum, day| sum.plus(day.failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> NaiveDate {
        "2026-03-31".parse().expect("a day")
    }

    /// `failed` of `runs` runs on each of the days, which end today.
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
    fn a_rise_is_found_with_its_first_day_and_its_scope() {
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
    fn small_rises_and_few_runs_are_not_told() {
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
    fn a_window_that_is_not_asked_for_still_counts_as_a_test() {
        let mut bad = [(1, 20); 36];
        bad[35] = (15, 20);
        let bad = [series("bad", Scope::Script, &bad)];
        let (all, today_only) = (find(&bad, today(), &Window::ALL), find(&bad, today(), &[Window::Today]));
        assert_eq!(all.tested, today_only.tested);
        assert_eq!(today_only.regressions[0].evidence[0].window, Window::Today);
        assert_eq!(all.regressions[0].evidence[0].q, today_only.regressions[0].evidence[0].q);
    }
}
