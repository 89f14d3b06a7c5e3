//! Delivers events to the server, and keeps those that could not be delivered.
//!
//! An event is written to the outbox, sent together with all unsent events, and then removed. If they do not
//! fit into one request, several are sent, newest events first. The server merges duplicates, so a process
//! that is killed or runs out of time loses nothing.

use std::fs;
use std::time::Duration;

use serde::Deserialize;

use crate::budget::{self, Deadline};
use crate::event::CleanEvent;
use crate::known_runs::KnownRuns;
use crate::outbox::{Outbox, Pending};
use crate::server_api::{Reply, Server};
use crate::storage;

/// How long steps of an install are not sent after the server failed to answer.
const PAUSE: Duration = Duration::from_mins(1);
const MAX_PAUSE: Duration = Duration::from_hours(1);
/// Error codes of single events in a batch after which the event is sent again later.
const TEMPORARY: [&str; 7] = [
    "queue_full",
    "database_unavailable",
    "stopping",
    "rate_limited",
    "too_many_connections",
    "request_timeout",
    "internal",
];
/// Uncompressed bytes that even a slow link transfers within the budget of a final report.
const SMALL_BATCH: usize = 64 * 1024;
/// Maximum size of a batch, in uncompressed bytes: the work lost if its request times out.
const LARGE_BATCH: usize = 256 * 1024;
/// Timeout of one request, so that an interactive command reports a silent server soon.
const REQUEST_TIMEOUT: Duration = budget::INTERACTIVE;
const PAUSE_FILE: &str = "retry-after";

/// Whether a report waits for a server that recently failed to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// A step of an install, which is sent together with the end.
    Step,
    /// An end, which may be the last report for days.
    End,
}

/// The result of a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Events that the server accepted.
    pub sent: usize,
    /// Events that stay in the outbox.
    pub kept: usize,
    /// Events that are lost: the server rejected them, or they could not be written to disk.
    pub lost: usize,
}

/// Writes one event and sends it with all unsent events. `now_ms` is Unix time in milliseconds.
#[must_use]
pub fn report(
    outbox: &Outbox,
    server: &Server,
    event: &CleanEvent,
    urgency: Urgency,
    now_ms: u64,
    deadline: Deadline,
) -> Delivery {
    let path = outbox.add(event, now_ms).ok();
    // If the list cannot be written, the run is reported all the same.
    let _ = KnownRuns::of(outbox).add(event, now_ms / 1000);
    if path.is_some() && urgency == Urgency::Step && is_paused(outbox, now_ms) {
        return Delivery { kept: 1, ..Delivery::default() };
    }
    let own = Pending { path, json: event.json.clone() };
    let lock = outbox.lock();
    let mut pending = if lock.is_some() { outbox.pending(now_ms) } else { Vec::new() };
    pending.retain(|other| other.path != own.path);
    pending.push(own);
    send(outbox, server, pending, now_ms, deadline)
}

/// Sends all unsent events, unless another process is sending them.
#[must_use]
pub fn flush(outbox: &Outbox, server: &Server, now_ms: u64, deadline: Deadline) -> Delivery {
    let Some(_lock) = outbox.lock() else {
        return Delivery { kept: outbox.size().0, ..Delivery::default() };
    };
    send(outbox, server, outbox.pending(now_ms), now_ms, deadline)
}

/// Sends `waiting`, which lists the oldest event first. A small backlog goes in one request. Otherwise the
/// newest event goes first and older ones follow in growing batches until the deadline. Each answer is
/// recorded before the next request, so every attempt over a slow link makes progress.
fn send(
    outbox: &Outbox,
    server: &Server,
    mut waiting: Vec<Pending>,
    now_ms: u64,
    deadline: Deadline,
) -> Delivery {
    let mut delivery = Delivery::default();
    let is_small = waiting.iter().map(Pending::line_bytes).sum::<usize>() <= SMALL_BATCH;
    let mut batch_bytes = if is_small { SMALL_BATCH } else { 0 };
    let mut most_bytes = LARGE_BATCH;
    while !waiting.is_empty() {
        let batch = waiting.split_off(newest(&waiting, batch_bytes));
        let deadline = deadline.within(REQUEST_TIMEOUT);
        let next = match batch.len() {
            1 => one_by_one(outbox, server, &batch, now_ms, deadline, &mut delivery),
            _ => send_batch(outbox, server, &batch, now_ms, deadline, &mut delivery),
        };
        match next {
            NextStep::Continue => {}
            NextStep::ContinueSingly => most_bytes = 0,
            NextStep::Stop => break,
        }
        batch_bytes = (batch_bytes * 2).max(SMALL_BATCH).min(most_bytes);
    }
    record_kept(&waiting, &mut delivery);
    delivery
}

/// Index of the first of the newest events that fit into `most_bytes` together; at least one event.
fn newest(waiting: &[Pending], most_bytes: usize) -> usize {
    let mut bytes = 0;
    let fitting = waiting.iter().rev().take_while(|event| {
        bytes += event.line_bytes();
        bytes <= most_bytes
    });
    waiting.len().saturating_sub(fitting.count().max(1))
}

/// What to do after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NextStep {
    Continue,
    /// The server does not support batches.
    ContinueSingly,
    Stop,
}

fn send_batch(
    outbox: &Outbox,
    server: &Server,
    batch: &[Pending],
    now_ms: u64,
    deadline: Deadline,
    delivery: &mut Delivery,
) -> NextStep {
    let lines = batch.iter().map(|event| event.json.as_str()).collect::<Vec<_>>().join("\n") + "\n";
    match server.send_batch(&lines, deadline) {
        Reply::Accepted(Some(answer)) => {
            resume(outbox);
            let kept = delivery.kept;
            for (event, result) in batch.iter().zip(results(&answer, batch.len())) {
                record(outbox, event, result, delivery);
            }
            // If the server postponed all of them, it will postpone the rest too.
            if delivery.kept - kept < batch.len() { NextStep::Continue } else { NextStep::Stop }
        }
        Reply::Missing => match one_by_one(outbox, server, batch, now_ms, deadline, delivery) {
            NextStep::Continue => NextStep::ContinueSingly,
            other => other,
        },
        // A single bad event may have caused the refusal.
        Reply::Refused(_) => one_by_one(outbox, server, batch, now_ms, deadline, delivery),
        // Without the body of the answer, it is unknown which events the server accepted.
        later @ (Reply::Accepted(None) | Reply::Later(_) | Reply::Unreachable) => {
            pause(outbox, &later, now_ms);
            record_kept(batch, delivery);
            NextStep::Stop
        }
    }
}

/// Sends each event in a request of its own, newest first: the deadline may end before the older ones.
fn one_by_one(
    outbox: &Outbox,
    server: &Server,
    events: &[Pending],
    now_ms: u64,
    deadline: Deadline,
    delivery: &mut Delivery,
) -> NextStep {
    for (index, event) in events.iter().enumerate().rev() {
        let fate = match server.send_event(&event.json, deadline) {
            Reply::Accepted(_) => Fate::Accepted,
            // These statuses reject the body, which does not change. Any other refusal (not found,
            // unauthorized, moved) concerns the server and may be temporary.
            Reply::Refused(400 | 413 | 422) => Fate::Rejected,
            other => {
                pause(outbox, &other, now_ms);
                record_kept(&events[..=index], delivery);
                return NextStep::Stop;
            }
        };
        record(outbox, event, fate, delivery);
    }
    resume(outbox);
    NextStep::Continue
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Accepted,
    Rejected,
    Later,
}

fn record(outbox: &Outbox, event: &Pending, fate: Fate, delivery: &mut Delivery) {
    match (fate, &event.path) {
        (Fate::Later, Some(_)) => {
            delivery.kept += 1;
            return;
        }
        (Fate::Accepted, _) => delivery.sent += 1,
        (Fate::Rejected | Fate::Later, _) => delivery.lost += 1,
    }
    if let Some(path) = &event.path {
        outbox.remove(path);
    }
}

fn record_kept(events: &[Pending], delivery: &mut Delivery) {
    let kept = events.iter().filter(|event| event.path.is_some()).count();
    delivery.kept += kept;
    delivery.lost += events.len() - kept;
}

/// The answer to a batch: one result for each event, in order.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Wrapped { results: Vec<EventResult> },
    Bare(Vec<EventResult>),
}

#[derive(Deserialize)]
struct EventResult {
    #[serde(default)]
    error: Option<String>,
}

/// The result for each event. A 2xx answer accepts all events except those with an error; one that cannot
/// be parsed has none.
fn results(answer: &str, events: usize) -> impl Iterator<Item = Fate> {
    let results = match serde_json::from_str(answer) {
        Ok(Answer::Wrapped { results } | Answer::Bare(results)) if results.len() == events => results,
        _ => Vec::new(),
    };
    let fates = results.into_iter().map(|result| match result.error.as_deref() {
        None => Fate::Accepted,
        Some(error) if TEMPORARY.contains(&error) => Fate::Later,
        Some(_) => Fate::Rejected,
    });
    fates.chain(std::iter::repeat(Fate::Accepted)).take(events)
}

fn is_paused(outbox: &Outbox, now_ms: u64) -> bool {
    let until: Option<u64> =
        fs::read_to_string(outbox.file(PAUSE_FILE)).ok().and_then(|until| until.trim().parse().ok());
    // After the clock was set back, the pause must not last longer than the maximum.
    until.is_some_and(|until| now_ms < until && until - now_ms <= millis(MAX_PAUSE))
}

fn pause(outbox: &Outbox, reply: &Reply, now_ms: u64) {
    let asked_for = if let Reply::Later(Some(time)) = reply { Some(*time) } else { None };
    let until = now_ms + millis(asked_for.unwrap_or(PAUSE).min(MAX_PAUSE));
    // If this cannot be written, the next step waits for the server again.
    let _ = storage::replace(&outbox.file(PAUSE_FILE), until.to_string().as_bytes(), 0o600);
}

/// Ends the pause, so that the next step is sent.
pub fn resume(outbox: &Outbox) {
    let _ = fs::remove_file(outbox.file(PAUSE_FILE));
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_follow_the_order_of_events_and_an_unreadable_answer_accepts_all() {
        let fates = |answer: &str| results(answer, 3).collect::<Vec<_>>();
        let answer =
            r#"{"results":[{"status":"accepted"},{"error":"invalid_field"},{"error":"queue_full"}]}"#;
        assert_eq!(fates(answer), [Fate::Accepted, Fate::Rejected, Fate::Later]);
        assert_eq!(fates(r#"[{"status":"accepted"},{"error":null},{"error":"x"}]"#)[2], Fate::Rejected);
        for unreadable in ["", "{}", r#"{"results":[]}"#, "<html>", r#"[{"error":"x"}]"#] {
            assert_eq!(fates(unreadable), [Fate::Accepted; 3], "{unreadable}");
        }
    }
}
