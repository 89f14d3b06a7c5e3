//! `/exit-codes`: the meaning of every exit code, and how many runs ended with it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use telemetry_protocol::Generation;
use telemetry_protocol::exit_code::{entries, explain};

use crate::page::address::Address;
use crate::page::context::Context;
use crate::page::layout::{Page, document};
use crate::page::number::count;
use crate::page::table::{Column, exports, table};

/// What the page shows.
#[derive(Debug)]
pub struct ExitCodes {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// Failed, blocked and aborted runs of the period by exit code; -1 for none.
    pub runs: BTreeMap<i16, i64>,
}

/// The catalogue, the most frequent codes first.
#[must_use]
pub fn exit_codes(context: &Context, data: &ExitCodes) -> String {
    let address = &context.address;
    let known = entries(Generation::NEWEST).filter_map(|entry| i16::try_from(entry.code).ok());
    let mut codes: Vec<_> = known.chain(data.runs.keys().copied()).filter(|code| *code > 0).collect();
    let runs = |code: i16| data.runs.get(&code).copied().unwrap_or_default();
    codes.sort_unstable();
    codes.dedup();
    codes.sort_by_key(|code| std::cmp::Reverse(runs(*code)));
    let rows: Vec<_> = codes.into_iter().map(|code| row(address, code, runs(code))).collect();
    let columns = [
        Column::number("Exit code"),
        Column::text("Meaning"),
        Column::number("Runs"),
        Column::text("Category").wide(),
    ];
    let without = runs(-1);
    let content = html! {
        p.lead { "What each exit code of a script means, for the newest clients. Older clients gave some codes another meaning." }
        (table("Exit codes", &columns, &rows, "There are none."))
        @if without > 0 { p.note { (count(without)) " runs without success reported no exit code." } }
        p.note { "Runs that failed, were blocked or were aborted in this period." }
        (exports(&address.to(&["api", "errors"]), "exit_code_stats"))
    };
    document(
        context,
        &Page { title: "Exit codes", as_of: Some(data.as_of), filter: Some(Vec::new()), content },
    )
}

fn row(address: &Address, code: i16, runs: i64) -> Markup {
    let meaning = explain(Generation::NEWEST, code.into());
    html! {
        tr {
            th.number scope="row" { a href=(address.to(&["exit-codes", &code.to_string()]).href()) { (code) } }
            td { (meaning.title) }
            td.number { (count(runs)) }
            td.wide { (meaning.category.as_str().replace('_', " ")) }
        }
    }
}
