//! `telemetry-server exit-codes`: the catalogue of exit codes.

use std::io::{ErrorKind, Write};

use telemetry_protocol::Generation;
use telemetry_protocol::exit_code::entries;

/// Prints the catalogue as tab-separated values: generation, code, category, title. A reader that closes the
/// pipe early is not an error.
pub(super) fn print_exit_codes() -> std::io::Result<()> {
    match write_to(&mut std::io::stdout().lock()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn write_to(out: &mut impl Write) -> std::io::Result<()> {
    for generation in [Generation::One, Generation::Two, Generation::Three] {
        for entry in entries(generation) {
            let (code, category, title) = (entry.code, entry.category.as_str(), entry.title);
            writeln!(out, "{}\t{code}\t{category}\t{title}", generation.number())?;
        }
    }
    Ok(())
}
