//! `/runs`: the log of runs. Each cell filters.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use telemetry_protocol::reason::{Blame, Category};
use uuid::Uuid;

use crate::expose::execution_view::ExecutionView;
use crate::page::address::Address;
use crate::page::context::Context;
use crate::page::layout::{Field, Page, document, words};
use crate::page::number::{count, duration, moment};
use crate::page::runs::facts::outcome;
use crate::page::table::{Column, exports, table};

/// The parameters of the page besides the common ones: those of `/api/records`, except the position of the page, which no
/// link keeps.
pub const PARAMETERS: [&str; 14] = [
    "status",
    "app",
    "search",
    "os",
    "os_version",
    "pve_version",
    "arch",
    "method",
    "exit_code",
    "signature",
    "reason",
    "category",
    "blame",
    "sort",
];

/// What the page shows.
#[derive(Debug)]
pub struct Runs {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// The runs, with their keys.
    pub runs: Vec<(Uuid, ExecutionView)>,
    /// Number of runs on all pages.
    pub total: i64,
    /// Whether it is exact; else there are more.
    pub total_is_exact: bool,
    /// Whether this is the first page.
    pub is_first: bool,
    /// Cursor of the next page; `None` on the last page.
    pub next: Option<String>,
}

/// The list.
#[must_use]
pub fn runs(context: &Context, data: &Runs) -> String {
    let address = &context.address;
    let columns = [
        Column::text("Began"),
        Column::text("Script"),
        Column::text("Outcome"),
        Column::text("Reason"),
        Column::number("Exit code").wide(),
        Column::text("System").wide(),
        Column::text("Proxmox VE").wide(),
        Column::text("Settings").wide(),
        Column::number("Took").wide(),
    ];
    let rows: Vec<_> = data.runs.iter().map(|(key, run)| row(address, *key, run)).collect();
    let statuses = ["success", "failed", "blocked", "aborted", "installing", "unfinished"];
    let fields = vec![
        Field { name: "status", label: "Outcome", values: words("Any outcome", statuses) },
        Field { name: "app", label: "Script", values: Vec::new() },
        Field { name: "exit_code", label: "Exit code", values: Vec::new() },
        Field { name: "os", label: "System", values: Vec::new() },
        Field { name: "os_version", label: "Version of the system", values: Vec::new() },
        Field { name: "pve_version", label: "Proxmox VE", values: Vec::new() },
        Field {
            name: "category",
            label: "Kind of failure",
            values: words("Any kind", Category::ALL.iter().map(|category| category.as_str())),
        },
        Field {
            name: "blame",
            label: "To be fixed by",
            values: words("Any side", Blame::ALL.iter().map(|blame| blame.as_str())),
        },
    ];
    let content = html! {
        p.lead {
            @if !data.total_is_exact { "More than " }
            (count(data.total)) " " (if data.total == 1 { "run" } else { "runs" }) ", newest first. "
            "A click on a cell shows only runs like it."
        }
        div.log { (table("Runs", &columns, &rows, "No run matches in this period. Choose a longer one, or remove a filter.")) }
        nav.pages aria-label="Pages of the list" {
            @if !data.is_first { a href=(address.href()) { "Newest runs" } }
            @if let Some(next) = &data.next { a href=(address.with(&[("cursor", next)]).href()) rel="next" { "Older runs" } }
        }
        (exports(&api(address), "records"))
    };
    document(context, &Page { title: "Runs", as_of: Some(data.as_of), filter: Some(fields), content })
}

/// The endpoint with the same runs, which covers all time unless it is told otherwise.
fn api(address: &Address) -> Address {
    let has_period = ["days", "from", "to"].iter().any(|name| address.get(name).is_some());
    let api = address.api(&["api", "records"]);
    if has_period { api } else { api.with(&[("days", "30")]) }
}

fn row(address: &Address, key: Uuid, run: &ExecutionView) -> Markup {
    // A cell that narrows the list down.
    let only = |name: &'static str, value: Option<&str>| {
        let value = value.filter(|value| *value != "(rare)");
        value.map(|value| address.with(&[(name, value)]).href())
    };
    let cell = |name: &'static str, value: Option<&str>| {
        html! {
            @match only(name, value) {
                Some(link) => a href=(link) { bdi { (value.unwrap_or_default()) } },
                None => bdi { (value.unwrap_or_default()) },
            }
        }
    };
    let details = address.to(&["runs", &key.simple().to_string()]);
    let code = run.exit_code.filter(|code| *code != 0).map(|code| code.to_string());
    html! {
        tr {
            td { a href=(details.href()) { (moment(run.first_seen)) } }
            th scope="row" { (cell("app", run.app.as_deref())) }
            td { a href=[only("status", Some(run.outcome.unwrap_or("installing")))] { (outcome(run.outcome)) } }
            td {
                @if let Some(reason) = &run.reason {
                    a href=[only("signature", run.signature.as_deref())] { (reason.title) }
                }
            }
            td.number.wide { (cell("exit_code", code.as_deref())) }
            td.wide { (cell("os", run.os_type.as_deref())) " " (cell("os_version", run.os_version.as_deref())) }
            td.wide { (cell("pve_version", run.pve_version.as_deref())) }
            td.wide { (cell("method", run.method.as_deref())) }
            td.number.wide { @if let Some(seconds) = run.install_duration { (duration(seconds.into())) } }
        }
    }
}
