//! `/my-run`: everything stored about one's own run, and how to erase it. The id is sent in forms, never in an address.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::expose::execution_view::ExecutionView;
use crate::page::context::Context;
use crate::page::layout::{Page, document};
use crate::page::number::{counted, moment};
use crate::page::runs::facts::facts;

/// What the page shows.
#[derive(Debug)]
pub enum OwnRun {
    /// The field for the id.
    Form,
    /// What is stored about an id.
    Stored {
        /// The id, as it was sent.
        id: String,
        /// The moment.
        as_of: DateTime<Utc>,
        /// The runs, newest first; empty if nothing is stored.
        runs: Vec<ExecutionView>,
    },
    /// The question whether to erase it.
    Confirm {
        /// The id, as it was sent.
        id: String,
        /// The number of runs.
        runs: usize,
    },
    /// It is erased.
    Erased {
        /// The number of runs.
        runs: u64,
    },
}

/// The page.
#[must_use]
pub fn own_run(context: &Context, data: &OwnRun) -> String {
    let address = &context.address;
    let (title, content) = match data {
        OwnRun::Form => (
            "My run",
            html! {
                p.lead { "See everything that is stored about a run of yours, and erase it." }
                (search(""))
                p {
                    "On the host that reported it, " code { "telemetry runs" } " prints the ids of its runs; they are in "
                    code { "/var/lib/community-scripts/telemetry/runs" } ". " code { "telemetry forget" } " erases all of them at once."
                }
                p.note { "An id is a secret: it opens the run for anybody. It is not stored, not logged, and not part of any address." }
            },
        ),
        OwnRun::Stored { id, runs, .. } if runs.is_empty() => (
            "Nothing is stored under this id",
            html! {
                p.lead { "The run may have been erased, or it has expired, or the id is not complete." }
                p { "A run that reported a moment ago is here at once, unless the database was away." }
                (search(id))
            },
        ),
        OwnRun::Stored { id, runs, as_of } => (
            "My run",
            html! {
                p.lead {
                    (counted(runs.len() as i64, "run is", "runs are")) " stored under this id. This is everything, except keyed "
                    "hashes of the ids."
                }
                @for (number, run) in runs.iter().enumerate() {
                    section aria-labelledby={ "run-" (number) } {
                        h2 id={ "run-" (number) } {
                            bdi { (run.app.as_deref().unwrap_or("Unknown script")) } ", " (moment(run.first_seen))
                        }
                        (facts(address, run))
                    }
                }
                p.note { "True at " (moment(*as_of)) "." }
                section aria-labelledby="erase" {
                    h2 #erase { "Erase" }
                    p { "Erasing removes the run from every count as well. It cannot be undone." }
                    (button("/my-run/erase", id, "Erase …", false))
                }
            },
        ),
        OwnRun::Confirm { id, runs } => (
            "Erase this run?",
            html! {
                p.lead {
                    (counted(*runs as i64, "run", "runs")) " and everything counted for it will be erased. This cannot be undone."
                }
                (button("/my-run/erase", id, "Erase for ever", true))
                p { a href="/my-run" { "Keep it" } }
            },
        ),
        OwnRun::Erased { runs } => (
            "Erased",
            html! {
                p.lead { (counted(i64::try_from(*runs).unwrap_or(i64::MAX), "run is", "runs are")) " erased." }
                p {
                    "No report that arrived before will bring it back. Sums over months follow within a minute, copies in caches "
                    "within a few. "
                    a href="/about#erase" { "What is kept after erasing" } "."
                }
            },
        ),
    };
    document(context, &Page { title, as_of: None, filter: None, content })
}

/// The field for the id.
fn search(id: &str) -> Markup {
    html! {
        form.stacked action="/my-run" method="post" autocomplete="off" {
            label for="id" { "Id of the run" }
            input #id type="text" name="id" value=(id) required maxlength="200" autocapitalize="none" spellcheck="false";
            button type="submit" { "Show" }
        }
    }
}

/// A button that sends the id.
fn button(action: &str, id: &str, text: &str, is_confirmed: bool) -> Markup {
    html! {
        form action=(action) method="post" {
            input type="hidden" name="id" value=(id);
            @if is_confirmed { input type="hidden" name="confirmed" value="yes"; }
            button.danger type="submit" { (text) }
        }
    }
}
