//! The catalogue of exit codes: the meaning, cause and remedy of each code.
//!
//! The same code means different things in different generations of clients (231 was an unreachable
//! PostgreSQL and is now a failed upgrade of the LXC packages), so every lookup needs a generation. The
//! data is in `data/exit_codes.tsv` and `data/generation1_texts.tsv`; edit these files to add or correct a
//! code.

mod kind;
mod catalogue;
mod generation1;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::Generation;
use catalogue::CATALOGUE;

pub use catalogue::Entry;
pub use generation1::code_from_text;
pub use kind::{Category, Fault};

/// The meaning of an exit code, which may be missing from the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// What happened, in a few words.
    pub title: Cow<'static, str>,
    /// Category of the cause.
    pub category: Category,
    /// How to fix the cause.
    pub recovery: &'static str,
    /// Whether the script or the environment is at fault; the outcome is `failed` or `blocked`.
    pub fault: Fault,
}

/// The meaning of `code` from a client of this generation. Codes 129 to 159 without an entry are named
/// after their signal; any other is "Unknown error". Both are the script's fault.
#[must_use]
pub fn explain(generation: Generation, code: i32) -> Meaning {
    if let Some(entry) = entry(generation, code) {
        return Meaning {
            title: Cow::Borrowed(entry.title),
            category: entry.category,
            recovery: entry.recovery,
            fault: entry.fault,
        };
    }
    match signal(code) {
        Some((number, name)) => Meaning {
            title: Cow::Owned(format!("Killed by signal {number} ({name})")),
            category: if matches!(number, 1 | 2 | 15) { Category::UserAborted } else { Category::Unknown },
            recovery: "Find out what sent the signal: a closed terminal, the kernel or a crash.",
            fault: Fault::Script,
        },
        None => Meaning {
            title: Cow::Borrowed("Unknown error"),
            category: Category::Unknown,
            recovery: "Not in the catalogue: read the end of the log.",
            fault: Fault::Script,
        },
    }
}

/// The catalogue entry of a code, if it has one. Generation 0 counts as 1.
#[must_use]
pub fn entry(generation: Generation, code: i32) -> Option<&'static Entry> {
    CATALOGUE.find(generation, code)
}

/// All entries of a generation in ascending order of codes. Generation 0 counts as 1.
pub fn entries(generation: Generation) -> impl Iterator<Item = &'static Entry> {
    CATALOGUE.of(generation)
}

/// A hash of the category and fault of every code in every generation. If it differs from the hash under
/// which a server stored outcomes, they must be derived again. FNV-1a (64 bit), equal on every machine.
#[must_use]
pub fn classification_fingerprint() -> u64 {
    let mut classification = String::new();
    for generation in [Generation::One, Generation::Two, Generation::Three] {
        for code in 0..=255 {
            let Meaning { category, fault, .. } = explain(generation, code);
            let (generation, category, fault) = (generation.number(), category.as_str(), fault.as_str());
            classification += &format!("{generation}\t{code}\t{category}\t{fault}\n");
        }
    }
    fnv1a(classification.as_bytes())
}

fn fnv1a(bytes: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

/// Number and name of the signal that a shell reports as `128 + number` (x86 and ARM Linux). `None` for
/// other codes and for real-time signals, which do not occur in practice.
fn signal(code: i32) -> Option<(usize, &'static str)> {
    const NAMES: [&str; 31] = [
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];
    let index = usize::try_from(code.checked_sub(129)?).ok()?;
    Some((index + 1, *NAMES.get(index)?))
}
