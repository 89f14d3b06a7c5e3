//! `/scripts/{app}`: how the runs of one script end, for whom, and why they fail.

mod splits;

use maud::{Markup, html};

use crate::expose::one_script::{ExitCodeRuns, ScriptView, SignatureRuns};
use crate::page::address::Address;
use crate::page::chart::period::Period;
use crate::page::chart::rate::{Shares, rate as rate_chart};
use crate::page::chart::stacked::{Counts, OUTCOMES, stacked_in};
use crate::page::context::Context;
use crate::page::layout::{Page, document, section};
use crate::page::number::{change, count, counted, day, duration, grouped, percent};
use crate::page::reason;
use crate::page::table::{Column, exports, table};

/// Most periods of a chart. There are two, and the page should stay small.
const PERIODS: i64 = 46;
/// Rows of the table of exit codes.
const EXIT_CODES: usize = 15;

/// The page of one script.
#[must_use]
pub fn script(context: &Context, data: &ScriptView) -> String {
    let address = &context.address;
    let api = address.to(&["api", "scripts", &data.app]);
    let content = html! {
        @if data.total == 0 {
            p.lead { "This script did not run in this period." }
            p { "Choose a longer period, or remove a filter." }
        } @else {
            (summary(data, address))
            (section("reasons", "Why it fails", &html! {
                (reasons(data, address))
                (exports(&api, "signatures"))
            }))
            (section("days", "Since when", &days(data, address, &api)))
            (section("systems", "For whom", &html! {
                div.columns {
                    div {
                        h3 { "Operating system" }
                        (splits::systems(&data.os, "Runs by operating system", "System"))
                        (exports(&api, "os"))
                    }
                    div {
                        h3 { "Proxmox VE" }
                        (splits::systems(&data.pve_versions, "Runs by version of Proxmox VE", "Version"))
                        (exports(&api, "pve_versions"))
                    }
                }
            }))
            (section("codes", "Exit codes", &html! {
                (exit_codes(data, address))
                (exports(&api, "exit_codes"))
            }))
            (section("time", "Time and retries", &times(data)))
            (section("sizes", "Sizes and versions", &splits::sizes(data, &api)))
            (section("runs", "Newest runs", &splits::runs(data, context, &api)))
        }
    };
    document(context, &Page { title: &data.app, as_of: Some(data.as_of), filter: Some(Vec::new()), content })
}

/// The failure rate in one sentence, and the other outcomes in another.
fn summary(data: &ScriptView, address: &Address) -> Markup {
    let failure = &data.failure_rate;
    let others = [
        (data.failed, "failed", "failed"),
        (data.success, "succeeded", "success"),
        (data.blocked, "blocked by the state of the host", "blocked"),
        (data.aborted, "aborted", "aborted"),
        (data.unfinished, "never reported an end", "unfinished"),
        (data.installing, "running now", "installing"),
    ];
    let runs = address.to(&["runs"]).with(&[("app", &data.app)]);
    html! {
        p.lead {
            @match failure.rate {
                Some(share) => { strong { data value=(share) { (percent(share)) } } " of the runs failed: " },
                None => "Too few runs for a failure rate: ",
            }
            (count(failure.numerator)) " of " (count(failure.denominator))
            @if let Some(before) = &data.previous {
                @if let Some(change) = change(failure, &before.failure_rate) {
                    ", " span.change { (change) } " against the period before ("
                    (percent(before.failure_rate.rate.unwrap_or_default())) ")"
                }
            }
            "."
        }
        p.note {
            (counted(data.total, "run", "runs")) " in all"
            @if let Some(before) = &data.previous { ", after " (grouped(before.total)) " in the period before" }
            ":"
        }
        ul.outcomes {
            @for (number, text, status) in others {
                li { a href=(runs.with(&[("status", status)]).href()) { (count(number)) " " (text) } }
            }
        }
    }
}

fn reasons(data: &ScriptView, address: &Address) -> Markup {
    let columns = [
        Column::text("Reason"),
        Column::number("Failed runs"),
        Column::text("To be fixed by"),
        Column::text("First seen").wide(),
        Column::text("Last seen").wide(),
    ];
    let row = |row: &SignatureRuns| {
        let blame = row.reason.as_ref().map(|reason| reason.blame.as_str());
        html! {
            tr {
                th scope="row" {
                    (reason::title(address, &row.id, row.template.as_deref())) " "
                    (reason::state(row.state.as_deref(), row.issue_url.as_deref()))
                }
                td.number { (count(row.count)) }
                td { (reason::blame(blame)) }
                td.wide { (day(row.first_seen_day)) }
                td.wide { (day(row.last_seen_day)) }
            }
        }
    };
    let rows: Vec<_> = data.signatures.iter().map(row).collect();
    table("Reasons of failed runs", &columns, &rows, "No failed run of this period told a reason.")
}

fn days(data: &ScriptView, address: &Address, api: &Address) -> Markup {
    let (Some(first), Some(last)) = (data.daily_stats.first(), data.daily_stats.last()) else {
        return Markup::default();
    };
    let periods = Period::divide_into(first.date, last.date, PERIODS);
    let with_runs = || data.daily_stats.iter().filter(|day| day.total > 0);
    let outcomes: Counts = with_runs()
        .map(|day| (day.date, vec![day.success, day.failed, day.blocked, day.aborted, day.open]))
        .collect();
    let shares: Shares = with_runs().map(|day| (day.date, (day.failed, day.success + day.failed))).collect();
    html! {
        (rate_chart("Failure rate by UTC day", "Failed runs", &shares, &periods, data.as_of, address))
        (stacked_in("Runs by UTC day and outcome", &OUTCOMES, &outcomes, &periods, data.as_of, address))
        (exports(api, "daily_stats"))
    }
}

fn exit_codes(data: &ScriptView, address: &Address) -> Markup {
    let columns =
        [Column::text("Exit code"), Column::text("Meaning"), Column::text("Outcome"), Column::number("Runs")];
    let row = |row: &ExitCodeRuns| {
        html! {
            tr {
                th scope="row" {
                    @match row.exit_code {
                        Some(code) => a href=(address.to(&["exit-codes", &code.to_string()]).href()) { (code) },
                        None => "none",
                    }
                }
                td { (row.description) }
                td.wide { (row.category.replace('_', " ")) }
                td { (row.outcome) }
                td.number { (count(row.count)) }
            }
        }
    };
    let rows: Vec<_> = data.exit_codes.iter().take(EXIT_CODES).map(row).collect();
    html! {
        (table("Exit codes of runs that did not succeed", &columns, &rows, "Every ended run succeeded."))
        p.note {
            "A code can have several meanings, depending on the version of the scripts."
            @if data.exit_codes.len() > EXIT_CODES { " These are the first " (EXIT_CODES) " rows of " (data.exit_codes.len()) "." }
        }
    }
}

fn times(data: &ScriptView) -> Markup {
    let (durations, sessions) = (&data.durations, &data.sessions);
    html! {
        dl.facts {
            @if let (Some(p50), Some(p90), Some(p95)) = (durations.p50, durations.p90, durations.p95) {
                dt { "Duration" }
                dd {
                    "Half of the successful runs took at most " data value=(p50) { (duration(p50)) }
                    ", nine of ten " data value=(p90) { (duration(p90)) }
                    ", and 95 % " data value=(p95) { (duration(p95)) }
                    " (" (counted(durations.count, "run", "runs")) " with a duration; accurate to 4.5 %)."
                }
            }
            dt { "Retries" }
            dd {
                (counted(sessions.retried, "installation was", "installations were")) " tried more than once, of "
                (grouped(sessions.sessions)) ". A retry saved " (count(sessions.saved)) ": an attempt failed, and a later "
                "one succeeded."
            }
        }
    }
}
