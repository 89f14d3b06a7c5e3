//! The signature of a failure: which runs failed for the same reason. A pure function of scrubbed text, so
//! that every instance and every replay gives the same one.
//!
//! ```text
//! error ─▶ failing line ─┐
//!                        ├─▶ mask what varies ─▶ template ─▶ SHA-256, first 8 bytes
//! failed command ────────┘
//! ```
//!
//! **The line and the command both count.** `$STD apt-get install -y foo` alone puts all reasons together, and
//! `curl: (22) The requested URL returned error: 404` alone says not what is missing. Where the line tells of
//! the surroundings (no name resolution, no space, no memory) the command is left out: it failed there by
//! accident. Where there is no line that looks like an error, the command alone is the template; without one
//! it is the explanation of the exit code, which is all that generation 1 sends.
//!
//! **The failing line** is the last one that looks like an error. Lines that only pass on that something failed
//! (`E: Sub-process /usr/bin/dpkg returned an error code (1)`, `make: *** [all] Error 2`) count only if there
//! is no other. A log that ends with the death of a process (`Killed`) failed by that.

mod failing_line;
mod mask;

use sha2::{Digest, Sha256};

use self::failing_line::Report;

/// Part of what is hashed. Changes with the rules: signatures of other rules are others.
const DOMAIN: &[u8] = b"telemetry signature 1\n";
/// Longest template, in characters.
const MAX_TEMPLATE_CHARS: usize = 200;
/// How much of the end of the error text is read, in bytes.
const MAX_ERROR_BYTES: usize = 16 * 1024;
/// How much of the failed command is read, in bytes.
const MAX_COMMAND_BYTES: usize = 2 * 1024;

/// What runs that failed for the same reason have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The first 64 bits of a hash of the template; written as 16 hexadecimal digits.
    pub id: i64,
    /// What failed, with `#` for numbers and `*` for other parts that vary. At most 200 characters.
    pub template: String,
}

/// The signature of a failure, from its scrubbed error text and the scrubbed command that failed. `None` if
/// neither says anything.
#[must_use]
pub fn signature(error: Option<&str>, failed_command: Option<&str>) -> Option<Signature> {
    let report = Report::read(crate::scrub::cut_tail(error.unwrap_or_default(), MAX_ERROR_BYTES));
    let command = failed_command.map(str::trim).filter(|command| !command.is_empty());
    let command = command.or(report.command).map(|command| mask::mask(head(command, MAX_COMMAND_BYTES)));
    let line = report.line.map(mask::mask).filter(|line| !line.is_empty());
    let template = match (line, command.filter(|command| !command.is_empty())) {
        (Some(line), Some(command)) if !failing_line::is_about_surroundings(&line) => {
            // Each gets its share of the room.
            let line = first_chars(&line, MAX_TEMPLATE_CHARS * 3 / 5);
            format!("{line} <- {command}")
        }
        (Some(line), _) => line,
        (None, Some(command)) => command,
        (None, None) => mask::mask(report.explanation?),
    };
    let template = first_chars(&template, MAX_TEMPLATE_CHARS).trim_end().to_owned();
    if template.is_empty() {
        return None;
    }
    let hash = Sha256::new().chain_update(DOMAIN).chain_update(&template).finalize();
    let id = hash.iter().take(8).fold(0, |id, byte| id << 8 | i64::from(*byte));
    Some(Signature { id, template })
}

fn first_chars(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

fn head(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
