//! Builds an event from the arguments and the environment.

use std::path::{Path, PathBuf};

use telemetry_client::event::{CleanEvent, Ending, Event};
use telemetry_client::facts::{self, Facts};
use telemetry_client::run_settings::Guest;
use telemetry_client::system::Host;
use telemetry_protocol::Status;

use crate::arguments::{End, Report};

/// The event for a report; `None` without a valid run id. Facts about the host are cached in `cache`;
/// `None` disables the cache, so nothing is written.
pub(crate) fn build(host: &Host, report: &Report, cache: Option<&Path>, now_s: u64) -> Option<CleanEvent> {
    let facts: Facts = facts::load(host, cache);
    let event = match report {
        Report::Start { guest } => {
            Event::for_run(host, facts, Guest::from_word(guest), Status::Installing, now_s)?
        }
        Report::Progress { status, guest } => {
            let status = Status::from_wire(status).filter(|status| !status.is_end());
            Event::for_run(
                host,
                facts,
                kind(host, guest.as_deref()),
                status.unwrap_or(Status::Configuring),
                now_s,
            )?
        }
        Report::Finish { end, guest } => {
            let event = Event::for_run(host, facts, kind(host, guest.as_deref()), Status::Unknown, now_s)?;
            let log = log(host, end);
            event.with_ending(&ending(host, end, log.as_deref()))
        }
        Report::Tool { name, end } => {
            let log = log(host, end);
            Event::for_tool(host, facts, name, &ending(host, end, log.as_deref()), now_s)
        }
        Report::Addon { name, end } => {
            let log = log(host, end);
            Event::for_addon(host, facts, name, &ending(host, end, log.as_deref()), now_s)
        }
    };
    Some(event.clean())
}

/// The type of guest. Reports after the start find it in `TELEMETRY_TYPE`.
fn kind(host: &Host, argument: Option<&str>) -> Guest {
    Guest::from_word(argument.or_else(|| host.variable("TELEMETRY_TYPE")).unwrap_or("lxc"))
}

/// The command and its line may come in variables, because arguments are visible to every user of the host.
fn ending<'a>(host: &'a Host, end: &'a End, log: Option<&'a Path>) -> Ending<'a> {
    Ending {
        status: &end.status,
        exit_code: end.exit_code.as_deref(),
        log,
        command: end.command.as_deref().or_else(|| host.variable("FAILED_COMMAND")),
        line: end.line.as_deref().or_else(|| host.variable("FAILED_LINE")),
    }
}

/// The log given as an argument, or the first of the scripts' logs that is not empty. The log of a
/// container is inside it; the host has a copy named after the session.
fn log(host: &Host, end: &End) -> Option<PathBuf> {
    if let Some(path) = &end.log {
        return Some(path.clone());
    }
    let copy = match (host.variable("CTID"), host.variable("SESSION_ID")) {
        (Some(container), Some(session)) => {
            Some(format!("/tmp/{}-{container}-{session}.log", host.variable("NSAPP").unwrap_or("lxc")))
        }
        _ => None,
    };
    let logs = [host.variable("INSTALL_LOG"), copy.as_deref(), host.variable("BUILD_LOG")];
    logs.into_iter()
        .flatten()
        .map(PathBuf::from)
        .find(|path| path.metadata().is_ok_and(|file| file.is_file() && file.len() > 0))
}
