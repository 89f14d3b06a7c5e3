//! `/scripts`: how the runs of each script end.

use maud::{Markup, html};

use crate::expose::scripts::{ScriptOrder, Scripts, TopScript};
use crate::page::address::Address;
use crate::page::chart::bar::bar;
use crate::page::context::Context;
use crate::page::layout::{Page, document, tabs};
use crate::page::number::{count, counted, rate};
use crate::page::reason;
use crate::page::table::{Column, exports, table};

/// The parameters of the page besides the common ones.
pub const PARAMETERS: [&str; 2] = ["search", "tab"];
/// Rows of the table.
pub const LENGTH: i64 = 100;

/// Each order of the table: text, value of the parameter `tab`, value of `sort` in the API, and order.
pub const ORDERS: [(&str, &str, &str, ScriptOrder); 4] = [
    ("Most used", "", "", ScriptOrder::Runs),
    ("Most failures", "failures", "failed", ScriptOrder::Failed),
    ("Highest failure rate", "rate", "failure_rate", ScriptOrder::FailureRate),
    ("By name", "name", "app", ScriptOrder::App),
];

/// What the page shows.
#[derive(Debug)]
pub struct ScriptList {
    /// The scripts.
    pub scripts: Scripts,
    /// Their order.
    pub order: ScriptOrder,
}

/// The table of scripts.
#[must_use]
pub fn scripts(context: &Context, data: &ScriptList) -> String {
    let address = &context.address;
    let ScriptList { scripts, order } = data;
    let (_, tab, sort, _) = ORDERS.into_iter().find(|(.., known)| known == order).unwrap_or(ORDERS[0]);
    let columns = [
        Column::text("Script"),
        Column::number("Runs"),
        Column::text("").wide(),
        Column::number("Failed"),
        Column::number("Blocked").wide(),
        Column::number("Aborted").wide(),
        Column::number("Unfinished").wide(),
        Column::number("Runs per day").wide(),
    ];
    let largest = scripts.top_scripts.iter().map(|row| row.total).max().unwrap_or_default();
    let rows: Vec<_> = scripts.top_scripts.iter().map(|row| self::row(row, largest, address)).collect();
    let api =
        address.api(&["api", "scripts"]).with(&[("tab", ""), ("sort", sort), ("limit", &LENGTH.to_string())]);
    let links = ORDERS.map(|(text, value, ..)| (text, value));
    let search = address.get("search");
    let none = match search {
        Some(_) => "No script with this text in its name ran in this period.",
        None => "No script ran in this period. Choose a longer one, or remove a filter.",
    };
    let content = html! {
        p.lead {
            (counted(scripts.total_scripts, "script", "scripts")) " ran "
            (counted(scripts.total_installs, "time", "times")) " in this period."
        }
        (search_form(address))
        (tabs("Order of the scripts", address, "tab", &links, tab))
        p.note {
            @if *order == ScriptOrder::FailureRate { "Scripts with fewer than ten runs have no rate and are last. " }
            "A failure rate is the share of failed runs among those that succeeded or failed. Blocked and aborted runs are "
            "not part of it."
        }
        (table("Scripts", &columns, &rows, none))
        @if rows.len() as i64 == LENGTH {
            p.note { "These are the first " (LENGTH) ". Search for a part of the name to find others." }
        }
        (exports(&api, "top_scripts"))
    };
    let title = "Scripts";
    document(context, &Page { title, as_of: Some(scripts.as_of), filter: Some(Vec::new()), content })
}

/// The search within the page. It keeps the other parameters.
fn search_form(address: &Address) -> Markup {
    html! {
        form.find action=(address.path()) {
            @for (name, value) in address.parameters().filter(|(name, _)| *name != "search") {
                input type="hidden" name=(name) value=(value);
            }
            label for="find" { "Name contains" }
            input #find type="search" name="search" value=[address.get("search")] autocomplete="off" spellcheck="false";
            button type="submit" { "Find" }
        }
    }
}

fn row(row: &TopScript, largest: i64, address: &Address) -> Markup {
    html! {
        tr {
            th scope="row" { (reason::script(address, &row.app)) " " (kind(&row.kind)) }
            td.number { (count(row.total)) }
            td.wide.meter { (bar(row.total, largest)) }
            td.number { (rate(&row.failure)) }
            td.number.wide { (count(row.blocked)) }
            td.number.wide { (count(row.aborted)) }
            td.number.wide { (count(row.unfinished)) }
            td.number.wide { data value=(row.installs_per_day) { (format!("{:.1}", row.installs_per_day)) } }
        }
    }
}

/// The type of a script, unless it is a container.
#[must_use]
pub fn kind(kind: &str) -> Markup {
    let text = match kind {
        "lxc" | "" => return Markup::default(),
        "vm" => "virtual machine",
        "addon" => "add-on",
        "pve" => "host tool",
        "turnkey" => "TurnKey",
        other => other,
    };
    html! { small.kind { (text) } }
}
