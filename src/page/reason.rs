//! Names in tables: scripts, and reasons of failures with blame, state, and whether they are new or rising.

use chrono::{DateTime, Days, NaiveDate, Utc};
use maud::{Markup, html};

use crate::expose::signatures::{SignatureView, Trend};
use crate::page::address::Address;
use crate::store::model::names::RARE;

/// Days for which a signature is new.
const NEW_DAYS: u64 = 7;
/// Fewest failures of the last seven days for a signature to be rising.
const RISING: i64 = 10;

/// The address of a signature; `None` for the rare ones together.
#[must_use]
pub fn link(address: &Address, id: &str) -> Option<String> {
    id.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| address.to(&["failures", id]).href())
}

/// The title of a signature, as a link if it has a page.
#[must_use]
pub fn title(address: &Address, id: &str, template: Option<&str>) -> Markup {
    let text = match template {
        Some(RARE) => "Failures that few runs have",
        Some(template) if !template.is_empty() => template,
        _ => "The log does not say why",
    };
    html! {
        @match link(address, id) {
            Some(link) => a.reason href=(link) { bdi { (text) } },
            None => bdi.reason { (text) },
        }
    }
}

/// The name of a script as a link. Scripts that few use have none: their name is not public.
#[must_use]
pub fn script(address: &Address, app: &str) -> Markup {
    html! {
        @if app == RARE { span.few { "rarely used scripts" } }
        @else { a href=(address.to(&["scripts", app]).href()) { bdi { (app) } } }
    }
}

/// The side that has to act.
#[must_use]
pub fn blame(blame: Option<&str>) -> Markup {
    let text = match blame {
        Some("script") => "Script",
        Some("upstream") => "Upstream",
        Some("host") => "Host",
        Some("user") => "User",
        _ => "Unknown",
    };
    html! { span class={ "tag blame-" (text.to_ascii_lowercase()) } { (text) } }
}

/// What maintainers decided, with a link to the issue; nothing for an open signature.
#[must_use]
pub fn state(state: Option<&str>, issue: Option<&str>) -> Markup {
    html! {
        @if let Some(state) = state.filter(|state| *state != "open") {
            span class={ "tag state-" (state) } { (state) } " "
        }
        @if let Some(issue) = issue { a href=(issue) rel="noreferrer" { "issue" } }
    }
}

/// `new` within a week of the first failure, `rising` if the failures of a week have doubled.
fn tendency(row: &SignatureView, as_of: DateTime<Utc>) -> Option<&'static str> {
    let week = new_since(as_of.date_naive());
    // Runs that are imported were seen first long after their day.
    let is_new =
        row.first_seen_day >= week && row.created.is_some_and(|created| created.date_naive() >= week);
    if is_new { Some("new") } else { is_rising(row.trend).then_some("rising") }
}

/// The day since which a signature was first seen if it is new.
#[must_use]
pub fn new_since(today: NaiveDate) -> NaiveDate {
    today.checked_sub_days(Days::new(NEW_DAYS - 1)).unwrap_or(today)
}

/// Whether the failures of the last seven days are many, and at least twice those of the seven days before.
#[must_use]
pub fn is_rising(trend: Trend) -> bool {
    trend.last_7_days >= RISING && trend.last_7_days >= trend.previous_7_days * 2
}

/// Tags of a row in a list of signatures: new or rising, and the state.
#[must_use]
pub fn tags(row: &SignatureView, as_of: DateTime<Utc>) -> Markup {
    html! {
        @if let Some(tendency) = tendency(row, as_of) {
            span class={ "tag " (tendency) } { (tendency) } " "
        }
        (state(row.state.as_deref(), row.issue_url.as_deref()))
    }
}
