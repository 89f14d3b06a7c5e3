//! The page that says why a request has no answer.

use maud::html;

use crate::page::context::Context;
use crate::page::layout::{Page, document};

/// A request without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// The parameter at fault; `None` if there is none.
    pub parameter: Option<&'static str>,
    /// The reason as a sentence.
    pub message: String,
    /// What to do about it.
    pub advice: &'static str,
}

/// The page of a problem.
#[must_use]
pub fn problem(context: &Context, problem: &Problem) -> String {
    let address = &context.address;
    let content = html! {
        p.lead { (problem.message) }
        p { (problem.advice) }
        ul {
            @if let Some(name) = problem.parameter {
                li { a href=(address.with(&[(name, "")]).href()) { "This page without " code { (name) } } }
            }
            @if problem.status == 503 { li { a href=(address.href()) { "Try again" } } }
            li { a href="/" { "Overview" } }
            li { a href="/scripts" { "All scripts" } }
        }
        p.note { "Status " (problem.status) "." }
    };
    document(context, &Page { title: problem.title, as_of: None, filter: None, content })
}
