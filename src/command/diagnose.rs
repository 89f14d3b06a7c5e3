//! `telemetry-server diagnose`: the reason of a failure, for people who write rules.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use telemetry_protocol::reason::{self, Failure};
use telemetry_protocol::scrub::{scrub, scrub_tail};

/// How much of the end of a log is kept while it is read, in bytes.
const KEPT_BYTES: usize = 1024 * 1024;
/// How much of the end of a log is examined, in bytes; as much as clients send.
const MAX_TAIL: usize = 16 * 1024;

/// The arguments of `diagnose`.
#[derive(Args, Clone, PartialEq)]
pub(super) struct DiagnoseArguments {
    /// Log, or an error text as clients send it; - for the standard input
    file: PathBuf,
    /// Exit code of the script
    #[arg(long)]
    exit_code: Option<i32>,
    /// Command that failed
    #[arg(long)]
    failed_command: Option<String>,
}

/// Prints the reason, its signature, and all candidates with the rules that know them, the best first.
pub(super) fn diagnose(arguments: &DiagnoseArguments) -> anyhow::Result<()> {
    let end = if arguments.file == Path::new("-") {
        end_of(std::io::stdin().lock())
    } else {
        File::open(&arguments.file).and_then(end_of)
    };
    let bytes = end.with_context(|| arguments.file.display().to_string())?;
    let error = scrub_tail(&String::from_utf8_lossy(&bytes), MAX_TAIL).into_owned();
    let failed_command = arguments.failed_command.as_deref().map(scrub);
    let failure = Failure {
        error: &error,
        failed_command: failed_command.as_deref(),
        exit_code: arguments.exit_code,
        generation: None,
    };
    match write_to(&mut std::io::stdout().lock(), &failure) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// The end of a log, however long it is.
fn end_of(mut log: impl Read) -> std::io::Result<Vec<u8>> {
    let mut end = Vec::new();
    while log.by_ref().take(KEPT_BYTES as u64).read_to_end(&mut end)? > 0 {
        end.drain(..end.len().saturating_sub(KEPT_BYTES));
    }
    Ok(end)
}

fn write_to(out: &mut impl Write, failure: &Failure<'_>) -> std::io::Result<()> {
    let Some(diagnosis) = reason::diagnose(failure) else {
        return writeln!(out, "No line, no command and no exit code: nothing to diagnose.");
    };
    let signature = diagnosis.signature();
    let rule = diagnosis.rule.map_or("none", |rule| rule.id);
    writeln!(out, "rule:      {rule}")?;
    writeln!(out, "line:      {}", diagnosis.line)?;
    writeln!(out, "subject:   {}", diagnosis.subject.as_deref().unwrap_or("none"))?;
    writeln!(out, "category:  {}", diagnosis.category.as_str())?;
    writeln!(out, "blame:     {}", diagnosis.blame.as_str())?;
    writeln!(out, "hint:      {}", diagnosis.hint().unwrap_or("none"))?;
    writeln!(out, "signature: {:016x} {}", signature.id, signature.template)?;
    writeln!(out, "\nCandidates, the best first:")?;
    for candidate in reason::candidates(failure) {
        let (kind, name) = match candidate.rule {
            Some(rule) => (rule.rank.as_str().to_owned(), rule.id),
            None => (format!("score {}", candidate.score), "no rule"),
        };
        writeln!(out, "{kind:<8} {name:<36} {}", candidate.line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_log_the_end_is_read() {
        let progress = std::io::repeat(b'.').take(3 * KEPT_BYTES as u64 + 5);
        let end = end_of(progress.chain(&b"\nE: the reason"[..])).unwrap();
        assert_eq!(end.len(), KEPT_BYTES);
        assert!(end.ends_with(b".\nE: the reason"));
        assert_eq!(end_of(&b"short"[..]).unwrap(), b"short");
    }
}
