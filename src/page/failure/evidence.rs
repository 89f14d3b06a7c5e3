//! The tables of a reason: scripts, what differs, and the newest runs.

use maud::{Markup, html};

use super::source_line;
use crate::expose::execution_view::ExecutionView;
use crate::expose::signatures::OneSignature;
use crate::page::address::Address;
use crate::page::chart::bar::{bar, compared};
use crate::page::context::Context;
use crate::page::number::{count, day, moment, rate};
use crate::page::reason;
use crate::page::table::{Column, exports, table};

/// Scripts that are listed.
const SCRIPTS: usize = 20;
/// Most differences that are listed.
const DIFFERENCES: usize = 12;
/// Smallest difference of two shares that is listed, unless there are only smaller ones.
const DIFFERENCE: f64 = 0.05;
/// Differences that are listed in any case.
const FIRST_DIFFERENCES: usize = 3;

pub(super) fn scripts(signature: &OneSignature, address: &Address, api: &Address) -> Markup {
    let columns = [Column::text("Script"), Column::number("Failed runs"), Column::text("").wide()];
    let largest = signature.apps.first().map_or(0, |row| row.count);
    let rows = signature.apps.iter().take(SCRIPTS).map(|row| {
        html! {
            tr {
                th scope="row" { (reason::script(address, &row.app)) }
                td.number { (count(row.count)) }
                td.wide.drawing { (bar(row.count, largest)) }
            }
        }
    });
    let rows: Vec<_> = rows.collect();
    html! {
        (table("Scripts that fail for this reason", &columns, &rows, "No script."))
        @if signature.apps.len() > SCRIPTS { p.note { "The " (SCRIPTS) " most affected of " (signature.apps.len()) "." } }
        (exports(api, "apps"))
    }
}

pub(super) fn differs(signature: &OneSignature, api: &Address) -> Markup {
    let columns = [
        Column::text("Property"),
        Column::text("Value"),
        Column::number("Of these failures"),
        Column::number("Of all runs"),
        Column::text("").wide(),
    ];
    let rows = signature.differs.iter().take(DIFFERENCES).enumerate().filter(|(position, row)| {
        let size = row.share.rate.zip(row.baseline.rate).map(|(here, all)| (here - all).abs());
        *position < FIRST_DIFFERENCES || size.is_some_and(|size| size >= DIFFERENCE)
    });
    let rows = rows.map(|(_, row)| {
        html! {
            tr {
                td { (facet(&row.facet)) }
                th scope="row" { bdi { (row.value) } }
                td.number { (rate(&row.share)) }
                td.number { (rate(&row.baseline)) }
                td.wide.drawing { (compared(row.share.rate.unwrap_or_default(), row.baseline.rate.unwrap_or_default())) }
            }
        }
    });
    let rows: Vec<_> = rows.collect();
    html! {
        p.note {
            "A property that is more frequent "
            span.key { "in these failures" } " than " span.key.open { "in all runs of these scripts" }
            " may be the cause"
            @if let (Some(from), Some(to)) = (signature.differs_from, signature.differs_to) {
                "; runs from " (day(from)) " to " (day(to)) " are compared"
            }
            "."
        }
        (table("Where these failures differ from all runs", &columns, &rows, "These failures do not differ from other runs of the same scripts."))
        (exports(api, "differs"))
    }
}

/// The name of a facet in words.
fn facet(name: &str) -> &str {
    match name {
        "os" => "Operating system",
        "os_version" => "System version",
        "pve_version" => "Proxmox VE",
        "arch" => "Architecture",
        "method" => "Settings",
        "template" => "Template",
        "runtime" => "Scripts loaded from",
        "cpu_vendor" => "CPU",
        other => other,
    }
}

pub(super) fn runs(signature: &OneSignature, context: &Context, api: &Address) -> Markup {
    let columns = [
        Column::text("Begin").wide(),
        Column::text("Script"),
        Column::text("System"),
        Column::text("Proxmox VE").wide(),
        Column::text("Exit code"),
        Column::text("Failing line"),
    ];
    let row = |run: &ExecutionView| {
        let line = run.reason.as_ref().and_then(|reason| reason.line.as_deref());
        html! {
            tr {
                td.wide { (moment(run.first_seen)) }
                th scope="row" {
                    @if let Some(app) = &run.app {
                        (reason::script(&context.address, app))
                    }
                }
                td { bdi { (run.os_type.as_deref().unwrap_or_default()) " " (run.os_version.as_deref().unwrap_or_default()) } }
                td.wide { bdi { (run.pve_version.as_deref().unwrap_or_default()) } }
                td {
                    @if let Some(code) = run.exit_code {
                        a href=(context.address.to(&["exit-codes", &code.to_string()]).href()) { (code) }
                    }
                }
                td {
                    @if let Some(line) = line { code { bdi { (line) } } " " }
                    @match (run.failed_line, source_line(run)) {
                        (Some(number), Some(link)) => a href=(link) rel="noreferrer" { "line " (number) },
                        (Some(number), None) => { "line " (number) },
                        (None, _) => "",
                    }
                }
            }
        }
    };
    let rows: Vec<_> = signature.recent_records.iter().map(row).collect();
    let all = context.address.to(&["runs"]).with(&[("signature", &signature.id)]);
    html! {
        @if !context.visitor.is_signed_in() {
            p.note { "Texts of single runs are shown to maintainers only. " a href="/sign-in" { "Sign in" } }
        }
        (table("Newest runs of the last day with any", &columns, &rows, "No run is stored any more."))
        p { a.more href=(all.href()) { "All runs that failed for this reason" } }
        (exports(api, "recent_records"))
    }
}
