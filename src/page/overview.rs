//! `/`: what broke lately, what hits many scripts, and how things are going.

use chrono::NaiveDate;
use maud::{Markup, html};

use crate::expose::dashboard::Dashboard;
use crate::expose::numbers::Rate;
use crate::expose::regressions::{RegressionView, Regressions};
use crate::expose::signatures::{SignatureView, Signatures};
use crate::page::address::Address;
use crate::page::chart::bar::bar;
use crate::page::chart::spark::sparkline;
use crate::page::chart::stacked::{Counts, OUTCOMES, stacked};
use crate::page::context::Context;
use crate::page::layout::{Page, document, section};
use crate::page::number::{self, change, count, counted, day, grouped, percent, rate};
use crate::page::reason;
use crate::page::table::{Column, exports, table};
use crate::store::model::names::RARE;

/// Rows of "Most used".
const MOST_USED: usize = 10;

/// What the overview shows.
#[derive(Debug)]
pub struct Overview {
    /// Counts of the period.
    pub dashboard: Dashboard,
    /// Scripts whose failure rate rose.
    pub regressions: Regressions,
    /// Reasons that failed again after they were resolved.
    pub regressed: Signatures,
    /// The reasons that should be fixed first.
    pub signatures: Signatures,
    /// Runs by day and outcome.
    pub outcomes: Counts,
    /// First and last day of the period.
    pub days: (NaiveDate, NaiveDate),
}

/// The overview.
#[must_use]
pub fn overview(context: &Context, data: &Overview) -> String {
    let Overview { dashboard, .. } = data;
    let address = &context.address;
    let content = html! {
        @if dashboard.total_all_time == 0 {
            p.lead { "No runs have been reported yet." }
            p {
                "Hosts report runs of their scripts to " code { "/telemetry" } " once they opt in. "
                "If a filter is set, remove it to see all runs."
            }
        } @else if dashboard.total_installs == 0 {
            p.lead { "No runs match in this period." }
            p { "Choose a longer period, or remove a filter." }
        } @else {
            (summary(data, address))
            (section("broke", "What broke lately", &broke(data, address)))
            (section("hits", "What hits many scripts", &hits(data, address)))
            (section("days", "Runs by day", &html! {
                (stacked("Runs by UTC day and outcome", &OUTCOMES, &data.outcomes, data.days, dashboard.as_of, address))
                (exports(&address.to(&["api", "timeseries"]).with(&[("group", "outcome")]), "series"))
            }))
            (section("used", "Most used", &most_used(dashboard, address)))
        }
    };
    document(
        context,
        &Page { title: "Overview", as_of: Some(dashboard.as_of), filter: Some(Vec::new()), content },
    )
}

/// The success rate in one sentence, and the other outcomes in another.
fn summary(data: &Overview, address: &Address) -> Markup {
    let dashboard = &data.dashboard;
    let Rate { numerator, denominator, rate } = dashboard.success;
    let before = dashboard.previous.as_ref().map(|previous| previous.success);
    let runs = |status: &str| {
        address
            .to(&["runs"])
            .with(&[(
                "status",
                match status {
                    "failed" => "failed",
                    "blocked" => "blocked",
                    "aborted" => "aborted",
                    "unfinished" => "unfinished",
                    _ => "installing",
                },
            )])
            .href()
    };
    let others = [
        (dashboard.failed_count, "failed", "failed"),
        (dashboard.blocked_count, "blocked by the state of the host", "blocked"),
        (dashboard.aborted_count, "aborted", "aborted"),
        (dashboard.unfinished_count, "never reported an end", "unfinished"),
        (dashboard.installing_count, "running now", "installing"),
    ];
    html! {
        p.lead {
            @match rate {
                Some(share) => { strong { data value=(share) { (percent(share)) } } " of the runs succeeded: " },
                None => "Too few runs for a rate: ",
            }
            (count(numerator)) " of " (count(denominator))
            @if let Some(before) = before {
                @if let Some(change) = change(&dashboard.success, &before) {
                    ", " span.change { (change) } " against the period before"
                }
            }
            "."
        }
        @if let Some(before) = before.filter(|before| before.denominator > 0) {
            p.note { "The period before: " (number::rate(&before)) "." }
        }
        ul.outcomes {
            @for (number, text, status) in others {
                li { a href=(runs(status)) { (count(number)) " " (text) } }
            }
        }
    }
}

fn broke(data: &Overview, address: &Address) -> Markup {
    let columns = [
        Column::text("Script"),
        Column::text("Where").wide(),
        Column::text("Since").wide(),
        Column::text("Failed before → after"),
        Column::text("Reason"),
    ];
    let rows: Vec<_> = data.regressions.regressions.iter().map(|row| regression(row, address)).collect();
    let none = format!(
        "No script fails more often than before. {} were made over the last days.",
        counted(data.regressions.tested as i64, "comparison", "comparisons")
    );
    html! {
        (table("Scripts that fail more often than before", &columns, &rows, &none))
        @if !data.regressed.signatures.is_empty() {
            h3 { "Failing again after they were resolved" }
            ul.plain {
                @for row in &data.regressed.signatures {
                    li {
                        (reason::title(address, &row.id, row.template.as_deref())) " "
                        (reason::state(row.state.as_deref(), row.issue_url.as_deref()))
                        " in " (counted(row.count, "run", "runs")) " of " (scripts(row))
                    }
                }
            }
        }
        p.note {
            "The last days are compared with the " (data.regressions.baseline_days) " days before them, whatever the "
            "period above is; only first attempts count. "
            a href="/about#regressions" { "How this is decided" } "."
        }
        (exports(&address.to(&["api", "regressions"]), "regressions"))
    }
}

fn regression(row: &RegressionView, address: &Address) -> Markup {
    let evidence = &row.clearest;
    let place = html! {
        @match (evidence.scope, &evidence.value) {
            ("os", Some(value)) => { "on " bdi { (value) } },
            ("pve", Some(value)) => { "on Proxmox VE " bdi { (value) } },
            _ => "everywhere",
        }
    };
    html! {
        tr {
            th scope="row" {
                (reason::script(address, &row.app))
                div.narrow { (place) ", since " (day(evidence.first_bad_day)) }
            }
            td.wide { (place) }
            td.wide { (day(evidence.first_bad_day)) }
            td { (rate(&evidence.before)) " → " (rate(&evidence.after)) }
            td {
                @if let Some(top) = &row.top_signature {
                    (reason::title(address, &top.id, top.template.as_deref()))
                    @if top.new { " " span.tag.new { "new" } }
                } @else if let Some(code) = &row.top_exit_code {
                    @match code.exit_code {
                        Some(code) => { "exit code " (code) ": " },
                        None => "",
                    }
                    (code.description)
                } @else { "unknown" }
            }
        }
    }
}

fn scripts(row: &SignatureView) -> Markup {
    html! {
        @match &row.apps[..] {
            [one] => bdi { (one.app) },
            _ => (counted(row.unique_apps, "script", "scripts")),
        }
    }
}

fn hits(data: &Overview, address: &Address) -> Markup {
    let columns = [
        Column::text("Reason"),
        Column::text("Runs by day").wide(),
        Column::number("Failed runs"),
        Column::number("Scripts"),
        Column::text("To be fixed by").wide(),
    ];
    let as_of = data.signatures.as_of;
    let row = |row: &SignatureView| {
        let daily = row.daily.iter().map(|day| (day.date, day.count)).collect();
        html! {
            tr {
                th scope="row" {
                    (reason::title(address, &row.id, row.template.as_deref())) " " (reason::tags(row, as_of))
                }
                td.wide { (sparkline(&daily, data.days)) }
                td.number { (count(row.count)) }
                td.number { (count(row.unique_apps)) }
                td.wide { (reason::blame(row.blame.as_deref())) }
            }
        }
    };
    let rows: Vec<_> = data.signatures.signatures.iter().map(row).collect();
    html! {
        (table("Reasons of failures, the most important first", &columns, &rows, "No failure with a known reason."))
        p { a.more href=(address.to(&["failures"]).href()) { "All reasons of failures" } }
        (exports(&address.to(&["api", "signatures"]), "signatures"))
    }
}

fn most_used(dashboard: &Dashboard, address: &Address) -> Markup {
    let columns = [Column::text("Script"), Column::number("Runs"), Column::text("").wide()];
    let top = dashboard.top_apps.iter().filter(|row| row.app != RARE).take(MOST_USED);
    let largest = top.clone().map(|row| row.count).max().unwrap_or_default();
    let rows: Vec<_> = top
        .map(|row| {
            html! {
                tr {
                    th scope="row" { (reason::script(address, &row.app)) }
                    td.number { (count(row.count)) }
                    td.wide.drawing { (bar(row.count, largest)) }
                }
            }
        })
        .collect();
    html! {
        (table("Scripts with the most runs", &columns, &rows, "No runs."))
        p {
            a.more href=(address.to(&["scripts"]).href()) { "All scripts" }
            " · " (grouped(dashboard.total_installs)) " runs in this period, " (grouped(dashboard.total_all_time)) " in all time"
        }
        (exports(&address.to(&["api", "dashboard"]), "top_apps"))
    }
}
