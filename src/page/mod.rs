//! The web page: pure functions from the answers of the API to HTML. Handlers are in `http::pages`.
//!
//! A page is rendered for a [`context::Context`]: the address that was requested, whose parameters every link
//! keeps, and the visitor. Everything works without JavaScript; the script only adds comfort. The content security
//! policy allows nothing inline, so there are no `style` attributes: lengths are attributes of SVG elements.

pub mod assets;
pub mod address;
pub mod context;
pub mod number;
pub mod chart;
pub mod table;
pub mod reason;
pub mod layout;
pub mod problem;
pub mod overview;
pub mod failures;
pub mod triage;
pub mod failure;
pub mod scripts;
pub mod script;
pub mod popular;
pub mod runs;
pub mod catalogue;
pub mod about;
pub mod sign_in;

#[cfg(test)]
mod tests;
