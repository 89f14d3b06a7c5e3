//! `telemetry`, the command that scripts call on the host.
//!
//! It is silent, keeps to a budget of time, and exits with status 0 whatever happens: also when it
//! panics, is called wrongly, or does not get done. `--strict` tells the truth instead.

mod arguments;
mod reports;
mod commands;

use std::io::Write;
use std::time::{Duration, Instant};

use clap::Parser;
use clap::error::ErrorKind;
use telemetry_client::budget::{self, Deadline};

use arguments::{Arguments, Command, Report};

fn main() {
    let start = Instant::now();
    // Bytes that are no UTF-8 must not cost the report.
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let strict = words.iter().any(|word| word == "--strict");
    std::panic::set_hook(Box::new(move |_| std::process::exit(i32::from(strict))));
    let Arguments { strict, command } = match Arguments::try_parse_from(&words) {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error, strict, &words),
    };
    let silent = matches!(command, Command::Report(_) | Command::Flush) && !strict;
    let deadline = Deadline::after(start, budget_of(&command));
    let result = budget::run_until(deadline, move || commands::run(&command, deadline));
    let failure = match result {
        Some(Ok(())) => None,
        Some(Err(error)) => Some(format!("{error:#}")),
        None => Some("it took too long".to_owned()),
    };
    if let Some(failure) = failure {
        if !silent {
            let _ = writeln!(std::io::stderr().lock(), "telemetry: {failure}");
        }
        std::process::exit(i32::from(strict));
    }
    // Threads that still wait for a resolver end here.
    std::process::exit(0);
}

/// Somebody asked for help, or called it wrongly. A script that did gets no answer.
fn refuse(error: &clap::Error, strict: bool, words: &[String]) {
    const REPORTS: [&str; 6] = ["start", "progress", "finish", "tool", "addon", "flush"];
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let from_script = words.iter().skip(1).any(|word| REPORTS.contains(&word.as_str()));
    if asked || strict || !from_script {
        let _ = error.print();
    }
    std::process::exit(i32::from(strict && !asked));
}

/// `TELEMETRY_BUDGET_MS` sets another budget, at most half a minute.
fn budget_of(command: &Command) -> Duration {
    let told = std::env::var("TELEMETRY_BUDGET_MS").ok().and_then(|ms| ms.parse().ok());
    if let Some(ms) = told.filter(|ms| *ms <= 30_000) {
        return Duration::from_millis(ms);
    }
    match command {
        Command::Report(Report::Finish { .. }) => budget::FINISH,
        Command::Report(_) => budget::PROGRESS,
        Command::Flush => budget::FLUSH,
        _ => budget::INTERACTIVE,
    }
}
