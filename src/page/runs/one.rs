//! `/runs/{key}`: one run of the list.

use chrono::{DateTime, Utc};
use maud::html;

use crate::expose::execution_view::ExecutionView;
use crate::page::context::Context;
use crate::page::layout::{Page, document};
use crate::page::runs::facts::facts;

/// What the page shows.
#[derive(Debug)]
pub struct OneRun {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// The run.
    pub run: ExecutionView,
}

/// The page.
#[must_use]
pub fn one_run(context: &Context, data: &OneRun) -> String {
    let app = data.run.app.as_deref().unwrap_or("unknown script");
    let title = format!("A run of {app}");
    let content = html! {
        @if !context.visitor.is_signed_in() {
            p.note {
                "Texts and hardware of single runs are shown to maintainers only. "
                "If this is your run, see " a href="/my-run" { "all that is stored about it" } "."
            }
        }
        (facts(&context.address, &data.run))
        p { a href=(context.address.to(&["runs"]).href()) { "All runs" } }
    };
    document(context, &Page { title: &title, as_of: Some(data.as_of), filter: None, content })
}
