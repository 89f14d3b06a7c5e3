//! The power and the false alarms of the detection of regressions, by simulation: months of 600 scripts in which
//! nothing changes, and scripts that begin to fail. The seeds of all random numbers are fixed.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};
use telemetry_server::regression::proportion::Proportion;
use telemetry_server::regression::{Day, Findings, HISTORY_DAYS, Scope, Series, Window, find};

const SCRIPTS: usize = 600;
/// Simulated days on which regressions are searched for.
const DAYS: u64 = 120;
/// Searches per day.
const LOOKS: usize = 4;
/// Sessions per day over all scripts, as in a database of 5,000,000 executions over 400 days.
const SESSIONS: f64 = 11_000.0;
const HISTORY: usize = HISTORY_DAYS as usize;
const SYSTEMS: [&str; 3] = ["debian", "ubuntu", "alpine"];
const VERSIONS: [&str; 3] = ["8.4", "9.0", "9.1"];

fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day")
}

/// Failed and ended executions by day and part of the day.
#[derive(Clone, Default)]
struct Counts(Vec<[(u32, u32); LOOKS]>);

impl Counts {
    fn add(&mut self, day: usize, part: usize, failed: bool) {
        if self.0.len() <= day {
            self.0.resize(day + 1, <_>::default());
        }
        let count = &mut self.0[day][part];
        *count = (count.0 + u32::from(failed), count.1 + 1);
    }

    /// The history as it is known after `parts` parts of day `today`.
    fn series(&self, app: &str, scope: Scope, today: usize, parts: usize) -> Series {
        let days = (today.saturating_sub(HISTORY)..=today).filter_map(|day| {
            let parts = if day == today { parts } else { LOOKS };
            let counted = self.0.get(day)?[..parts].iter();
            let sum = counted.fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
            let failed = Proportion::new(sum.0.into(), sum.1.into());
            (sum.1 > 0).then(|| Day { day: first_day() + Days::new(day as u64), failed })
        });
        Series { app: app.to_owned(), scope, days: days.collect() }
    }
}

struct Script {
    name: String,
    failure_rate: f64,
    sessions: f64,
    alpine_share: f64,
    all: Counts,
    systems: [Counts; 3],
    versions: [Counts; 3],
}

impl Script {
    fn series(&self, today: usize, parts: usize) -> Vec<Series> {
        let mut series = vec![self.all.series(&self.name, Scope::Script, today, parts)];
        for (name, counts) in SYSTEMS.iter().zip(&self.systems) {
            series.push(counts.series(&self.name, Scope::Os((*name).to_owned()), today, parts));
        }
        for (name, counts) in VERSIONS.iter().zip(&self.versions) {
            series.push(counts.series(&self.name, Scope::Pve((*name).to_owned()), today, parts));
        }
        series
    }
}

/// Scripts of realistic popularity and failure rate, whose only change is that people install more at weekends.
/// Only first attempts are compared, so a session counts once.
fn world(random: &mut ChaCha8Rng, days: usize) -> Vec<Script> {
    let rates = LogNormal::new(0.07_f64.ln(), 0.7).expect("finite");
    let total: f64 = (0..SCRIPTS).map(|rank| 1.0 / (rank as f64 + 3.0)).sum();
    (0..SCRIPTS)
        .map(|rank| {
            let mut script = Script {
                name: format!("script-{rank}"),
                failure_rate: rates.sample(random).clamp(0.005, 0.6),
                sessions: SESSIONS / (rank as f64 + 3.0) / total,
                alpine_share: if rank % 4 == 0 { 0.35 } else { 0.0 },
                all: Counts::default(),
                systems: Default::default(),
                versions: Default::default(),
            };
            for day in 0..days {
                let rhythm = [0.9, 0.9, 0.9, 0.9, 0.95, 1.2, 1.25][day % 7];
                for _ in 0..poisson(random, script.sessions * rhythm) {
                    session(random, &mut script, day);
                }
            }
            script
        })
        .collect()
}

fn session(random: &mut ChaCha8Rng, script: &mut Script, day: usize) {
    let part = random.random_range(0..LOOKS);
    let system =
        if random.random_bool(script.alpine_share) { 2 } else { usize::from(random.random_bool(0.1)) };
    let version = [0, 1, 1, 2, 2, 2][random.random_range(0..6)];
    let failed = random.random_bool(script.failure_rate);
    script.all.add(day, part, failed);
    script.systems[system].add(day, part, failed);
    script.versions[version].add(day, part, failed);
}

/// Knuth's algorithm, in steps that do not underflow.
fn poisson(random: &mut ChaCha8Rng, mean: f64) -> usize {
    let mut count = 0;
    let mut left = mean;
    while left > 0.0 {
        let step = left.min(20.0);
        let bound = (-step).exp();
        let mut product = random.random::<f64>();
        while product > bound {
            count += 1;
            product *= random.random::<f64>();
        }
        left -= step;
    }
    count
}

fn look(scripts: &[Script], more: Option<Series>, today: usize, parts: usize) -> Findings {
    let mut series: Vec<_> = scripts.iter().flat_map(|script| script.series(today, parts)).collect();
    series.extend(more);
    find(&series, first_day() + Days::new(today as u64), &Window::ALL)
}

/// The number of distinct alarms (script and first bad day), and the overdispersion.
fn alarms(seed: u64) -> (usize, f64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let scripts = world(&mut random, HISTORY + DAYS as usize);
    let mut alarms = BTreeSet::new();
    let mut dispersion = 0.0;
    for today in HISTORY..HISTORY + DAYS as usize {
        for parts in 1..=LOOKS {
            let found = look(&scripts, None, today, parts);
            dispersion = found.dispersion;
            for regression in found.regressions {
                alarms.insert((regression.app, regression.evidence[0].first_bad_day));
            }
        }
    }
    (alarms.len(), dispersion)
}

#[test]
fn six_hundred_unchanged_scripts_raise_less_than_one_alarm_per_week() {
    let (alarms, dispersion) = alarms(1);
    let weeks = DAYS as f64 / 7.0;
    println!("{alarms} alarms in {weeks:.1} weeks, dispersion {dispersion:.2}");
    assert!((alarms as f64) < weeks, "{alarms} alarms in {weeks} weeks");
    assert!(dispersion < 1.05, "independent executions are not overdispersed");
}

/// The mean over more simulations: `cargo test --release --test it regressions -- --ignored --nocapture`.
#[test]
#[ignore = "minutes"]
fn the_mean_of_twenty_simulations_is_less_than_one_alarm_per_week() {
    let worlds = 20;
    let all: Vec<_> = (1..=worlds).map(|seed| alarms(seed).0).collect();
    let mean = all.iter().sum::<usize>() as f64 / worlds as f64 / (DAYS as f64 / 7.0);
    println!("alarms in 120 days: {all:?}; {mean:.3} a week on average");
    assert!(mean < 1.0, "{all:?}");
}

/// Quarters of a day after which the planted regression is detected; `None` if that takes more than two days.
fn found_after(scripts: &[Script], onset: (usize, usize), planted: &Counts) -> Option<usize> {
    (1..=2 * LOOKS).find(|later| {
        let (today, parts) = (onset.0 + (onset.1 + later - 1) / LOOKS, (onset.1 + later - 1) % LOOKS + 1);
        let series = planted.series("planted", Scope::Script, today, parts);
        let found = look(scripts, Some(series), today, parts);
        found.regressions.iter().any(|regression| regression.app == "planted")
    })
}

#[test]
fn a_rise_from_5_to_40_percent_at_30_executions_per_day_is_detected_within_a_day() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let days = HISTORY + 4;
    let scripts = world(&mut random, days);
    // Exactly the expected counts: one failure in 20 executions, then 12 in 30.
    let mut planted = Counts::default();
    for run in 0..days * 30 {
        let (day, of_day) = (run / 30, run % 30);
        let failed = if day > HISTORY { of_day % 5 < 2 } else { run % 20 == 0 };
        planted.add(day, of_day * LOOKS / 30, failed);
    }
    let found = found_after(&scripts, (HISTORY + 1, 0), &planted);
    assert!(found.is_some_and(|later| later <= LOOKS), "{found:?}");
    // Random counts, starting in any quarter of a day.
    let trials = 40;
    let found: Vec<_> = (0..trials)
        .map(|trial| {
            let onset = (HISTORY + 1, trial % LOOKS);
            let mut planted = Counts::default();
            for (day, part) in (0..days).flat_map(|day| (0..LOOKS).map(move |part| (day, part))) {
                let rate = if (day, part) >= onset { 0.4 } else { 0.05 };
                for _ in 0..poisson(&mut random, 30.0 / LOOKS as f64) {
                    planted.add(day, part, random.random_bool(rate));
                }
            }
            found_after(&scripts, onset, &planted)
        })
        .collect();
    let within = |quarters| found.iter().flatten().filter(|later| **later <= quarters).count();
    let (one, two) = (within(LOOKS), within(2 * LOOKS));
    println!("of {trials} scripts {one} are found within a day, {two} within two");
    assert!(one * 4 >= trials * 3 && two * 20 >= trials * 19, "{found:?}");
}
