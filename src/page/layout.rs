//! The frame of every page: header with navigation and search, the filter, the content, and the footer.

mod filter;

use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, html};

use crate::page::address::Address;
use crate::page::assets::{ICON, SCRIPT, STYLE};
use crate::page::context::{Context, Visitor};
pub use crate::page::layout::filter::{Field, words};
use crate::page::number::moment;

/// The navigation: path, and text of the link.
const PAGES: [(&str, &str); 9] = [
    ("", "Overview"),
    ("failures", "Failures"),
    ("scripts", "Scripts"),
    ("popular", "Popular"),
    ("runs", "Runs"),
    ("reasons", "Reasons"),
    ("exit-codes", "Exit codes"),
    ("my-run", "My run"),
    ("about", "About"),
];

/// What a page consists of.
#[derive(Debug)]
pub struct Page<'a> {
    /// Title of the page; also its heading.
    pub title: &'a str,
    /// The moment for which the numbers are true; `None` for a page without numbers.
    pub as_of: Option<DateTime<Utc>>,
    /// The fields that the filter form has besides the common ones; `None` for a page without a filter.
    pub filter: Option<Vec<Field>>,
    /// The content below the heading.
    pub content: Markup,
}

/// The complete document.
#[must_use]
pub fn document(context: &Context, page: &Page<'_>) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (page.title) " · Proxmox VE Helper-Scripts telemetry" }
                link rel="icon" type="image/svg+xml" href=(ICON.path);
                link rel="stylesheet" href=(STYLE.path);
                script src=(SCRIPT.path) {}
            }
            body {
                a.skip href="#main" { "Skip to content" }
                (header(context))
                main #main {
                    h1 { bdi { (page.title) } }
                    @if let Some(fields) = &page.filter { (filter::form(&context.address, fields)) }
                    (page.content)
                }
                (footer(page))
            }
        }
    };
    markup.into_string()
}

fn header(context: &Context) -> Markup {
    let address = &context.address;
    let section = address.path().split('/').nth(1).unwrap_or_default();
    html! {
        header.top {
            a.brand href=(address.to(&[]).href()) { "Helper-Scripts " span { "telemetry" } }
            nav aria-label="Pages" {
                ul {
                    @for (path, text) in PAGES {
                        @let target = if path.is_empty() { address.to(&[]) } else { address.to(&[path]) };
                        li { a href=(target.href()) aria-current=[(section == path).then_some("page")] { (text) } }
                    }
                }
            }
            form.search action="/scripts" role="search" {
                @for (name, value) in address.to(&["scripts"]).parameters() {
                    input type="hidden" name=(name) value=(value);
                }
                label.sr for="search" { "Search scripts" }
                input #search type="search" name="search" placeholder="Search scripts" autocomplete="off";
            }
            div.switches { (session(&context.visitor)) }
        }
    }
}

/// The link to sign in, or the form to sign out.
fn session(visitor: &Visitor) -> Markup {
    html! {
        @if visitor.is_signed_in() {
            form action="/sign-out" method="post" { button type="submit" { "Sign out" } }
        } @else {
            a href="/sign-in" { "Sign in" }
        }
    }
}

fn footer(page: &Page<'_>) -> Markup {
    html! {
        footer {
            p {
                @if let Some(as_of) = page.as_of { span.as-of { "As of " (moment(as_of)) ". " } }
                "Days are UTC days. Runs of hosts that opted in are counted, not people."
            }
            p {
                a href="/about" { "What is counted, and what is not" } " · "
                a href="/docs" { "API" }
            }
        }
    }
}

/// A section of a page with a heading that can be linked.
#[must_use]
pub fn section(id: &str, title: &str, content: &Markup) -> Markup {
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { a href={ "#" (id) } { (title) } }
            (content)
        }
    }
}

/// Tabs: a name, the value of the parameter `name` that selects it, and which is selected.
#[must_use]
pub fn tabs(
    label: &str,
    address: &Address,
    name: &'static str,
    tabs: &[(&str, &str)],
    selected: &str,
) -> Markup {
    html! {
        nav.tabs aria-label=(label) {
            ul {
                @for (text, value) in tabs {
                    li { a href=(address.with(&[(name, value)]).href()) aria-current=[(*value == selected).then_some("true")] { (text) } }
                }
            }
        }
    }
}
