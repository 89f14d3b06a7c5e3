//! From a command and the environment to an event.

use std::path::{Path, PathBuf};

use telemetry_client::event::{CleanEvent, Ending, Event};
use telemetry_client::facts::{self, Facts};
use telemetry_client::host::Host;
use telemetry_client::settings::Guest;
use telemetry_protocol::Status;

use crate::arguments::{End, Report};

/// The event of a report; `None` when no run is named. `cache` is `None` where nothing may be written.
pub(crate) fn make(host: &Host, report: &Report, cache: Option<&Path>, now_s: u64) -> Option<CleanEvent> {
    let facts: Facts = facts::known(host, cache);
    let event = match report {
        Report::Start { guest } => {
            Event::of_run(host, facts, Guest::from_word(guest), Status::Installing, now_s)?
        }
        Report::Progress { status, guest } => {
            let status = Status::from_wire(status).filter(|status| !status.is_end());
            Event::of_run(
                host,
                facts,
                kind(host, guest.as_deref()),
                status.unwrap_or(Status::Configuring),
                now_s,
            )?
        }
        Report::Finish { end, guest } => {
            let event = Event::of_run(host, facts, kind(host, guest.as_deref()), Status::Unknown, now_s)?;
            let log = log(host, end);
            event.ended(&ending(host, end, log.as_deref()))
        }
        Report::Tool { name, end } => {
            let log = log(host, end);
            Event::of_tool(host, facts, name, &ending(host, end, log.as_deref()), now_s)
        }
        Report::Addon { name, end } => {
            let log = log(host, end);
            Event::of_addon(host, facts, name, &ending(host, end, log.as_deref()), now_s)
        }
    };
    Some(event.clean())
}

/// The start said what it is about; later reports of the same script find it in `TELEMETRY_TYPE`.
fn kind(host: &Host, said: Option<&str>) -> Guest {
    Guest::from_word(said.or_else(|| host.variable("TELEMETRY_TYPE")).unwrap_or("lxc"))
}

/// The command and its line also come in variables: what stands in arguments, everybody on the host can see.
fn ending<'a>(host: &'a Host, end: &'a End, log: Option<&'a Path>) -> Ending<'a> {
    Ending {
        status: &end.status,
        exit_code: end.exit_code.as_deref(),
        log,
        command: end.command.as_deref().or_else(|| host.variable("FAILED_COMMAND")),
        line: end.line.as_deref().or_else(|| host.variable("FAILED_LINE")),
    }
}

/// The log that was named, else the first of the scripts' logs that has something in it. The log of a
/// container lies inside of it; the host has a copy under the name of the session.
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
