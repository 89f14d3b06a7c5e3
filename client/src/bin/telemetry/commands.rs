//! Implements the subcommands. Interactive commands print to stdout; reports print nothing.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use telemetry_client::budget::Deadline;
use telemetry_client::consent::{self, Consent};
use telemetry_client::deliver::{self, Delivery, Urgency};
use telemetry_client::excerpt;
use telemetry_client::known_runs::KnownRuns;
use telemetry_client::outbox::Outbox;
use telemetry_client::server_api::{Reply, Server};
use telemetry_client::system::Host;
use telemetry_protocol::reason::{self, Failure};
use telemetry_protocol::{Generation, exit_code};

use crate::arguments::{Command, Report};
use crate::build_event;

/// Runs a subcommand.
///
/// # Errors
/// The reason why the command failed. Reports print it only with `--strict`.
pub(crate) fn run(command: &Command, deadline: Deadline) -> Result<()> {
    let host = Host::current();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    match command {
        Command::Report(report) => send(&host, report, now_ms, deadline),
        Command::Explain { code, log } => explain(code.as_deref(), log.as_deref()),
        Command::Flush => flush(&host, now_ms, deadline),
        Command::Status => status(&host),
        Command::OptIn => {
            consent::record(&host, true).context(consent::FILE)?;
            if consent::read(&host) == Consent::RefusedByVariable {
                return print(
                    "Reports from this host are now allowed, but DIAGNOSTICS is set to something other than \"yes\" \
                     in this environment and still forbids them. Unset it.",
                );
            }
            print("Reports from this host are now allowed. `telemetry show` prints what they contain.")
        }
        Command::OptOut => {
            let outbox = Outbox::of(&host);
            outbox.remove_events_of(None);
            deliver::resume(&outbox);
            consent::record(&host, false).context(consent::FILE)?;
            print(
                "Reports from this host are now forbidden. `telemetry forget` erases its runs from the server.",
            )
        }
        Command::Show { report } => {
            let start = Report::Start { guest: "lxc".to_owned() };
            show(&host, report.as_ref().unwrap_or(&start), now_ms)
        }
        Command::Runs => runs(&host, deadline),
        Command::Forget { ids } => forget(&host, ids, deadline),
    }
}

fn send(host: &Host, report: &Report, now_ms: u64, deadline: Deadline) -> Result<()> {
    if consent::read(host) != Consent::Given {
        return Ok(());
    }
    let outbox = Outbox::of(host);
    let facts = outbox.file("facts.json");
    let Some(event) = build_event::build(host, report, Some(&facts), now_ms / 1000) else {
        bail!("RANDOM_UUID is not a valid run id");
    };
    let urgency = match report {
        Report::Start { .. } | Report::Progress { .. } => Urgency::Step,
        Report::Finish { .. } | Report::Tool { .. } | Report::Addon { .. } => Urgency::End,
    };
    let delivery = deliver::report(&outbox, &Server::of(host), &event, urgency, now_ms, deadline);
    check(delivery)
}

fn flush(host: &Host, now_ms: u64, deadline: Deadline) -> Result<()> {
    if consent::read(host) != Consent::Given {
        return Ok(());
    }
    let delivery = deliver::flush(&Outbox::of(host), &Server::of(host), now_ms, deadline);
    check(delivery)
}

/// An error unless the server accepted all events.
fn check(delivery: Delivery) -> Result<()> {
    if delivery.kept + delivery.lost > 0 {
        bail!("{} sent, {} kept, {} lost", delivery.sent, delivery.kept, delivery.lost);
    }
    Ok(())
}

fn explain(code: Option<&str>, log: Option<&Path>) -> Result<()> {
    let number = code
        .map(|code| code.trim().parse::<i32>().ok().with_context(|| format!("{code:?} is not an exit code")));
    let number = number.transpose()?;
    let Some(log) = log else {
        let meaning = exit_code::explain(Generation::NEWEST, number.unwrap_or_default());
        return print(&format!(
            "{}\ncategory: {}\n{}",
            meaning.title,
            meaning.category.as_str(),
            meaning.recovery
        ));
    };
    let text = if log == Path::new("-") {
        excerpt::end_of_text(io::stdin().lock()).context("standard input")?
    } else {
        fs::metadata(log).with_context(|| log.display().to_string())?;
        excerpt::end_of_log(log)
    };
    let text = text.with_context(|| format!("{} is empty or not a file", log.display()))?;
    print(explanation(&text, number).trim_end())
}

/// The reason, whose fault it is, and what to do.
fn explanation(log: &str, exit_code: Option<i32>) -> String {
    let error = excerpt::error_text(exit_code, Some(log));
    let failure = Failure { error: &error, exit_code, ..Failure::default() };
    let Some(diagnosis) = reason::diagnose(&failure) else {
        return "The log says nothing about a failure.".to_owned();
    };
    let subject = diagnosis.subject.as_ref().map_or_else(String::new, |subject| format!(": {subject}"));
    let reason = match diagnosis.title() {
        Some(title) => format!("{title}{subject}"),
        None => "Not a known one. This line looks most like it.".to_owned(),
    };
    let mut text = format!("reason: {reason}\nline:   {}\n", diagnosis.line);
    if let Some(hint) = diagnosis.hint() {
        text += &format!("fault:  {}\ndo:     {hint}\n", diagnosis.blame.explanation());
    }
    text
}

fn status(host: &Host) -> Result<()> {
    let outbox = Outbox::of(host);
    let (events, bytes) = outbox.size();
    let consent = match consent::read(host) {
        Consent::Given => "given",
        Consent::RefusedByVariable => "refused by the variable DIAGNOSTICS",
        Consent::RefusedByFile => "refused by /usr/local/community-scripts/diagnostics",
        Consent::NeverGiven => "never given",
    };
    let runs = KnownRuns::of(&outbox).ids().len();
    let server = Server::of(host);
    let (address, folder) = (server.address(), outbox.file(""));
    print(&format!(
        "consent: {consent}\nserver:  {address}\nwaiting: {events} events, {bytes} bytes\nruns:    {runs} reported\n\
         folder:  {}",
        folder.display()
    ))
}

/// Prints an event. Requires no consent, because nothing is sent. Without a run id, uses an example id.
fn show(host: &Host, report: &Report, now_ms: u64) -> Result<()> {
    let example = host.clone().with("RANDOM_UUID", "00000000-0000-4000-8000-000000000000");
    let host = if host.variable("RANDOM_UUID").is_some() { host } else { &example };
    let event =
        build_event::build(host, report, None, now_ms / 1000).context("RANDOM_UUID is not a valid run id")?;
    let value: serde_json::Value = serde_json::from_str(&event.json)?;
    print(&serde_json::to_string_pretty(&value)?)
}

/// Fetches the runs from the server. Requires consent, because the request reveals the host's address and ids.
fn runs(host: &Host, deadline: Deadline) -> Result<()> {
    if consent::read(host) != Consent::Given {
        bail!(
            "this host has not consented to contacting the server. `telemetry opt-in` gives consent; \
             `telemetry forget` erases all runs without it"
        );
    }
    let server = Server::of(host);
    for id in KnownRuns::of(&Outbox::of(host)).ids() {
        match server.run(&id, deadline) {
            Reply::Accepted(Some(answer)) => print(answer.trim())?,
            Reply::Missing => print(&format!("{{\"id\":\"{id}\",\"executions\":[]}}"))?,
            other => bail!("the server did not return the runs: {other:?}"),
        }
    }
    Ok(())
}

/// Erases runs from the server. Requires no consent, so that it works after `opt-out`.
fn forget(host: &Host, ids: &[String], deadline: Deadline) -> Result<()> {
    let outbox = Outbox::of(host);
    let known = KnownRuns::of(&outbox);
    let ids = if ids.is_empty() { known.ids() } else { ids.to_vec() };
    if let Some(id) = ids.iter().find(|id| !telemetry_client::event::is_id(id)) {
        bail!("{id:?} is not a run id");
    }
    outbox.remove_events_of(Some(&ids));
    let server = Server::of(host);
    let mut erased = 0;
    for id in &ids {
        match server.erase(id, deadline) {
            Reply::Accepted(_) | Reply::Missing => {
                erased += 1;
                known.remove(std::slice::from_ref(id))?;
            }
            other => bail!("{erased} of {} runs erased, then the server failed: {other:?}", ids.len()),
        }
    }
    print(&format!("{erased} runs erased"))
}

/// Prints to stdout. A closed stdout is not an error.
fn print(text: &str) -> Result<()> {
    let _ = writeln!(io::stdout().lock(), "{text}");
    Ok(())
}
