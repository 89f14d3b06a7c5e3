//! `/exit-codes/{code}`: what a code means in each generation of clients, what to do, and where it occurs.

use maud::{Markup, html};
use telemetry_protocol::Generation;

use crate::expose::exit_codes::ExitCodeView;
use crate::page::context::Context;
use crate::page::layout::{Page, document, section};

/// The page.
#[must_use]
pub fn one_exit_code(context: &Context, code: &ExitCodeView) -> String {
    let address = &context.address;
    let number = code.code.to_string();
    let title = format!("Exit code {number}");
    let runs = address.to(&["runs"]).with(&[("exit_code", &number)]);
    let content = html! {
        p.lead { (code.title) "." }
        (meaning(code.category, code.recovery))
        @if !code.other_generations.is_empty() {
            (section("older", "What older clients mean by it", &html! {
                @for other in &code.other_generations {
                    h3 { (generation(other.generation)) }
                    p { (other.title) "." }
                    (meaning(other.category, other.recovery))
                }
            }))
        }
        p { a.more href=(runs.href()) { "Runs that ended with this code" } }
        p { a href=(address.to(&["exit-codes"]).href()) { "All exit codes" } }
    };
    document(context, &Page { title: &title, as_of: None, filter: Some(Vec::new()), content })
}

fn meaning(category: &str, recovery: &str) -> Markup {
    html! {
        dl.facts {
            dt { "What to do" } dd { (recovery) }
            dt { "Category" } dd { (category.replace('_', " ")) }
        }
    }
}

/// The clients of a generation in words.
fn generation(generation: Generation) -> &'static str {
    match generation {
        Generation::Zero | Generation::One => "Clients of 2025",
        Generation::Two => "Clients of early 2026",
        Generation::Three => "The newest clients",
    }
}
