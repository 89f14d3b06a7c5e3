//! The common filter: links for the period, a chip for each parameter that is set, and a form for the rest.

use maud::{Markup, html};

use crate::page::address::Address;

/// Periods that have a link: value of `days`, and text.
const PERIODS: [(&str, &str); 6] = [
    ("1", "Today"),
    ("7", "7 days"),
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "365 days"),
    ("0", "All time"),
];
/// The period of a page without parameters.
const DEFAULT_DAYS: &str = "30";
/// Values and texts of the repositories; the first is the default.
const REPOSITORIES: [(&str, &str); 4] = [
    ("ProxmoxVE", "ProxmoxVE"),
    ("ProxmoxVED", "ProxmoxVED (development)"),
    ("external", "Other repositories"),
    ("all", "All repositories"),
];
/// Values and texts of the types; the first is the default.
const TYPES: [(&str, &str); 6] = [
    ("all", "All types"),
    ("lxc", "Containers"),
    ("vm", "Virtual machines"),
    ("addon", "Add-ons"),
    ("pve", "Host tools"),
    ("turnkey", "TurnKey"),
];

/// A field of the form that a page has besides the common ones. Its name is a parameter of the page.
#[derive(Clone, Debug)]
pub struct Field {
    /// Name of the parameter.
    pub name: &'static str,
    /// The label.
    pub label: &'static str,
    /// Values and texts to choose from, the default first; empty for a free text.
    pub values: Vec<(&'static str, String)>,
}

/// Words of the API as values of a [`Field`], after a first one that does not restrict.
#[must_use]
pub fn words(all: &str, words: impl IntoIterator<Item = &'static str>) -> Vec<(&'static str, String)> {
    let words = words.into_iter().map(|word| (word, word.replace('_', " ")));
    std::iter::once(("", all.to_owned())).chain(words).collect()
}

/// The filter.
pub(super) fn form(address: &Address, fields: &[Field]) -> Markup {
    let has_dates = address.get("from").or(address.get("to")).is_some();
    let days = if has_dates { "" } else { address.get("days").unwrap_or(DEFAULT_DAYS) };
    html! {
        div.filter {
            nav.periods aria-label="Period" {
                ul {
                    @for (value, text) in PERIODS {
                        @let link = address.with(&[("days", value), ("from", ""), ("to", "")]);
                        li { a href=(link.href()) aria-current=[(value == days).then_some("true")] { (text) } }
                    }
                }
            }
            (chips(address))
            details {
                summary { "Filter" }
                form action=(address.path()) {
                    (date("from", "From", address))
                    (date("to", "To", address))
                    (choice("repo", "Repository", &REPOSITORIES, address))
                    (choice("type", "Type", &TYPES, address))
                    (text("slug", "Repository slug", "owner/name", address))
                    (text("platform", "Platform", "pve", address))
                    @for field in fields {
                        @if field.values.is_empty() { (text(field.name, field.label, "", address)) }
                        @else { (choice(field.name, field.label, &field.values, address)) }
                    }
                    @for (name, value) in address.parameters() {
                        @let is_shown = fields.iter().any(|field| field.name == name);
                        @if !is_shown && !matches!(name, "from" | "to" | "repo" | "type" | "slug" | "platform") {
                            input type="hidden" name=(name) value=(value);
                        }
                    }
                    button type="submit" { "Apply" }
                }
            }
        }
    }
}

/// The parameters that are set, each with a link that removes it.
fn chips(address: &Address) -> Markup {
    let chips: Vec<_> = address
        .parameters()
        .filter(|(name, value)| {
            let is_default = matches!((*name, *value), ("repo", "ProxmoxVE") | ("type", "all"));
            // The periods and the tabs show these.
            !is_default && !matches!(*name, "days" | "tab")
        })
        .collect();
    html! {
        @if !chips.is_empty() {
            ul.chips aria-label="Filters" {
                @for (name, value) in chips {
                    li {
                        a href=(address.with(&[(name, "")]).href()) {
                            (label(name)) ": " bdi { (value) } span aria-hidden="true" { " ×" } span.sr { " (remove)" }
                        }
                    }
                }
            }
        }
    }
}

/// The name of a parameter in words.
fn label(name: &str) -> String {
    match name {
        "repo" => "repository".to_owned(),
        "slug" => "repository slug".to_owned(),
        "os" => "operating system".to_owned(),
        name => name.replace('_', " "),
    }
}

fn date(name: &'static str, label: &str, address: &Address) -> Markup {
    html! {
        label { (label) " " input type="date" name=(name) value=[address.get(name)]; }
    }
}

fn text(name: &'static str, label: &str, example: &str, address: &Address) -> Markup {
    html! {
        label { (label) " " input type="text" name=(name) value=[address.get(name)] placeholder=(example); }
    }
}

fn choice(name: &'static str, label: &str, values: &[(&str, impl AsRef<str>)], address: &Address) -> Markup {
    let selected = address.get(name).or(values.first().map(|(value, _)| *value));
    html! {
        label {
            (label) " "
            select name=(name) {
                @for (value, text) in values { option value=(value) selected[Some(*value) == selected] { (text.as_ref()) } }
            }
        }
    }
}
