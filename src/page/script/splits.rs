//! The tables of a script by system, size and version, and its newest runs.

use maud::{Markup, html};

use crate::expose::execution_view::ExecutionView;
use crate::expose::one_script::{DistributionView, PlatformView, ScriptView};
use crate::page::address::Address;
use crate::page::context::Context;
use crate::page::number::{count, day, moment, rate};
use crate::page::reason;
use crate::page::table::{Column, exports, table};
use crate::store::model::names::RARE;

/// Rows of a table.
const LENGTH: usize = 12;

/// Ended runs by system.
pub(super) fn systems(rows: &[PlatformView], caption: &str, name: &'static str) -> Markup {
    let columns = [Column::text(name), Column::number("Ended runs"), Column::number("Failed")];
    let shown: Vec<_> = rows
        .iter()
        .take(LENGTH)
        .map(|row| {
            html! {
                tr {
                    th scope="row" {
                        @if row.name.is_empty() { span.few { "not reported" } }
                        @else { bdi { (row.name) " " (row.version) } }
                    }
                    td.number { (count(row.count)) }
                    td.number { (rate(&row.failure_rate)) }
                }
            }
        })
        .collect();
    html! {
        (table(caption, &columns, &shown, "No run ended in this period."))
        @if rows.len() > LENGTH { p.note { "The first " (LENGTH) " of " (rows.len()) "." } }
    }
}

/// Runs by size, by privilege and by version.
pub(super) fn sizes(data: &ScriptView, api: &Address) -> Markup {
    let lists = [
        ("Cores", "cores", &data.cores, ""),
        ("Memory", "ram", &data.ram, " MB"),
        ("Disk", "disk", &data.disk, " GB"),
        ("Container", "privilege", &data.privilege, ""),
        ("Version of the application", "app_versions", &data.app_versions, ""),
    ];
    html! {
        p.note {
            "Runs from " (day(data.distribution_from)) " to " (day(data.distribution_to)) " that reported the value."
        }
        div.columns {
            @for (name, list, rows, unit) in lists {
                @if !rows.is_empty() {
                    div {
                        h3 { (name) }
                        (distribution(rows, name, unit))
                        (exports(api, list))
                    }
                }
            }
        }
    }
}

fn distribution(rows: &[DistributionView], name: &str, unit: &str) -> Markup {
    let columns = [Column::text("Value"), Column::number("Runs"), Column::number("Failed")];
    let shown: Vec<_> = rows
        .iter()
        .take(LENGTH)
        .map(|row| {
            html! {
                tr {
                    th scope="row" {
                        @if row.value == RARE { span.few { "versions that few have" } }
                        @else { bdi { (row.value) } (unit) }
                    }
                    td.number { (count(row.count)) }
                    td.number { (rate(&row.failure_rate)) }
                }
            }
        })
        .collect();
    html! {
        (table(name, &columns, &shown, "Not reported."))
        @if rows.len() > LENGTH { p.note { "The first " (LENGTH) " of " (rows.len()) "." } }
    }
}

/// The newest runs of the last day with any.
pub(super) fn runs(data: &ScriptView, context: &Context, api: &Address) -> Markup {
    let address = &context.address;
    let columns = [
        Column::text("Begin").wide(),
        Column::text("Outcome"),
        Column::text("Reason"),
        Column::text("System").wide(),
        Column::text("Proxmox VE").wide(),
        Column::text("Exit code").wide(),
    ];
    let row = |run: &ExecutionView| {
        html! {
            tr {
                th.wide scope="row" { (moment(run.first_seen)) }
                td { (run.outcome.unwrap_or("running")) }
                td { (why(run, address)) }
                td.wide { bdi { (run.os_type.as_deref().unwrap_or_default()) " " (run.os_version.as_deref().unwrap_or_default()) } }
                td.wide { bdi { (run.pve_version.as_deref().unwrap_or_default()) } }
                td.wide {
                    @if let Some(code) = run.exit_code.filter(|code| *code != 0) {
                        a href=(address.to(&["exit-codes", &code.to_string()]).href()) { (code) }
                    }
                }
            }
        }
    };
    let rows: Vec<_> = data.recent_records.iter().map(row).collect();
    let all = address.to(&["runs"]).with(&[("app", &data.app)]);
    html! {
        (table("Newest runs of the last day with any", &columns, &rows, "No run is stored any more."))
        p { a.more href=(all.href()) { "All runs of this script" } }
        (exports(api, "recent_records"))
    }
}

/// The reason of a run with a link to it, and its line for those who may see it.
fn why(run: &ExecutionView, address: &Address) -> Markup {
    let Some(reason) = &run.reason else { return Markup::default() };
    let link = run.signature.as_deref().and_then(|id| reason::link(address, id));
    html! {
        @match link {
            Some(link) => a.reason href=(link) { (reason.title) },
            None => (reason.title),
        }
        @if let Some(subject) = &reason.subject { ": " bdi { (subject) } }
        @if let Some(line) = &reason.line { br; code { bdi { (line) } } }
    }
}
