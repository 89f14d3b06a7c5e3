//! `telemetry`, the command that scripts call on the host.
//!
//! Reports print nothing, stay within a time budget, and exit with status 0 even after a panic, a usage
//! error or a timeout. `--strict` reports failures with a message and status 1.

mod arguments;
mod build_event;
mod commands;

use std::io::Write;
use std::time::{Duration, Instant};

use clap::Parser;
use clap::error::ErrorKind;
use telemetry_client::budget::{self, Deadline};

use arguments::{Arguments, Command, Report};

fn main() {
    let start = Instant::now();
    // Invalid UTF-8 in an argument must not prevent the report.
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let strict = words.iter().any(|word| word == "--strict");
    std::panic::set_hook(Box::new(move |_| std::process::exit(i32::from(strict))));
    let Arguments { strict, command } = match Arguments::try_parse_from(&words) {
        Ok(arguments) => arguments,
        Err(error) => return exit_with_usage(&error, strict, &words),
    };
    let silent = matches!(command, Command::Report(_) | Command::Flush) && !strict;
    let deadline = Deadline::after(start, budget_of(&command));
    let result = budget::run_until(deadline, move || commands::run(&command, deadline));
    let failure = match result {
        Some(Ok(())) => None,
        Some(Err(error)) => Some(format!("{error:#}")),
        None => Some("timed out".to_owned()),
    };
    if let Some(failure) = failure {
        if !silent {
            let _ = writeln!(std::io::stderr().lock(), "telemetry: {failure}");
        }
        std::process::exit(i32::from(strict));
    }
    // Ends threads that are still blocked, for example in a resolver.
    std::process::exit(0);
}

/// Handles `--help`, `--version` and usage errors. Usage errors in reports print nothing without `--strict`.
fn exit_with_usage(error: &clap::Error, strict: bool, words: &[String]) {
    const REPORTS: [&str; 6] = ["start", "progress", "finish", "tool", "addon", "flush"];
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let from_script = words.iter().skip(1).any(|word| REPORTS.contains(&word.as_str()));
    if asked || strict || !from_script {
        let _ = error.print();
    }
    std::process::exit(i32::from(strict && !asked));
}

/// The time budget of a command. `TELEMETRY_BUDGET_MS` overrides it, up to 30 seconds.
fn budget_of(command: &Command) -> Duration {
    let override_ms = std::env::var("TELEMETRY_BUDGET_MS").ok().and_then(|ms| ms.parse().ok());
    if let Some(ms) = override_ms.filter(|ms| *ms <= 30_000) {
        return Duration::from_millis(ms);
    }
    match command {
        Command::Report(Report::Finish { .. }) => budget::FINISH,
        Command::Report(_) => budget::PROGRESS,
        Command::Flush => budget::FLUSH,
        _ => budget::INTERACTIVE,
    }
}
