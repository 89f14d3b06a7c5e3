//! Brings events to the server, and keeps those that it cannot bring.
//!
//! An event is first written, then sent together with all that lie there, then removed. What is too much
//! for one request goes in several, the newest first. Sending twice does no harm (the server merges), so
//! a process that dies or is too late at any point loses nothing.

use std::fs;
use std::time::Duration;

use serde::Deserialize;

use crate::budget::{self, Deadline};
use crate::event::CleanEvent;
use crate::known_runs::KnownRuns;
use crate::server::{Reply, Server};
use crate::spool::{Pending, Spool};
use crate::storage;

/// How long events of a going install are only written after the server did not answer.
const PAUSE: Duration = Duration::from_mins(1);
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// Errors of single events in a batch that say nothing against the event.
const TEMPORARY: [&str; 7] = [
    "queue_full",
    "database_unavailable",
    "stopping",
    "rate_limited",
    "too_many_connections",
    "request_timeout",
    "internal",
];
/// Bytes of events, before they are compressed, that even a slow link takes within the budget of an end.
const SMALL_BATCH: usize = 64 * 1024;
/// Where batches stop growing: what is lost with one that does not get done.
const LARGE_BATCH: usize = 256 * 1024;
/// Without an answer for so long, a person who waits would rather be told.
const LONGEST_REQUEST: Duration = budget::INTERACTIVE;
const PAUSE_FILE: &str = "retry-after";

/// Whether an event is worth waiting for a server that was away a moment ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// A step of an install: the end brings it along.
    Step,
    /// An end, after which perhaps nothing else comes for days.
    End,
}

/// What became of the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Events that the server has.
    pub sent: usize,
    /// Events that wait for the next run.
    pub kept: usize,
    /// Events that are gone: the server will never take them, or there was no place to keep them.
    pub lost: usize,
}

/// Writes one event and sends it with everything that waits. `now_ms` is the time since 1970.
#[must_use]
pub fn report(
    spool: &Spool,
    server: &Server,
    event: &CleanEvent,
    urgency: Urgency,
    now_ms: u64,
    deadline: Deadline,
) -> Delivery {
    let path = spool.add(event, now_ms).ok();
    // Without a list the run is still reported; it can only not be asked for later.
    let _ = KnownRuns::of(spool).remember(event, now_ms / 1000);
    if path.is_some() && urgency == Urgency::Step && is_paused(spool, now_ms) {
        return Delivery { kept: 1, ..Delivery::default() };
    }
    let own = Pending { path, json: event.json.clone() };
    let lock = spool.lock();
    let mut pending = if lock.is_some() { spool.pending(now_ms) } else { Vec::new() };
    pending.retain(|other| other.path != own.path);
    pending.push(own);
    send(spool, server, pending, now_ms, deadline)
}

/// Sends everything that waits; nothing, if another process is at it.
#[must_use]
pub fn flush(spool: &Spool, server: &Server, now_ms: u64, deadline: Deadline) -> Delivery {
    let Some(_lock) = spool.lock() else {
        return Delivery { kept: spool.size().0, ..Delivery::default() };
    };
    send(spool, server, spool.pending(now_ms), now_ms, deadline)
}

/// Sends events, oldest first in the list: all at once where that is little, else the newest and then
/// the others in growing batches backwards, for as long as the deadline allows. What was answered is
/// settled before more is sent, so that every try over a slow link leaves less for the next.
fn send(
    spool: &Spool,
    server: &Server,
    mut waiting: Vec<Pending>,
    now_ms: u64,
    deadline: Deadline,
) -> Delivery {
    let mut delivery = Delivery::default();
    let is_little = waiting.iter().map(Pending::line_bytes).sum::<usize>() <= SMALL_BATCH;
    let mut batch_bytes = if is_little { SMALL_BATCH } else { 0 };
    let mut most_bytes = LARGE_BATCH;
    while !waiting.is_empty() {
        let batch = waiting.split_off(newest(&waiting, batch_bytes));
        let deadline = deadline.within(LONGEST_REQUEST);
        let course = match batch.len() {
            1 => one_by_one(spool, server, &batch, now_ms, deadline, &mut delivery),
            _ => send_batch(spool, server, &batch, now_ms, deadline, &mut delivery),
        };
        match course {
            Course::GoOn => {}
            Course::GoOnOneByOne => most_bytes = 0,
            Course::Stop => break,
        }
        batch_bytes = (batch_bytes * 2).max(SMALL_BATCH).min(most_bytes);
    }
    keep(&waiting, &mut delivery);
    delivery
}

/// Where the newest events begin that are together at most so large, or the very newest.
fn newest(waiting: &[Pending], most_bytes: usize) -> usize {
    let mut bytes = 0;
    let fitting = waiting.iter().rev().take_while(|event| {
        bytes += event.line_bytes();
        bytes <= most_bytes
    });
    waiting.len().saturating_sub(fitting.count().max(1))
}

/// Whether it makes sense to send more now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    GoOn,
    /// The server knows no batches.
    GoOnOneByOne,
    Stop,
}

fn send_batch(
    spool: &Spool,
    server: &Server,
    batch: &[Pending],
    now_ms: u64,
    deadline: Deadline,
    delivery: &mut Delivery,
) -> Course {
    let lines = batch.iter().map(|event| event.json.as_str()).collect::<Vec<_>>().join("\n") + "\n";
    match server.send_batch(&lines, deadline) {
        Reply::Accepted(Some(answer)) => {
            resume(spool);
            let kept = delivery.kept;
            for (event, result) in batch.iter().zip(results(&answer, batch.len())) {
                settle(spool, event, result, delivery);
            }
            // A server that wants all of them later wants the others later, too.
            if delivery.kept - kept < batch.len() { Course::GoOn } else { Course::Stop }
        }
        Reply::Missing => match one_by_one(spool, server, batch, now_ms, deadline, delivery) {
            Course::GoOn => Course::GoOnOneByOne,
            other => other,
        },
        // Perhaps one event spoils the batch for all.
        Reply::Refused(_) => one_by_one(spool, server, batch, now_ms, deadline, delivery),
        // Of a batch, the answer says which events the server did not take.
        later @ (Reply::Accepted(None) | Reply::Later(_) | Reply::Unreachable) => {
            pause(spool, &later, now_ms);
            keep(batch, delivery);
            Course::Stop
        }
    }
}

/// The newest first: it is what the host just did, and the budget may end before the others.
fn one_by_one(
    spool: &Spool,
    server: &Server,
    events: &[Pending],
    now_ms: u64,
    deadline: Deadline,
    delivery: &mut Delivery,
) -> Course {
    for (index, event) in events.iter().enumerate().rev() {
        let fate = match server.send_event(&event.json, deadline) {
            Reply::Accepted(_) => Fate::Taken,
            // What is wrong with this very body stays wrong; any other refusal (no such path, not
            // allowed, moved) is about the server, and may be mended.
            Reply::Refused(400 | 413 | 422) => Fate::Hopeless,
            other => {
                pause(spool, &other, now_ms);
                keep(&events[..=index], delivery);
                return Course::Stop;
            }
        };
        settle(spool, event, fate, delivery);
    }
    resume(spool);
    Course::GoOn
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Taken,
    Hopeless,
    Later,
}

fn settle(spool: &Spool, event: &Pending, fate: Fate, delivery: &mut Delivery) {
    match (fate, &event.path) {
        (Fate::Later, Some(_)) => {
            delivery.kept += 1;
            return;
        }
        (Fate::Taken, _) => delivery.sent += 1,
        (Fate::Hopeless | Fate::Later, _) => delivery.lost += 1,
    }
    if let Some(path) = &event.path {
        spool.remove(path);
    }
}

fn keep(events: &[Pending], delivery: &mut Delivery) {
    let kept = events.iter().filter(|event| event.path.is_some()).count();
    delivery.kept += kept;
    delivery.lost += events.len() - kept;
}

/// What a batch is answered with: one result for each event, in order.
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

/// 2xx means that the server took charge of all but the events that it names; an answer that cannot
/// be read names none.
fn results(answer: &str, events: usize) -> impl Iterator<Item = Fate> {
    let results = match serde_json::from_str(answer) {
        Ok(Answer::Wrapped { results } | Answer::Bare(results)) if results.len() == events => results,
        _ => Vec::new(),
    };
    let fates = results.into_iter().map(|result| match result.error.as_deref() {
        None => Fate::Taken,
        Some(error) if TEMPORARY.contains(&error) => Fate::Later,
        Some(_) => Fate::Hopeless,
    });
    fates.chain(std::iter::repeat(Fate::Taken)).take(events)
}

fn is_paused(spool: &Spool, now_ms: u64) -> bool {
    let until: Option<u64> =
        fs::read_to_string(spool.file(PAUSE_FILE)).ok().and_then(|until| until.trim().parse().ok());
    // A clock that was set back must not pause for ever.
    until.is_some_and(|until| now_ms < until && until - now_ms <= millis(LONGEST_PAUSE))
}

fn pause(spool: &Spool, reply: &Reply, now_ms: u64) {
    let asked_for = if let Reply::Later(Some(time)) = reply { Some(*time) } else { None };
    let until = now_ms + millis(asked_for.unwrap_or(PAUSE).min(LONGEST_PAUSE));
    // Without the note, the next step waits for the server once more.
    let _ = storage::replace(&spool.file(PAUSE_FILE), until.to_string().as_bytes(), 0o600);
}

/// Ends a pause, if there is one: the next step asks the server again.
pub fn resume(spool: &Spool) {
    let _ = fs::remove_file(spool.file(PAUSE_FILE));
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_in_order_and_a_strange_answer_means_all() {
        let fates = |answer: &str| results(answer, 3).collect::<Vec<_>>();
        let answer =
            r#"{"results":[{"status":"accepted"},{"error":"invalid_field"},{"error":"queue_full"}]}"#;
        assert_eq!(fates(answer), [Fate::Taken, Fate::Hopeless, Fate::Later]);
        assert_eq!(fates(r#"[{"status":"accepted"},{"error":null},{"error":"x"}]"#)[2], Fate::Hopeless);
        for strange in ["", "{}", r#"{"results":[]}"#, "<html>", r#"[{"error":"x"}]"#] {
            assert_eq!(fates(strange), [Fate::Taken; 3], "{strange}");
        }
    }
}
