//! The overview.

use super::{HOSTILE, as_of, context, day, list, readable, structure};
use crate::expose::dashboard::{DashboardCounts, dashboard};
use crate::expose::numbers::{Rate, RunCounts};
use crate::expose::regressions::{EvidenceView, RegressionView, Regressions, SignatureReason};
use crate::page::chart::stacked::Counts;
use crate::page::overview::{Overview, overview};
use crate::store::read::counts::{OutcomeCount, ScriptCount};

/// A script that broke, with a name of a client.
fn regression(text: &str) -> RegressionView {
    RegressionView {
        app: text.to_owned(),
        clearest: EvidenceView {
            scope: "os",
            value: Some(text.to_owned()),
            window: "3d",
            before: Rate::of(10, 400),
            after: Rate::of(30, 41),
            p: 0.0001,
            q: 0.001,
            first_bad_day: day(8),
        },
        others: Vec::new(),
        top_signature: Some(SignatureReason {
            id: "00000000000000ff".to_owned(),
            template: Some(text.to_owned()),
            reason: None,
            count: 30,
            count_before: 0,
            new: true,
        }),
        top_exit_code: None,
    }
}

fn data(text: &str) -> Overview {
    let outcome = |outcome: &str, runs| OutcomeCount { outcome: outcome.to_owned(), runs };
    let counted =
        ScriptCount { kind: "lxc".to_owned(), runs: 400, success: 290, failed: 41, ..ScriptCount::default() };
    let script = ScriptCount { app: Some(text.to_owned()), app_runs: 400, ..counted.clone() };
    let counts = DashboardCounts {
        runs: RunCounts {
            as_of: as_of(),
            days_shown: (day(4), day(10)),
            scripts: vec![counted, script],
            days: Vec::new(),
            exit_codes: Vec::new(),
        },
        signatures: Vec::new(),
        signature_scripts: Vec::new(),
        facets: Vec::new(),
        slugs: Vec::new(),
        durations: Vec::new(),
        recent: Vec::new(),
        previous: Some(((day(1), day(3)), vec![outcome("success", 300), outcome("failed", 20)])),
        total_all_time: 1_234,
    };
    let regressions = Regressions {
        as_of: as_of(),
        baseline_days: 28,
        false_discoveries: 0.05,
        tested: 1,
        dispersion: 1.0,
        regressions: vec![regression(text)],
    };
    Overview {
        dashboard: dashboard(counts),
        regressions,
        regressed: list(text).signatures,
        signatures: list(text).signatures,
        outcomes: Counts::from([(day(8), vec![290, 41, 0, 0, 69])]),
        days: (day(4), day(10)),
    }
}

#[test]
fn the_overview() {
    insta::assert_snapshot!(readable(&overview(&context("/", "days=7", &[]), &data("jellyfin"))));
}

#[test]
fn a_hostile_text_changes_no_structure() {
    let page = |text: &str| structure(&overview(&context("/", "", &[]), &data(text)));
    assert_eq!(page("text"), page(HOSTILE));
}

#[test]
fn without_runs_it_says_so() {
    let empty = |all: i64| {
        let mut data = data("jellyfin");
        (data.dashboard.total_installs, data.dashboard.total_all_time) = (0, all);
        overview(&context("/", "", &[]), &data)
    };
    assert!(empty(0).contains("No runs have been reported yet"));
    assert!(empty(5).contains("No runs match in this period"));
}
