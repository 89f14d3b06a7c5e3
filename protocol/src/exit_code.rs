//! The catalogue of exit codes: what a code means in the generation that sent it, whose fault
//! it is, and what to do about it.
//!
//! The same code means different things in different generations (231 was a PostgreSQL that
//! could not be reached and is a failed upgrade of the LXC packages now), so nothing here can
//! be asked for a code alone. The facts stand in `data/exit_codes.tsv` and
//! `data/generation1_texts.tsv`; to add or correct a code, edit the file.

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

/// What an exit code means, whether the catalogue knows it or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// What happened, in a few words.
    pub title: Cow<'static, str>,
    /// The kind of cause.
    pub category: Category,
    /// What to do about it.
    pub recovery: &'static str,
    /// Who is to blame; decides between the outcomes `failed` and `blocked`.
    pub fault: Fault,
}

/// What `code` means when a client of this generation sends it. Without an entry a signal (129
/// to 159) is named, everything else is "Unknown error"; both are the script's fault.
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

/// The entry for a code, if the catalogue has one; generation 0 reads as 1.
#[must_use]
pub fn entry(generation: Generation, code: i32) -> Option<&'static Entry> {
    CATALOGUE.find(generation, code)
}

/// All entries of a generation, ascending by code; generation 0 reads as 1.
pub fn entries(generation: Generation) -> impl Iterator<Item = &'static Entry> {
    CATALOGUE.of(generation)
}

/// A number that changes whenever a code changes its category or its fault in any generation,
/// and never otherwise: a server that stored outcomes under another number must derive them
/// anew. FNV-1a (64 bit), the same on every machine.
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

/// Number and name of the signal that a shell reports as `128 + number` (x86 and ARM Linux).
/// `None` for other codes and for real-time signals, which no script is killed by.
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
