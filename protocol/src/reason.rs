//! The reason of a failure: which line of the log says why, what kind of failure it is, and who has to act. A pure
//! function of scrubbed text, so it is the same on the host, on every instance, and in every replay.
//!
//! ```text
//! error text ─▶ lines without prefixes ─▶ rules ─▶ cause before symptom before echo ─▶ diagnosis ─▶ signature
//!                                           │
//!                                 no rule: general words
//! ```
//!
//! **Rules are data**: `data/reasons/*.toml`, one file per family of tools. A rule has a pattern for a line, a rank
//! (`cause`, `symptom`, `echo`, `noise`), and what the line says: title, category, blame, hint, and the subject that
//! separates two problems of the same kind.
//!
//! **The best line wins.** A cause is preferred to a symptom, a symptom to an echo; noise is ignored. Of several
//! causes the last one counts, because scripts stop at the first error that matters, unless one is of the
//! surroundings (name resolution, disk, memory), which makes everything after it fail. A line that no rule knows is
//! scored by general words.
//!
//! **The signature** groups runs that failed for the same reason: the rule and its subject, or the line with its
//! variable parts masked.

mod category;
mod rule;
mod literal;
mod catalogue;
mod line;
mod score;
mod mask;
mod pick;
mod signature;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod source;

use crate::Generation;
use catalogue::CATALOGUE;

pub use category::{Blame, Category};
pub use pick::{Candidate, candidates};
pub use rule::{Rank, Rule};
pub use signature::{Signature, signature};

/// Must change when the code that picks a line or masks it changes what it returns.
const CODE_VERSION: &str = "reasons 2";

/// What is known about a failure.
#[derive(Clone, Copy, Debug, Default)]
pub struct Failure<'t> {
    /// The scrubbed error text: a log, or the client's form with an explanation of the exit code before it.
    pub error: &'t str,
    /// The scrubbed command that failed.
    pub failed_command: Option<&'t str>,
    /// The exit code; if `None`, the one in the error text.
    pub exit_code: Option<i32>,
    /// The generation of the client; the newest if `None`.
    pub generation: Option<Generation>,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// The rule that knows the line; `None` if no rule does.
    pub rule: Option<&'static Rule>,
    /// The line that says why, with lines joined that a tool has wrapped.
    pub line: String,
    /// What the failure is about: a package, a host, a command.
    pub subject: Option<String>,
    /// What kind of failure it is.
    pub category: Category,
    /// The side that has to act.
    pub blame: Blame,
}

impl Diagnosis {
    /// What is wrong, in a few words; `None` if no rule knows the line.
    #[must_use]
    pub fn title(&self) -> Option<&'static str> {
        self.rule.map(|rule| rule.title)
    }

    /// What to do about it; `None` if no rule knows the line.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        self.rule.map(|rule| rule.hint)
    }

    /// The signature that this failure shares with others of the same reason.
    #[must_use]
    pub fn signature(&self) -> Signature {
        Signature::of(self)
    }
}

/// Finds the reason of a failure. `None` if there is neither a text nor a command nor an exit code.
#[must_use]
pub fn diagnose(failure: &Failure<'_>) -> Option<Diagnosis> {
    pick::pick(failure)
}

/// All rules except noise, in the order of preference.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    CATALOGUE.rules().iter().filter(|rule| rule.rank != Rank::Noise)
}

/// The rule with this id.
#[must_use]
pub fn rule(id: &str) -> Option<&'static Rule> {
    CATALOGUE.rules().iter().find(|rule| rule.id == id)
}

/// A hash of all rules and of the code that applies them. If it differs from the one under which a server
/// diagnosed its rows, they must be diagnosed again.
#[must_use]
pub fn fingerprint() -> u64 {
    catalogue::hash_of_rules(CODE_VERSION)
}
