//! What every page is rendered for.

use crate::page::address::Address;

/// A request for a page.
#[derive(Clone, Debug)]
pub struct Context {
    /// The address that was requested, without parameters that the page does not have.
    pub address: Address,
    /// The reader.
    pub visitor: Visitor,
}

/// What a reader may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// Sees counts and names that many runs have.
    Public,
    /// Also sees texts of single runs.
    Maintainer,
    /// Also sets states. Every form that changes something contains this token, which other sites cannot know.
    Administrator {
        /// The token.
        form_token: String,
    },
}

impl Visitor {
    /// Whether the reader is signed in.
    #[must_use]
    pub fn is_signed_in(&self) -> bool {
        *self != Self::Public
    }
}
