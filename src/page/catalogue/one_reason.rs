//! `/reasons/{id}`: one reason, what to do about it, and where it occurs.

use chrono::NaiveDate;
use maud::{Markup, html};

use crate::expose::reasons::OneReason;
use crate::page::address::Address;
use crate::page::chart::bar::bar;
use crate::page::chart::stacked::{Counts, stacked};
use crate::page::context::Context;
use crate::page::layout::{Page, document, section};
use crate::page::number::{count, counted};
use crate::page::reason;
use crate::page::table::{Column, exports, table};

/// Rows of a list.
const LENGTH: usize = 20;

/// What the page shows.
#[derive(Debug)]
pub struct ReasonPage {
    /// The reason and its counts.
    pub reason: OneReason,
    /// First and last day of the period.
    pub days: (NaiveDate, NaiveDate),
}

/// The page.
#[must_use]
pub fn one_reason(context: &Context, data: &ReasonPage) -> String {
    let address = &context.address;
    let ReasonPage { reason: one, days } = data;
    let api = address.to(&["api", "reasons", one.reason.id]);
    let by_day: Counts = one.days.iter().map(|day| (day.date, vec![day.count])).collect();
    let runs = address.to(&["runs"]).with(&[("reason", one.reason.id)]);
    let content = html! {
        p.lead {
            (counted(one.count, "run", "runs")) " of " (counted(one.unique_apps, "script", "scripts"))
            " failed for this reason in this period."
        }
        dl.facts {
            dt { "What to do" } dd { (one.reason.hint) }
            dt { "To be fixed by" } dd { (reason::blame(Some(one.reason.blame))) }
            dt { "Kind" }
            dd {
                a href=(address.to(&["failures"]).with(&[("category", one.reason.category)]).href()) {
                    (one.reason.category.replace('_', " "))
                }
            }
            dt { "Rule" } dd { code { (one.reason.id) } }
        }
        @if one.count > 0 {
            (section("days", "Days", &html! {
                (stacked("Failed runs by UTC day", &[("failed", "failed")], &by_day, *days, one.as_of, address))
                (exports(&api, "days"))
            }))
            (section("subjects", "What it is about", &subjects(one, address, &api)))
            (section("scripts", "Scripts", &scripts(one, address, &api)))
            (section("systems", "Systems", &systems(one, &api)))
            p { a.more href=(runs.href()) { "All runs that failed for this reason" } }
        }
    };
    document(
        context,
        &Page { title: one.reason.title, as_of: Some(one.as_of), filter: Some(Vec::new()), content },
    )
}

fn subjects(one: &OneReason, address: &Address, api: &Address) -> Markup {
    let columns = [Column::text("About"), Column::text("State"), Column::number("Failed runs")];
    let rows = one.signatures.iter().take(LENGTH).map(|row| {
        let subject = row.subject.as_deref().unwrap_or("nothing in particular");
        html! {
            tr {
                th scope="row" {
                    @match reason::link(address, &row.id) {
                        Some(link) => a href=(link) { bdi { (subject) } },
                        None => bdi { (subject) },
                    }
                }
                td { (reason::state(row.state.as_deref(), None)) }
                td.number { (count(row.count)) }
            }
        }
    });
    let rows: Vec<_> = rows.collect();
    html! { (table("Failed runs by what they are about", &columns, &rows, "No run.")) (exports(api, "signatures")) }
}

fn scripts(one: &OneReason, address: &Address, api: &Address) -> Markup {
    let columns = [Column::text("Script"), Column::text("").wide(), Column::number("Failed runs")];
    let largest = one.apps.first().map_or(0, |row| row.count);
    let rows = one.apps.iter().take(LENGTH).map(|row| {
        html! {
            tr {
                th scope="row" { a href=(address.to(&["scripts", &row.app]).href()) { bdi { (row.app) } } }
                td.wide { (bar(row.count, largest)) }
                td.number { (count(row.count)) }
            }
        }
    });
    let rows: Vec<_> = rows.collect();
    html! { (table("Failed runs by script", &columns, &rows, "No script.")) (exports(api, "apps")) }
}

fn systems(one: &OneReason, api: &Address) -> Markup {
    let columns = [Column::text("System"), Column::number("Failed runs")];
    let rows = one.systems.iter().take(LENGTH).map(|row| {
        html! {
            tr {
                th scope="row" {
                    @if row.os.is_empty() { "not reported" } @else { bdi { (row.os) " " (row.version) } }
                }
                td.number { (count(row.count)) }
            }
        }
    });
    let rows: Vec<_> = rows.collect();
    html! { (table("Failed runs by system", &columns, &rows, "No system.")) (exports(api, "systems")) }
}
