//! `/exit-codes/{code}`: what a code means in each generation of clients, what to do, and where it occurs.

use maud::{Markup, html};
use telemetry_protocol::Generation;

use crate::expose::exit_codes::ExitCodeView;
use crate::expose::one_exit_code::OneExitCode;
use crate::page::address::Address;
use crate::page::context::Context;
use crate::page::layout::{Page, document, section};
use crate::page::number::{count, counted, rate};
use crate::page::table::{Column, exports, table};

/// Rows of the list of scripts.
const LENGTH: usize = 20;

/// What the page shows.
#[derive(Debug)]
pub struct ExitCodePage {
    /// The meanings.
    pub code: ExitCodeView,
    /// Where it occurs.
    pub runs: OneExitCode,
}

/// The page.
#[must_use]
pub fn one_exit_code(context: &Context, data: &ExitCodePage) -> String {
    let ExitCodePage { code, runs: occurs } = data;
    let address = &context.address;
    let number = code.code.to_string();
    let title = format!("Exit code {number}");
    let runs = address.to(&["runs"]).with(&[("exit_code", &number)]);
    let content = html! {
        p.lead { (code.title) "." }
        (meaning(code.category, code.recovery))
        (section("scripts", "Where it occurs", &scripts(occurs, address)))
        @if !code.other_generations.is_empty() {
            (section("older", "What older clients mean by it", &html! {
                @for other in &code.other_generations {
                    h3 { (generation(other.generation)) }
                    p { (other.title) "." }
                    (meaning(other.category, other.recovery))
                }
            }))
        }
        p { a.more href=(runs.href()) { "Runs that ended with this code" } }
        p { a href=(address.to(&["exit-codes"]).href()) { "All exit codes" } }
    };
    document(context, &Page { title: &title, as_of: Some(occurs.as_of), filter: Some(Vec::new()), content })
}

/// How often it occurs, and in which scripts.
fn scripts(occurs: &OneExitCode, address: &Address) -> Markup {
    let columns = [Column::text("Script"), Column::text("Type"), Column::number("Runs")];
    let rows = occurs.scripts.iter().take(LENGTH).map(|row| {
        html! {
            tr {
                th scope="row" { a href=(address.to(&["scripts", &row.app]).href()) { bdi { (row.app) } } }
                td { (row.kind) }
                td.number { (count(row.count)) }
            }
        }
    });
    let rows: Vec<_> = rows.collect();
    let api = address.to(&["api", "exit-codes", &occurs.exit_code.to_string(), "runs"]);
    html! {
        p {
            (counted(occurs.count, "run", "runs")) " of " (counted(occurs.unique_scripts, "script", "scripts"))
            " ended with this code in this period: " (rate(&occurs.share)) " of all failed, blocked and aborted runs."
        }
        (table("Scripts", &columns, &rows, "No run ended with this code in this period."))
        (exports(&api, "scripts"))
    }
}

fn meaning(category: &str, recovery: &str) -> Markup {
    html! {
        dl.facts {
            dt { "What to do" } dd { (recovery) }
            dt { "Category" } dd { (category.replace('_', " ")) }
        }
    }
}

/// The clients of a generation in words.
fn generation(generation: Generation) -> &'static str {
    match generation {
        Generation::Zero | Generation::One => "Clients of 2025",
        Generation::Two => "Clients of early 2026",
        Generation::Three => "The newest clients",
    }
}
