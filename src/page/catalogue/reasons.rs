//! `/reasons`: the rules that know why a run failed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::expose::reasons::Reason;
use crate::page::address::Address;
use crate::page::context::Context;
use crate::page::layout::{Page, document, section};
use crate::page::number::count;
use crate::page::reason;
use crate::page::table::{Column, exports, table};

/// The parameters of the page besides the common ones.
pub const PARAMETERS: [&str; 2] = ["tool", "search"];
/// Rows of a list.
const LENGTH: usize = 100;

/// What the page shows.
#[derive(Debug)]
pub struct Reasons {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// All reasons that a rule knows.
    pub reasons: Vec<Reason>,
    /// Failed and blocked runs of the period by the id of the reason.
    pub runs: BTreeMap<String, i64>,
}

/// The tool of a reason: the first part of its id.
fn tool(reason: &Reason) -> &'static str {
    reason.id.split('.').next().unwrap_or_default()
}

/// The catalogue: what occurs now, a tool, or what a search finds.
#[must_use]
pub fn reasons(context: &Context, data: &Reasons) -> String {
    let address = &context.address;
    let (chosen, search) = (address.get("tool"), address.get("search"));
    let runs = |reason: &Reason| data.runs.get(reason.id).copied().unwrap_or_default();
    let words = search.unwrap_or_default().to_lowercase();
    let is_listed = |reason: &Reason| match (chosen, search) {
        (None, None) => runs(reason) > 0,
        _ => {
            let text = format!("{} {} {}", reason.id, reason.title, reason.category).to_lowercase();
            chosen.is_none_or(|chosen| chosen == tool(reason))
                && words.split_whitespace().all(|word| text.contains(word))
        }
    };
    let mut listed: Vec<_> = data.reasons.iter().filter(|reason| is_listed(reason)).collect();
    listed.sort_by_key(|reason| std::cmp::Reverse(runs(reason)));
    let found = listed.len();
    let rows: Vec<_> =
        listed.into_iter().take(LENGTH).map(|reason| row(address, reason, runs(reason))).collect();
    let columns = [
        Column::text("Reason"),
        Column::number("Runs"),
        Column::text("To be fixed by"),
        Column::text("Kind").wide(),
    ];
    let mut tools = BTreeMap::<&str, usize>::new();
    data.reasons.iter().for_each(|reason| *tools.entry(tool(reason)).or_default() += 1);
    let title = match chosen {
        Some(chosen) => format!("Reasons: {chosen}"),
        None => "Reasons".to_owned(),
    };
    let content = html! {
        p.lead {
            (data.reasons.len()) " reasons for which installations fail are known, with what to do about each. "
            @if chosen.or(search).is_none() { "These occurred in this period." }
        }
        form.inline action="/reasons" role="search" aria-label="Reasons" {
            @for (name, value) in address.parameters().filter(|(name, _)| *name != "search") {
                input type="hidden" name=(name) value=(value);
            }
            label for="words" { "Search reasons" }
            input #words type="search" name="search" value=[search];
            button type="submit" { "Search" }
        }
        (table("Reasons", &columns, &rows, "No reason matches."))
        @if found > LENGTH { p.note { "The first " (LENGTH) " of " (found) "." } }
        (exports(&address.to(&["api", "reasons"]), "reasons"))
        (section("tools", "All reasons by tool", &html! {
            ul.tags {
                @for (tool, known) in &tools {
                    li { a href=(address.with(&[("tool", tool), ("search", "")]).href()) { (tool) } " " small { (known) } }
                }
            }
        }))
    };
    document(context, &Page { title: &title, as_of: Some(data.as_of), filter: Some(Vec::new()), content })
}

fn row(address: &Address, reason: &Reason, runs: i64) -> Markup {
    html! {
        tr {
            th scope="row" { a.reason href=(address.to(&["reasons", reason.id]).href()) { (reason.title) } " " code { (reason.id) } }
            td.number { (count(runs)) }
            td { (reason::blame(Some(reason.blame))) }
            td.wide { (reason.category.replace('_', " ")) }
        }
    }
}
