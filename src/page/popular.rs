//! `/popular`: which scripts are used, and which are used more than before.

use maud::{Markup, html};

use crate::expose::popular::{Popular, UsedScript};
use crate::page::address::Address;
use crate::page::chart::bar::bar;
use crate::page::context::Context;
use crate::page::layout::{Page, document, section};
use crate::page::number::{count, counted, day, grouped, rate};
use crate::page::reason;
use crate::page::scripts::kind;
use crate::page::table::{Column, exports, table};

/// Rows of each table.
const LENGTH: usize = 20;

/// The lists of scripts.
#[must_use]
pub fn popular(context: &Context, data: &Popular) -> String {
    let address = &context.address;
    let content = html! {
        p.lead {
            (counted(data.total_scripts, "script", "scripts")) " ran "
            (counted(data.total_installs, "time", "times"))
            @if let Some(before) = data.total_installs_before {
                ", after " (grouped(before)) " in the period before"
            }
            "."
        }
        p {
            "Only hosts that opted in are counted. A host counts each time it runs a script, so these are runs, not users, "
            "and a script that is retried often looks more popular than it is. "
            a href="/about" { "What is counted" } "."
        }
        @if let (Some(from), Some(to)) = (data.previous_from, data.previous_to) {
            p.note {
                "The period before is " (day(from)) " to " (day(to)) ". The current day is not over yet."
            }
        }
        (section("most", "Most used", &html! {
            (used(&data.most_used, "Most used scripts", "No script ran in this period.", address))
            (exports(&address.to(&["api", "popular"]), "most_used"))
        }))
        (section("rising", "Rising", &html! {
            p.note { "More runs than in the period before, the clearest rise first. Scripts with at least ten runs." }
            (used(&data.rising, "Rising scripts", compared(data, "No script has clearly more runs than before."), address))
            (exports(&address.to(&["api", "popular"]), "rising"))
        }))
        (section("new", "New", &html! {
            p.note { "Scripts whose first run was in this period." }
            (new(&data.new, compared(data, "No script ran for the first time in this period."), address))
            (exports(&address.to(&["api", "popular"]), "new"))
        }))
        (section("least", "Least used", &html! {
            p.note { "Scripts that ran at least once. A script that never ran is not known here." }
            (used(&data.least_used, "Least used scripts", "No script ran in this period.", address))
            (exports(&address.to(&["api", "popular"]), "least_used"))
        }))
    };
    let title = "Popular scripts";
    document(context, &Page { title, as_of: Some(data.as_of), filter: Some(Vec::new()), content })
}

/// The text of an empty list that needs a period before.
fn compared(data: &Popular, text: &'static str) -> &'static str {
    if data.previous_from.is_some() { text } else { "Choose a period: all time has no period before." }
}

fn used(scripts: &[UsedScript], caption: &str, none: &str, address: &Address) -> Markup {
    let columns = [
        Column::text("Script"),
        Column::number("Runs"),
        Column::text("").wide(),
        Column::number("Before"),
        Column::number("Share of all runs").wide(),
        Column::number("Failed").wide(),
    ];
    let scripts = &scripts[..scripts.len().min(LENGTH)];
    let largest = scripts.iter().map(|row| row.count).max().unwrap_or_default();
    let rows: Vec<_> = scripts
        .iter()
        .map(|row| {
            html! {
                tr {
                    th scope="row" { (reason::script(address, &row.app)) " " (kind(&row.kind)) }
                    td.number { (count(row.count)) }
                    td.wide.meter { (bar(row.count, largest)) }
                    td.number {
                        @match row.count_before {
                            Some(before) => (count(before)),
                            None => "–",
                        }
                    }
                    td.number.wide { (rate(&row.share)) }
                    td.number.wide { (rate(&row.failure_rate)) }
                }
            }
        })
        .collect();
    table(caption, &columns, &rows, none)
}

fn new(scripts: &[UsedScript], none: &str, address: &Address) -> Markup {
    let columns =
        [Column::text("Script"), Column::text("First run"), Column::number("Runs"), Column::number("Failed")];
    let rows: Vec<_> = scripts
        .iter()
        .take(LENGTH)
        .map(|row| {
            html! {
                tr {
                    th scope="row" { (reason::script(address, &row.app)) " " (kind(&row.kind)) }
                    td { @if let Some(first) = row.first_seen_day { (day(first)) } }
                    td.number { (count(row.count)) }
                    td.number { (rate(&row.failure_rate)) }
                }
            }
        })
        .collect();
    table("New scripts", &columns, &rows, none)
}
