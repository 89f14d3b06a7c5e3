//! What each command does. Answers that a person asked for go to stdout, everything else is silent.

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use telemetry_client::budget::Deadline;
use telemetry_client::consent::{self, Consent};
use telemetry_client::deliver::{self, Urgency};
use telemetry_client::host::Host;
use telemetry_client::known_runs::KnownRuns;
use telemetry_client::server::{Reply, Server};
use telemetry_client::spool::Spool;
use telemetry_protocol::{Generation, exit_code};

use crate::arguments::{Command, Report};
use crate::reports;

/// Carries out a command.
///
/// # Errors
/// What a person would want to know; without `--strict` nobody is told.
pub(crate) fn run(command: &Command, deadline: Deadline) -> Result<()> {
    let host = Host::current();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    match command {
        Command::Report(report) => send(&host, report, now_ms, deadline),
        Command::Explain { code } => explain(code),
        Command::Flush => flush(&host, now_ms, deadline),
        Command::Status => status(&host),
        Command::OptIn => {
            consent::record(&host, true).context(consent::FILE)?;
            if consent::ask(&host) == Consent::RefusedByVariable {
                return say(
                    "Reports of this host are allowed, but not here: the environment forbids them with DIAGNOSTICS, \
                     which says something else than yes. Unset it.",
                );
            }
            say("Reports of this host are allowed. `telemetry show` prints what they hold.")
        }
        Command::OptOut => {
            let spool = Spool::of(&host);
            spool.remove_events_of(None);
            deliver::resume(&spool);
            consent::record(&host, false).context(consent::FILE)?;
            say("Reports of this host are forbidden. `telemetry forget` has the server erase what it holds.")
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
    if consent::ask(host) != Consent::Given {
        return Ok(());
    }
    let spool = Spool::of(host);
    let facts = spool.file("facts.json");
    let Some(event) = reports::make(host, report, Some(&facts), now_ms / 1000) else {
        bail!("RANDOM_UUID names no run");
    };
    let urgency = match report {
        Report::Start { .. } | Report::Progress { .. } => Urgency::Step,
        Report::Finish { .. } | Report::Tool { .. } | Report::Addon { .. } => Urgency::End,
    };
    let delivery = deliver::report(&spool, &Server::of(host), &event, urgency, now_ms, deadline);
    if delivery.kept + delivery.lost > 0 {
        bail!("{} sent, {} kept, {} lost", delivery.sent, delivery.kept, delivery.lost);
    }
    Ok(())
}

fn flush(host: &Host, now_ms: u64, deadline: Deadline) -> Result<()> {
    if consent::ask(host) != Consent::Given {
        return Ok(());
    }
    let delivery = deliver::flush(&Spool::of(host), &Server::of(host), now_ms, deadline);
    if delivery.kept + delivery.lost > 0 {
        bail!("{} sent, {} kept, {} lost", delivery.sent, delivery.kept, delivery.lost);
    }
    Ok(())
}

fn explain(code: &str) -> Result<()> {
    let Ok(number) = code.trim().parse() else { bail!("{code:?} is no exit code") };
    let meaning = exit_code::explain(Generation::NEWEST, number);
    say(&format!("{}\ncategory: {}\n{}", meaning.title, meaning.category.as_str(), meaning.recovery))
}

fn status(host: &Host) -> Result<()> {
    let spool = Spool::of(host);
    let (events, bytes) = spool.size();
    let consent = match consent::ask(host) {
        Consent::Given => "given",
        Consent::RefusedByVariable => "refused by the variable DIAGNOSTICS",
        Consent::RefusedByFile => "refused by /usr/local/community-scripts/diagnostics",
        Consent::NeverGiven => "never given",
    };
    let runs = KnownRuns::of(&spool).ids().len();
    let server = Server::of(host);
    let (address, folder) = (server.address(), spool.file(""));
    say(&format!(
        "consent: {consent}\nserver:  {address}\nwaiting: {events} events, {bytes} bytes\nruns:    {runs} reported\n\
         folder:  {}",
        folder.display()
    ))
}

/// Needs no consent: nothing leaves the program but to the person. Without a run, one is made up.
fn show(host: &Host, report: &Report, now_ms: u64) -> Result<()> {
    let example = host.clone().with("RANDOM_UUID", "00000000-0000-4000-8000-000000000000");
    let host = if host.variable("RANDOM_UUID").is_some() { host } else { &example };
    let event = reports::make(host, report, None, now_ms / 1000).context("RANDOM_UUID names no run")?;
    let value: serde_json::Value = serde_json::from_str(&event.json)?;
    say(&serde_json::to_string_pretty(&value)?)
}

/// Asks the server, which sees the host's address and ids then: only with consent.
fn runs(host: &Host, deadline: Deadline) -> Result<()> {
    if consent::ask(host) != Consent::Given {
        bail!(
            "this host does not allow to contact the server, so it is not asked. `telemetry opt-in` allows it, \
             `telemetry forget` has everything erased without that"
        );
    }
    let server = Server::of(host);
    for id in KnownRuns::of(&Spool::of(host)).ids() {
        match server.run(&id, deadline) {
            Reply::Accepted(Some(answer)) => say(answer.trim())?,
            Reply::Missing => say(&format!("{{\"id\":\"{id}\",\"executions\":[]}}"))?,
            other => bail!("the server does not tell: {other:?}"),
        }
    }
    Ok(())
}

/// Also after `opt-out`, and then above all.
fn forget(host: &Host, ids: &[String], deadline: Deadline) -> Result<()> {
    let spool = Spool::of(host);
    let known = KnownRuns::of(&spool);
    let ids = if ids.is_empty() { known.ids() } else { ids.to_vec() };
    if let Some(id) = ids.iter().find(|id| !telemetry_client::event::is_id(id)) {
        bail!("{id:?} is no id");
    }
    spool.remove_events_of(Some(&ids));
    let server = Server::of(host);
    let mut erased = 0;
    for id in &ids {
        match server.erase(id, deadline) {
            Reply::Accepted(_) | Reply::Missing => {
                erased += 1;
                known.forget(std::slice::from_ref(id))?;
            }
            other => bail!("{erased} of {} runs erased; then the server did not: {other:?}", ids.len()),
        }
    }
    say(&format!("{erased} runs erased"))
}

/// Prints what was asked for. That nobody reads it is no error.
fn say(text: &str) -> Result<()> {
    let _ = writeln!(io::stdout().lock(), "{text}");
    Ok(())
}
