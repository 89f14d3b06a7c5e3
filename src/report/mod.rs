//! The weekly report: the outcomes of seven days, compared with the seven days before. Pure: counts in, a
//! [`Report`] out, which [`render`] formats and [`mail`] sends.

pub mod render;
pub mod mail;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::regression::Regression;
use crate::store::read::report::{ScriptWeek, Week, WeekSignature};

/// Maximum length of a list.
const TOP: usize = 10;
/// Minimum number of ended executions for a script to be listed by its rate.
const ENOUGH: i64 = 20;

/// Executions of a week by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// All executions.
    pub runs: i64,
    /// Successful ones.
    pub success: i64,
    /// Failed ones.
    pub failed: i64,
    /// Those that the script refused to start because of the host.
    pub blocked: i64,
    /// Those that a person stopped.
    pub aborted: i64,
}

impl Totals {
    /// Share of successful executions among those that succeeded or failed; `None` if there are none.
    #[must_use]
    pub fn success_rate(self) -> Option<f64> {
        let ended = self.ended();
        (ended > 0).then(|| self.success as f64 / ended as f64)
    }

    /// Executions that succeeded or failed, the denominator of the rate.
    #[must_use]
    pub const fn ended(self) -> i64 {
        self.success + self.failed
    }

    fn add(&mut self, outcome: &str, runs: i64) {
        self.runs += runs;
        match outcome {
            "success" => self.success += runs,
            "failed" => self.failed += runs,
            "blocked" => self.blocked += runs,
            "aborted" => self.aborted += runs,
            _ => {}
        }
    }
}

/// A script in both weeks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Its name.
    pub app: String,
    /// Totals of the week.
    pub now: Totals,
    /// Totals of the week before.
    pub before: Totals,
}

/// The content of a report.
#[derive(Clone, Debug)]
pub struct Report {
    /// The days.
    pub week: Week,
    /// The repository of the scripts.
    pub repository: String,
    /// Totals of all scripts in the week.
    pub now: Totals,
    /// Totals of all scripts in the week before.
    pub before: Totals,
    /// Scripts that fail least, among those with enough executions.
    pub best: Vec<Script>,
    /// Scripts that fail most.
    pub worst: Vec<Script>,
    /// Scripts with a regression, as `/api/regressions` reported them on the last day.
    pub regressed: Vec<Script>,
    /// Scripts that ran for the first time.
    pub new_scripts: Vec<Script>,
    /// Failure signatures that occurred for the first time.
    pub new_signatures: Vec<WeekSignature>,
    /// Failure signatures that occurred again after they were resolved.
    pub regressed_signatures: Vec<WeekSignature>,
}

impl Report {
    /// Builds a report from the counts of a week.
    #[must_use]
    pub fn of(
        week: Week,
        repository: &str,
        counts: &[ScriptWeek],
        regressions: &[Regression],
        new_signatures: Vec<WeekSignature>,
        regressed_signatures: Vec<WeekSignature>,
    ) -> Self {
        let mut scripts = BTreeMap::<&str, (Totals, Totals, bool)>::new();
        let (mut now, mut before) = (Totals::default(), Totals::default());
        for count in counts {
            let (of_now, of_before, is_new) = scripts.entry(&count.app).or_default();
            of_now.add(&count.outcome, count.runs);
            of_before.add(&count.outcome, count.runs_before);
            now.add(&count.outcome, count.runs);
            before.add(&count.outcome, count.runs_before);
            *is_new = count.is_new;
        }
        let all: Vec<_> = scripts
            .into_iter()
            .map(|(app, (now, before, is_new))| (Script { app: app.to_owned(), now, before }, is_new))
            .collect();
        let pick = |keep: &dyn Fn(&Script, bool) -> bool, order: &dyn Fn(&Script) -> (i64, i64)| {
            let kept = all.iter().filter(|(script, is_new)| keep(script, *is_new));
            let mut kept: Vec<_> = kept.map(|(script, _)| script.clone()).collect();
            kept.sort_by_key(|script| Reverse(order(script)));
            kept.truncate(TOP);
            kept
        };
        // In parts of ten thousand, because floats have no total order.
        let rate = |script: &Script| (script.now.success_rate().unwrap_or_default() * 10_000.0) as i64;
        let has_risen = |script: &Script| regressions.iter().any(|found| found.app == script.app);
        let has_enough = |script: &Script| script.now.ended() >= ENOUGH;
        Self {
            week,
            repository: repository.to_owned(),
            now,
            before,
            best: pick(&|script, _| has_enough(script), &|script| (rate(script), script.now.ended())),
            worst: pick(&|script, _| has_enough(script) && script.now.failed > 0, &|script| {
                (-rate(script), script.now.failed)
            }),
            regressed: pick(&|script, _| has_risen(script), &|script| (-rate(script), script.now.failed)),
            new_scripts: pick(&|script, is_new| is_new && script.now.runs > 0, &|script| {
                (script.now.runs, 0)
            }),
            new_signatures,
            regressed_signatures,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(app: &str, outcome: &str, runs: i64, runs_before: i64) -> ScriptWeek {
        let is_new = app.starts_with("new");
        ScriptWeek { app: app.to_owned(), outcome: outcome.to_owned(), runs, runs_before, is_new }
    }

    #[test]
    fn a_report_lists_the_best_the_worst_the_regressed_and_the_new_scripts() {
        let counts = [
            count("good", "success", 100, 90),
            count("bad", "success", 20, 20),
            count("bad", "failed", 80, 80),
            count("worse", "success", 50, 95),
            count("worse", "failed", 50, 5),
            count("rare", "failed", 3, 0),
            count("new-one", "success", 5, 0),
            count("good", "blocked", 7, 0),
        ];
        let worse = Regression { app: "worse".to_owned(), evidence: vec![] };
        let last = chrono::NaiveDate::from_ymd_opt(2026, 3, 8).expect("a day");
        let report = Report::of(Week::ending(last), "ProxmoxVE", &counts, &[worse], vec![], vec![]);
        let names = |scripts: &[Script]| scripts.iter().map(|script| script.app.clone()).collect::<Vec<_>>();
        assert_eq!(names(&report.best), ["good", "worse", "bad"]);
        assert_eq!(names(&report.worst), ["bad", "worse"]);
        assert_eq!(names(&report.regressed), ["worse"]);
        assert_eq!(names(&report.new_scripts), ["new-one"]);
        assert_eq!((report.now.runs, report.now.ended(), report.now.blocked), (315, 308, 7));
        assert_eq!(report.week.first.to_string(), "2026-03-02");
    }
}
