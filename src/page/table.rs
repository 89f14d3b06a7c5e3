//! Tables: a caption, sortable heads, and the addresses of the same data as JSON and CSV.

use maud::{Markup, html};

use crate::page::address::Address;

/// The head of a column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    name: &'static str,
    class: &'static str,
}

impl Column {
    /// A column of texts, or of drawings if the name is empty.
    #[must_use]
    pub const fn text(name: &'static str) -> Self {
        Self { name, class: "" }
    }

    /// A column of numbers.
    #[must_use]
    pub const fn number(name: &'static str) -> Self {
        Self { name, class: "number" }
    }

    /// A column that narrow screens leave out. Its cells need the class `wide` as well.
    #[must_use]
    pub const fn wide(self) -> Self {
        let class = if self.class.is_empty() { "wide" } else { "number wide" };
        Self { class, ..self }
    }
}

/// A table with `rows` (`tr` elements), or a note if there are none.
#[must_use]
pub fn table(caption: &str, columns: &[Column], rows: &[Markup], if_empty: &str) -> Markup {
    if rows.is_empty() {
        return html! { p.empty { (if_empty) } };
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption.sr { (caption) }
                thead {
                    tr { @for column in columns { (head(column)) } }
                }
                tbody { @for row in rows { (row) } }
            }
        }
    }
}

/// The head of a column. One without a name, such as of bars, is not a header to screen readers.
fn head(column: &Column) -> Markup {
    let class = Some(column.class).filter(|class| !class.is_empty());
    html! {
        @if column.name.is_empty() { td class=[class] {} } @else { th scope="col" class=[class] { (column.name) } }
    }
}

/// Links to the data of a table: `api` as JSON, and its list with this name as CSV.
#[must_use]
pub fn exports(api: &Address, list: &'static str) -> Markup {
    html! {
        p.exports {
            "The same data as "
            a href=(api.href()) { "JSON" }
            " or "
            a href=(api.with(&[("format", "csv"), ("list", list)]).href()) { "CSV" }
            "."
        }
    }
}
