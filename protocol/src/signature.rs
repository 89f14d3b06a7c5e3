//! The signature of a failure, which groups runs that failed for the same reason. It is a pure function of
//! scrubbed text, so it is equal on every instance and in every replay.
//!
//! ```text
//! error ─▶ failing line ─┐
//!                        ├─▶ mask what varies ─▶ template ─▶ SHA-256, first 8 bytes
//! failed command ────────┘
//! ```
//!
//! **Both the line and the command are included.** The command `$STD apt-get install -y foo` alone would mix
//! all reasons, and the line `curl: (22) The requested URL returned error: 404` alone does not say what is
//! missing. If the line is about the environment (name resolution, disk space, memory), the command is
//! omitted, because any other command would have failed as well. Without an error line, the command alone is the
//! template; without a command, it is the explanation of the exit code, the only text of generation 1.
//!
//! **The failing line** is the last one that looks like an error. Lines that only repeat that something failed
//! (`E: Sub-process /usr/bin/dpkg returned an error code (1)`, `make: *** [all] Error 2`) are used only if there
//! is no other. If the log ends with the death of a process (`Killed`), that is the failing line.

mod failing_line;
mod mask;

use sha2::{Digest, Sha256};

use self::failing_line::Report;

/// Prefix of the hashed text. Must change with the rules, so that old and new signatures differ.
const DOMAIN: &[u8] = b"telemetry signature 1\n";
/// Longest template, in characters.
const MAX_TEMPLATE_CHARS: usize = 200;
/// How much of the end of the error text is read, in bytes.
const MAX_ERROR_BYTES: usize = 16 * 1024;
/// How much of the failed command is read, in bytes.
const MAX_COMMAND_BYTES: usize = 2 * 1024;

/// The signature shared by runs that failed for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The first 64 bits of the hash of the template, displayed as 16 hexadecimal digits.
    pub id: i64,
    /// The failure with `#` for numbers and `*` for other variable parts. At most 200 characters.
    pub template: String,
}

/// Computes the signature from the scrubbed error text and the scrubbed failed command. `None` if both are
/// empty.
#[must_use]
pub fn signature(error: Option<&str>, failed_command: Option<&str>) -> Option<Signature> {
    let report = Report::read(crate::scrub::cut_tail(error.unwrap_or_default(), MAX_ERROR_BYTES));
    let command = failed_command.map(str::trim).filter(|command| !command.is_empty());
    let command = command.or(report.command).map(|command| mask::mask(head(command, MAX_COMMAND_BYTES)));
    let line = report.line.map(mask::mask).filter(|line| !line.is_empty());
    let template = match (line, command.filter(|command| !command.is_empty())) {
        (Some(line), Some(command)) if !failing_line::is_about_environment(&line) => {
            // Leaves space for the command.
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
