//! Pages from fixed answers: snapshots, and texts that a hostile client can fill.

mod overview;
mod scripts;

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::address::Address;
use super::chart::stacked::{Counts, OUTCOMES, stacked};
use super::context::{Context, Visitor};
use super::failure::{Failure, failure};
use super::failures::{Failures, PARAMETERS, Tab, failures};
use super::problem::{Problem, problem};
use crate::expose::dashboard::AppCount;
use crate::expose::numbers::Rate;
use crate::expose::reason_view::SharedReason;
use crate::expose::signatures::{
    DayCount, DayRuns, Difference, ExitCodeRuns, OneSignature, SignatureView, Signatures, Trend,
};
use crate::issue::Issue;

/// Texts that break out of an element, an attribute, a script or an address if they are not escaped.
pub(super) const HOSTILE: &str =
    "\"'><svg onload=alert(1)></script><a href=javascript:alert(1)>');alert(1)//\u{202e}";

fn context(path: &str, query: &str, own: &[&'static str]) -> Context {
    Context { address: Address::read(path, query, own), visitor: Visitor::Public }
}

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, day).expect("a day")
}

fn as_of() -> DateTime<Utc> {
    "2026-03-10T14:03:05Z".parse().expect("a time")
}

fn shared(text: &str) -> SharedReason {
    SharedReason {
        id: Some("apt.package-not-found".to_owned()),
        title: Some("A package does not exist"),
        subject: Some(text.to_owned()),
        category: "package_not_found".to_owned(),
        blame: "script".to_owned(),
        hint: Some("Correct the name of the package."),
    }
}

fn app(name: &str, count: i64) -> AppCount {
    AppCount { app: name.to_owned(), count }
}

/// A list with one reason, about a text of a client.
fn list(text: &str) -> Failures {
    let row = SignatureView {
        id: "00000000000000ff".to_owned(),
        template: Some(format!("A package does not exist: {text}")),
        reason: Some(shared(text)),
        blame: Some("script".to_owned()),
        state: Some("known".to_owned()),
        issue_url: Some("https://github.com/owner/name/issues/1".to_owned()),
        state_since: Some(as_of()),
        count: 41,
        share: Rate::of(41, 331),
        sessions: 30,
        exit_codes: vec![ExitCodeRuns { exit_code: Some(100), count: 41 }],
        daily: vec![DayCount { date: day(8), count: 40 }, DayCount { date: day(10), count: 1 }],
        first_seen_day: day(8),
        last_seen_day: day(10),
        created: Some(as_of()),
        unique_apps: 4,
        apps: vec![app(text, 30), app("docker", 6), app("plex", 4)],
        trend: Trend { last_7_days: 41, previous_7_days: 0 },
    };
    let signatures = Signatures { as_of: as_of(), failed_count: 331, signatures: vec![row] };
    Failures { signatures, tab: Tab::All, days: (day(4), day(10)) }
}

/// One reason, about a text of a client.
fn one(text: &str) -> Failure {
    let signature = OneSignature {
        as_of: as_of(),
        id: "00000000000000ff".to_owned(),
        template: format!("A package does not exist: {text}"),
        reason: Some(shared(text)),
        blame: "script".to_owned(),
        state: "open".to_owned(),
        issue_url: None,
        state_since: None,
        note: Some(text.to_owned()),
        created: as_of(),
        count: 41,
        sessions: 30,
        exit_codes: vec![
            ExitCodeRuns { exit_code: Some(100), count: 40 },
            ExitCodeRuns { exit_code: None, count: 1 },
        ],
        apps: vec![app(text, 40), app("docker", 1)],
        days: vec![DayRuns { date: day(8), failed: 40 }, DayRuns { date: day(10), failed: 1 }],
        differs: vec![Difference {
            facet: "os".to_owned(),
            value: text.to_owned(),
            share: Rate::of(40, 41),
            baseline: Rate::of(100, 400),
        }],
        differs_from: Some(day(1)),
        differs_to: Some(day(10)),
        recent_records: Vec::new(),
    };
    let link = "https://github.com/owner/name/issues/new?title=a&body=b".to_owned();
    let issue = Issue { title: "a".to_owned(), body: "b".to_owned(), link };
    Failure { signature, issue: Some(issue), days: (day(4), day(10)) }
}

/// The page with a line for each element, without the hashes in the names of its files.
fn readable(html: &str) -> String {
    let files = [&super::assets::STYLE.path, &super::assets::SCRIPT.path, &super::assets::ICON.path];
    let named = files.into_iter().zip(["style.css", "script.js", "icon.svg"]);
    let html = named.fold(html.to_owned(), |html, (path, name)| html.replace(path.as_str(), name));
    html.replace("><", ">\n<")
}

#[test]
fn a_list_of_reasons() {
    let page = failures(&context("/failures", "days=7&blame=script", &PARAMETERS), &list("ffmpeg7"));
    insta::assert_snapshot!(readable(&page));
}

#[test]
fn one_reason() {
    let page = failure(&context("/failures/00000000000000ff", "days=7", &[]), &one("ffmpeg7"));
    insta::assert_snapshot!(readable(&page));
}

#[test]
fn a_problem() {
    let shown = Problem {
        status: 400,
        title: "The filter is not valid",
        parameter: Some("days"),
        message: "`days` must be a whole number.".to_owned(),
        advice: "Change it.",
    };
    insta::assert_snapshot!(readable(&problem(&context("/failures", "days=x&repo=all", &[]), &shown)));
}

/// The names of the elements of a page with the names of their attributes, in order.
pub(super) fn structure(html: &str) -> Vec<String> {
    html.split('<')
        .skip(1)
        .map(|part| {
            let tag = part.split_once('>').map_or(part, |(tag, _)| tag);
            let mut words = vec![tag.split([' ', '>']).next().unwrap_or_default().to_owned()];
            let names = tag.split('"').step_by(2).filter_map(|text| text.strip_suffix('='));
            words.extend(names.filter_map(|text| text.rsplit(' ').next()).map(str::to_owned));
            words.join(" ")
        })
        .collect()
}

#[test]
fn a_hostile_text_changes_no_structure() {
    let query = |text: &str| {
        form_urlencoded::Serializer::new(String::new())
            .append_pair("slug", text)
            .append_pair("blame", text)
            .finish()
    };
    let pages = |text: &str| {
        let days: Counts = [(day(8), vec![1, 2, 3, 4, 5])].into();
        let own = context("/failures", &query(text), &PARAMETERS);
        [
            failures(&own, &list(text)),
            failure(&own, &one(text)),
            stacked(text, &OUTCOMES, &days, (day(8), day(8)), as_of(), &own.address).into_string(),
        ]
    };
    let (harmless, hostile) = (pages("text"), pages(HOSTILE));
    for (harmless, hostile) in harmless.iter().zip(&hostile) {
        assert_eq!(structure(harmless), structure(hostile));
        assert!(!hostile.contains("<svg onload") && !hostile.contains("\"javascript:"), "{hostile}");
        assert!(!harmless.contains("style=\""), "the content security policy allows no style attributes");
    }
}

#[test]
fn a_page_of_a_year_has_at_most_100_kb() {
    let mut data = one("ffmpeg7");
    let year = day(10).iter_days().take(365);
    data.signature.days = year.map(|date| DayRuns { date, failed: 1_000 }).collect();
    data.days = (day(10), day(10) + Days::new(364));
    let page = failure(&context("/failures/00000000000000ff", "days=365&repo=all&type=lxc", &[]), &data);
    assert!(page.len() < 100_000, "{} bytes", page.len());
}
