//! `/failures`: why runs failed, what should be fixed first.

use chrono::NaiveDate;
use maud::{Markup, html};
use telemetry_protocol::reason::{Blame, Category};

use crate::expose::signatures::{SignatureView, Signatures};
use crate::page::address::Address;
use crate::page::chart::spark::sparkline;
use crate::page::context::Context;
use crate::page::layout::{Field, Page, document, tabs, words};
use crate::page::number::{count, counted, day, rate};
use crate::page::reason;
use crate::page::table::{Column, exports, table};

/// The parameters of the page besides the common ones.
pub const PARAMETERS: [&str; 4] = ["tab", "blame", "category", "reason"];

/// Most rows of the list.
pub const LENGTH: i64 = 50;

/// Which reasons are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// All but ignored ones.
    All,
    /// First seen in the last seven days.
    New,
    /// With twice as many failures in the last seven days as in the seven days before.
    Rising,
    /// Of runs that the state of the host prevented.
    Blocked,
    /// Those that maintainers ignore.
    Ignored,
}

impl Tab {
    /// Every tab: text, value of the parameter `tab`, and tab.
    pub const ALL: [(&str, &str, Self); 5] = [
        ("What to fix first", "", Self::All),
        ("New", "new", Self::New),
        ("Rising", "rising", Self::Rising),
        ("Blocked", "blocked", Self::Blocked),
        ("Ignored", "ignored", Self::Ignored),
    ];

    fn value(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, _, tab)| *tab == self).map_or("", |(_, value, _)| value)
    }
}

/// What the page shows.
#[derive(Debug)]
pub struct Failures {
    /// The reasons.
    pub signatures: Signatures,
    /// The tab.
    pub tab: Tab,
    /// First and last day of the period.
    pub days: (NaiveDate, NaiveDate),
}

/// The list of reasons.
#[must_use]
pub fn failures(context: &Context, data: &Failures) -> String {
    let address = &context.address;
    let Failures { signatures, tab, .. } = data;
    let as_of = signatures.as_of;
    let listed =
        signatures.signatures.iter().filter(|row| *tab != Tab::Rising || reason::is_rising(row.trend));
    let rows: Vec<_> = listed.map(|row| self::row(row, data, address)).collect();
    let columns = [
        Column::text("Reason"),
        Column::text("Runs by day").wide(),
        Column::number("Runs"),
        Column::number("Share").wide(),
        Column::text("Scripts"),
        Column::text("Exit code").wide(),
        Column::text("To be fixed by").wide(),
        Column::text("First seen").wide(),
        Column::text("Last seen").wide(),
    ];
    let links = Tab::ALL.map(|(text, value, _)| (text, value));
    let content = html! {
        p.lead {
            @let runs = counted(signatures.failed_count, "run", "runs");
            @if *tab == Tab::Blocked {
                (runs) " could not start because of the state of the host."
            } @else {
                (runs) " failed in this period."
            }
        }
        (tabs("Lists of reasons", address, "tab", &links, tab.value()))
        p.note {
            @match tab {
                Tab::All => "Recent failures that hit many scripts come first; resolved ones are last.",
                Tab::New => "First seen in the last seven days, newest first.",
                Tab::Rising => "At least ten failures in the last seven days, and twice as many as in the seven days before.",
                Tab::Blocked => "These runs do not count as failures: the host did not meet a requirement.",
                Tab::Ignored => "Maintainers decided not to act on these.",
            }
        }
        (table("Reasons", &columns, &rows, "Nothing here in this period."))
        @if signatures.signatures.len() >= LENGTH as usize && *tab != Tab::Rising {
            p.note { "These are the first " (LENGTH) ". A filter shows others." }
        }
        (exports(&api(address, *tab, as_of.date_naive()), "signatures"))
    };
    let blames = words("Any side", Blame::ALL.iter().map(|blame| blame.as_str()));
    let categories = words("Any kind", Category::ALL.iter().map(|category| category.as_str()));
    let filter = vec![
        Field { name: "blame", label: "To be fixed by", values: blames },
        Field { name: "category", label: "Kind", values: categories },
    ];
    document(context, &Page { title: "Why runs fail", as_of: Some(as_of), filter: Some(filter), content })
}

/// The endpoint with the same list.
fn api(address: &Address, tab: Tab, today: NaiveDate) -> Address {
    let api = address.api(&["api", "signatures"]).with(&[("tab", "")]);
    match tab {
        Tab::All => api,
        Tab::New => api.with(&[("new_since", &reason::new_since(today).to_string()), ("sort", "created")]),
        Tab::Rising => api.with(&[("limit", "200")]),
        Tab::Blocked => api.with(&[("outcome", "blocked")]),
        Tab::Ignored => api.with(&[("state", "ignored")]),
    }
}

fn row(row: &SignatureView, data: &Failures, address: &Address) -> Markup {
    let daily = row.daily.iter().map(|day| (day.date, day.count)).collect();
    html! {
        tr {
            th scope="row" {
                @if data.tab == Tab::Blocked {
                    // The page of a reason is about failed runs.
                    @let runs = address.to(&["runs"]).with(&[("status", "blocked"), ("signature", &row.id)]);
                    a.reason href=(runs.href()) { bdi { (row.template.as_deref().unwrap_or("The log does not say why")) } }
                } @else {
                    (reason::title(address, &row.id, row.template.as_deref()))
                }
                " " (reason::tags(row, data.signatures.as_of))
            }
            td.wide { (sparkline(&daily, data.days)) }
            td.number { (count(row.count)) }
            td.number.wide { (rate(&row.share)) }
            td { (scripts(row, address)) }
            td.wide {
                @for (position, code) in row.exit_codes.iter().take(3).enumerate() {
                    @if position > 0 { ", " }
                    @match code.exit_code {
                        Some(code) => a href=(address.to(&["exit-codes", &code.to_string()]).href()) { (code) },
                        None => "none",
                    }
                }
            }
            td.wide { (reason::blame(row.blame.as_deref())) }
            td.wide { (day(row.first_seen_day)) }
            td.wide { (day(row.last_seen_day)) }
        }
    }
}

/// The most affected scripts, and how many others there are.
fn scripts(row: &SignatureView, address: &Address) -> Markup {
    let named = row.apps.iter().take(2);
    let others = row.unique_apps - named.len() as i64;
    html! {
        @for (position, app) in named.enumerate() {
            @if position > 0 { ", " }
            (reason::script(address, &app.app))
        }
        @if others > 0 { " and " (counted(others, "other", "others")) }
    }
}
