//! What `data/secrets.toml` holds, as the build script writes it: the rules and the lists of words. `rules.rs` applies them.

use super::Placeholder;

include!(concat!(env!("OUT_DIR"), "/secrets.rs"));

pub(super) struct Rule {
    /// Whether the keyword may end a longer word.
    pub(super) glued: bool,
    pub(super) placeholder: Placeholder,
    /// Values that stay.
    pub(super) keep: &'static [&'static str],
    /// Words before the keyword with which the rule does not apply.
    pub(super) unless_after: &'static [&'static str],
    /// Whether the secret must look like one.
    pub(super) odd: bool,
    /// Whether the keyword must begin a word of the shell.
    pub(super) fresh: bool,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// Each group is a secret; at an empty one a value begins.
    Pattern { pattern: &'static str, lines: usize, value: Value },
    /// The keyword names the value behind it.
    Name(Name),
    /// The keyword begins a token with at least so many characters behind it.
    Prefix(usize),
    /// The keyword is a domain of private networks.
    Domain,
}

/// What stands at an empty group of a pattern.
#[derive(Clone, Copy)]
#[allow(dead_code)]
pub(super) enum Value {
    /// A word of a shell, or a text in quotes.
    Word,
    /// The same, with the words behind it.
    Phrase,
    /// The name of a host.
    Host,
    /// The same, without dots.
    ShortHost,
}

/// How a name announces its value.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(dead_code)]
pub(super) enum Name {
    /// With a sign between them: `token=x`.
    Sign,
    /// Also in a sentence, and with blanks in the value: `Password: a b`, `the password is x`.
    Phrase,
    /// A header, whose value is the rest of the line.
    Header,
}
