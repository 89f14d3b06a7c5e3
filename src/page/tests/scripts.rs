//! The pages of scripts, from fixed answers.

use super::{HOSTILE, as_of, context, day, shared, structure};
use crate::expose::execution_view::ExecutionView;
use crate::expose::numbers::Rate;
use crate::expose::one_script::{
    DayView, DistributionView, Durations, ExitCodeRuns, PlatformView, PreviousRuns, ScriptView, SignatureRuns,
};
use crate::expose::popular::{Popular, UsedScript};
use crate::expose::scripts::{ScriptOrder, Scripts, TopScript};
use crate::expose::sessions::SessionTotals;
use crate::ingest::identity::IdKey;
use crate::ingest::normalise::Route;
use crate::ingest::pipeline::read_event;
use crate::page::popular::popular;
use crate::page::script::script;
use crate::page::scripts::{PARAMETERS, ScriptList, scripts};
use crate::store::read::known::Shown;

fn list(name: &str) -> ScriptList {
    let row = |app: &str, kind: &str, total| TopScript {
        app: app.to_owned(),
        kind: kind.to_owned(),
        total,
        success: total - 50,
        failed: 41,
        aborted: 4,
        installing: 1,
        success_rate: 87.6,
        days_old: 400,
        installs_per_day: 49.43,
        blocked: 3,
        unfinished: 1,
        failure: Rate::of(41, total - 9),
    };
    let top_scripts = vec![row(name, "lxc", 346), row("haos-vm", name, 100), row("(rare)", "lxc", 60)];
    let scripts = Scripts {
        as_of: as_of(),
        total_scripts: 7,
        total_installs: 506,
        top_scripts,
        recent_scripts: Vec::new(),
    };
    ScriptList { scripts, order: ScriptOrder::FailureRate }
}

fn one(text: &str) -> ScriptView {
    let split = |name: &str, version: &str| PlatformView {
        name: name.to_owned(),
        version: version.to_owned(),
        count: 40,
        failure_rate: Rate::of(4, 38),
    };
    let values = |values: &[&str]| {
        let rows = values.iter().map(|value| DistributionView {
            value: (*value).to_owned(),
            count: 9,
            failure_rate: Rate::of(1, 9),
        });
        rows.collect::<Vec<_>>()
    };
    let days = [(8, 30), (9, 0), (10, 16)].map(|(date, total)| DayView {
        date: day(date),
        total,
        success: total / 2,
        failed: total / 4,
        blocked: 0,
        aborted: total / 8,
        open: total / 8,
    });
    ScriptView {
        as_of: as_of(),
        app: text.to_owned(),
        total: 46,
        success: 23,
        failed: 11,
        blocked: 0,
        aborted: 5,
        installing: 2,
        unfinished: 5,
        failure_rate: Rate::of(10, 40),
        previous: Some(PreviousRuns { from: day(5), to: day(7), total: 90, failure_rate: Rate::of(16, 80) }),
        daily_stats: days.into(),
        os: vec![split(text, "13"), split("", "")],
        pve_versions: vec![split("9.0", "")],
        cores: values(&["1", "3-4"]),
        ram: values(&["513-1024"]),
        disk: values(&["5-8"]),
        privilege: values(&["unprivileged"]),
        app_versions: values(&[text, "(rare)"]),
        distribution_from: day(1),
        distribution_to: day(10),
        exit_codes: vec![
            ExitCodeRuns {
                exit_code: Some(100),
                outcome: "failed".to_owned(),
                description: "APT failed".to_owned(),
                category: "dependency".to_owned(),
                count: 10,
            },
            ExitCodeRuns {
                exit_code: None,
                outcome: "aborted".to_owned(),
                description: "No exit code".to_owned(),
                category: "user_abort".to_owned(),
                count: 1,
            },
        ],
        signatures: vec![SignatureRuns {
            id: "00000000000000ff".to_owned(),
            template: Some(format!("A package does not exist: {text}")),
            reason: Some(shared(text)),
            state: Some("known".to_owned()),
            issue_url: Some("https://github.com/owner/name/issues/1".to_owned()),
            count: 10,
            first_seen_day: day(8),
            last_seen_day: day(10),
        }],
        durations: Durations { count: 20, p50: Some(125.0), p90: Some(300.0), p95: Some(3_720.0) },
        sessions: SessionTotals { sessions: 40, retried: 5, saved: 2 },
        recent_records: vec![run(text)],
    }
}

/// A failed run.
fn run(text: &str) -> ExecutionView {
    let event = br#"{"random_id":"a","nsapp":"docker","type":"lxc","status":"failed","exit_code":100,
        "error":"E: Unable to locate package ffmpeg7"}"#;
    let ids = IdKey::new(b"a secret of the tests");
    let accepted = read_event(event, Route::Telemetry, as_of(), &ids).expect("an event");
    let execution = accepted.event.execution().clone();
    let shown = Shown { diagnosis: execution.diagnosis(), execution };
    let text = || Some(text.to_owned());
    ExecutionView {
        os_type: text(),
        os_version: text(),
        pve_version: text(),
        ..ExecutionView::of(&shown, as_of())
    }
}

fn used(text: &str) -> Popular {
    let row = |app: &str, before, first_seen_day| UsedScript {
        app: app.to_owned(),
        kind: text.to_owned(),
        count: 30,
        count_before: before,
        share: Rate::of(30, 60),
        failure_rate: Rate::of(3, 28),
        first_seen_day,
    };
    Popular {
        as_of: as_of(),
        previous_from: Some(day(1)),
        previous_to: Some(day(5)),
        total_scripts: 2,
        total_installs: 60,
        total_installs_before: Some(50),
        most_used: vec![row(text, Some(10), None), row("docker", Some(40), None)],
        least_used: vec![row("docker", Some(40), None)],
        rising: vec![row(text, Some(10), None)],
        new: vec![row(text, Some(0), Some(day(8)))],
    }
}

#[track_caller]
fn assert_contains(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part} is not in {page}");
    }
}

#[test]
fn the_table_of_scripts_links_to_each_and_to_its_data() {
    let context = context("/scripts", "days=7&search=oc&tab=rate", &PARAMETERS);
    let page = scripts(&context, &list("docker"));
    assert_contains(
        &page,
        &[
            "7 scripts ran 506 times",
            "href=\"/scripts/docker?days=7\"",
            "<data value=\"346\">346</data>",
            "(41 of 337)",
            "value=\"oc\"",
            "/api/scripts?days=7&amp;search=oc&amp;sort=failure_rate&amp;limit=100\"",
            "href=\"/scripts?days=7&amp;search=oc\"",
        ],
    );
    assert!(!page.contains("/scripts/%28rare%29"), "rare scripts have no page: {page}");
}

#[test]
fn one_script_shows_its_rate_reasons_and_splits() {
    let page = script(&context("/scripts/docker", "days=3", &[]), &one("docker"));
    assert_contains(
        &page,
        &[
            "25.0 %",
            ">10</data> of <data value=\"40\">40</data>",
            "▲ up 5.0 points",
            "/runs?days=3&amp;app=docker&amp;status=failed",
            "/failures/00000000000000ff?days=3",
            "https://github.com/owner/name/issues/1",
            "/exit-codes/100?days=3",
            "not reported",
            "3-4",
            "513-1024</bdi> MB",
            "5-8</bdi> GB",
            "2 min 5 s",
            "1 h 2 min",
            "Runs from",
            "/api/scripts/docker?days=3&amp;format=csv&amp;list=app_versions",
        ],
    );
}

#[test]
fn popular_scripts_are_compared_with_the_period_before() {
    let page = popular(&context("/popular", "days=5", &[]), &used("lxc"));
    assert_contains(
        &page,
        &[
            "2 scripts ran 60 times, after 50 in the period before",
            "2026-03-01",
            "(30 of 60)",
            "/scripts/docker?days=5",
            "2026-03-08",
            "/api/popular?days=5&amp;format=csv&amp;list=rising",
        ],
    );
    let all_time = Popular { previous_from: None, previous_to: None, rising: Vec::new(), ..used("lxc") };
    let page = popular(&context("/popular", "days=0", &[]), &all_time);
    assert_contains(&page, &["all time has no period before"]);
}

#[test]
fn a_script_without_runs_has_no_empty_tables() {
    let data = ScriptView { total: 0, ..one("docker") };
    let page = script(&context("/scripts/docker", "days=1", &[]), &data);
    assert!(page.contains("did not run in this period") && !page.contains("<table"), "{page}");
}

#[test]
fn a_hostile_name_changes_no_structure() {
    let pages = |text: &str| {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("search", text).finish();
        let own = context("/scripts", &query, &PARAMETERS);
        [scripts(&own, &list(text)), script(&own, &one(text)), popular(&own, &used(text))]
    };
    for (harmless, hostile) in pages("text").iter().zip(&pages(HOSTILE)) {
        assert_eq!(structure(harmless), structure(hostile));
        assert!(!hostile.contains("<svg onload") && !hostile.contains("\"javascript:"), "{hostile}");
        assert!(!harmless.contains("style=\""), "the content security policy allows no style attributes");
    }
}

#[test]
fn long_lists_fit_into_100_kb() {
    let mut data = list("a-script-with-a-long-name");
    let row = data.scripts.top_scripts[0].clone();
    data.scripts.top_scripts = vec![row; 100];
    let page = scripts(&context("/scripts", "days=365&repo=all&type=lxc", &PARAMETERS), &data);
    assert!(page.len() < 100_000, "{} bytes", page.len());
    let mut data = one("docker");
    let busy = DayView { total: 1_000, success: 900, failed: 50, ..data.daily_stats[0].clone() };
    data.signatures = vec![data.signatures[0].clone(); 20];
    data.exit_codes = vec![data.exit_codes[0].clone(); 20];
    data.recent_records = vec![run("docker"); 20];
    for days in [46, 90, 365] {
        let period = day(10).iter_days().take(days);
        data.daily_stats = period.map(|date| DayView { date, ..busy.clone() }).collect();
        let page = script(&context("/scripts/docker", "from=2026-03-10&repo=all&type=lxc", &[]), &data);
        assert!(page.len() < 100_000, "{days} days: {} bytes", page.len());
    }
}
