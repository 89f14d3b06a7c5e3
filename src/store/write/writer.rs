//! The queue in front of the database and the tasks that empty it.
//!
//! A writer takes whatever has queued and commits it at once: the transaction that is running is
//! the window in which the next batch gathers. Only then are the waiting requests answered. There
//! are two writers, so that one can compute while the other waits for the database; the events of
//! a run always go to the same one, so that they never outrun each other.
//!
//! A batch that the database does not take goes to the spool, and so do all that follow until it
//! is back: 2xx means committed, or fsynced on this machine.
//!
//! What could not be answered within about a second is refused when it comes (`Pace`): a late
//! answer helps nobody, the client has gone and will send again.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use sqlx::PgPool;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::ingest::execution::Execution;
use crate::ingest::reported::Reported;
use crate::ingest::validate::CleanEvent;
use crate::metrics::Metrics;
use crate::store::database::pools::Patience;
use crate::store::write::commit::commit;
use crate::store::write::failure::Failure;
use crate::store::write::merge::{Known, join_events};
use crate::store::write::pace::Pace;
use crate::store::write::spool::{Spool, SpoolError};

/// Writers, each with a connection of its own.
pub const WRITERS: u32 = 2;
/// Most events in one transaction.
const MAX_BATCH_EVENTS: usize = 4096;
/// Most bytes that may wait or be in a transaction.
const MAX_QUEUED_BYTES: usize = 64 << 20;
/// What the short texts of an event weigh at most, on top of those that are kept in place.
const SHORT_TEXT_BYTES: usize = 2 * 1024;
/// Of so many events in a batch the wait of one is measured, the first one always: it waited longest.
const WAIT_SAMPLE: usize = 16;
/// Two batches of so many events are not committed at the same time: they would wait for each other's
/// rows of the rollups anyway, and what gathers meanwhile makes one batch, which counts each rollup row once.
const LARGE_BATCH: usize = 128;
/// How often it is looked whether there is room again.
const ROOM: Duration = Duration::from_millis(5);

/// Why an event was not committed. The client may send it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// More waits than may wait.
    #[error("the queue is full")]
    QueueFull,
    /// The database does not take it now.
    #[error("the database is unavailable")]
    Unavailable,
    /// The database is away and the spool has no room.
    #[error("the database is unavailable and the spool takes no more")]
    SpoolFull,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl WriteError {
    /// Stable code of the reason: in the reply and as label of the metric.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Unavailable => "database_unavailable",
            Self::SpoolFull => "spool_full",
            Self::Stopping => "stopping",
        }
    }
}

/// An event with the request that waits for it.
struct Queued {
    /// `None`: nothing but somebody who waits until all that came before is done.
    event: Option<CleanEvent>,
    bytes: usize,
    since: Instant,
    answer: Answer,
}

type Answer = oneshot::Sender<Result<(), WriteError>>;

/// The way to the writers. They end when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Queue {
    shards: Vec<Shard>,
    waiting_bytes: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

/// The way to one writer.
#[derive(Clone, Debug)]
struct Shard {
    sender: mpsc::Sender<Queued>,
    pace: Arc<Pace>,
    /// Events that wait or are in a transaction.
    unanswered: Arc<AtomicUsize>,
}

impl Shard {
    fn is_overloaded(&self) -> bool {
        // Also those that the writer has taken, and holds until it is its turn: the next one waits for them.
        self.unanswered.load(Ordering::Relaxed) >= self.pace.admitted()
    }
}

impl Queue {
    /// Whether every event would be refused now. Known before anything is read, so that refusing
    /// costs next to nothing.
    ///
    /// # Errors
    /// [`WriteError::QueueFull`].
    pub fn admit(&self) -> Result<(), WriteError> {
        if self.shards.iter().all(Shard::is_overloaded) { Err(WriteError::QueueFull) } else { Ok(()) }
    }

    /// Waits until the writer of an event has room, at most for `patience`: for who brings many events
    /// at once and would otherwise fill the queue alone.
    pub async fn room(&self, event: &CleanEvent, patience: Duration) {
        let begun = Instant::now();
        while self.shard(event).is_overloaded() && begun.elapsed() < patience {
            tokio::time::sleep(ROOM).await;
        }
    }

    /// The events of a run always go to the same writer.
    fn shard(&self, event: &CleanEvent) -> &Shard {
        let shard = event.execution().key.0.as_u128() % self.shards.len() as u128;
        &self.shards[shard as usize]
    }

    /// Hands an event to a writer and waits until it is committed.
    ///
    /// # Errors
    /// [`WriteError`]; then the event may not be stored.
    pub async fn write(&self, event: CleanEvent) -> Result<(), WriteError> {
        let bytes = weight(event.execution());
        let (answer, answered) = oneshot::channel();
        let shard = self.shard(&event);
        if shard.is_overloaded() {
            return Err(WriteError::QueueFull);
        }
        if self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > MAX_QUEUED_BYTES {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(WriteError::QueueFull);
        }
        let since = Instant::now();
        shard.unanswered.fetch_add(1, Ordering::Relaxed);
        if let Err(refused) = shard.sender.try_send(Queued { event: Some(event), bytes, since, answer }) {
            shard.unanswered.fetch_sub(1, Ordering::Relaxed);
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(match refused {
                mpsc::error::TrySendError::Full(_) => WriteError::QueueFull,
                mpsc::error::TrySendError::Closed(_) => WriteError::Stopping,
            });
        }
        self.metrics.queue_events.inc();
        answered.await.unwrap_or(Err(WriteError::Stopping))
    }

    /// Returns when everything that is queued now was answered: it is committed, in the spool, or refused.
    pub async fn settled(&self) {
        let waiting = self.shards.iter().map(async |shard| {
            let (answer, answered) = oneshot::channel();
            let mark = Queued { event: None, bytes: 0, since: Instant::now(), answer };
            if shard.sender.send(mark).await.is_ok() {
                self.metrics.queue_events.inc();
                // A writer that ended has done what it will do.
                let _ = answered.await;
            }
        });
        futures_util::future::join_all(waiting).await;
    }
}

/// What an event weighs in memory, in bytes, from above.
fn weight(event: &Execution) -> usize {
    let long = [&event.facts.error, &event.facts.failed_command];
    let long = long.into_iter().filter_map(Reported::get).map(|text| text.len()).sum::<usize>();
    size_of::<Execution>() + SHORT_TEXT_BYTES + long
}

/// Where a writer brings its batches.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Connections to the database.
    pub pool: PgPool,
    /// How long it is waited for.
    pub patience: Patience,
    /// Where batches go that it does not take; `None`: back to the clients.
    pub spool: Option<Spool>,
}

/// A task that empties its part of the queue.
#[derive(Debug)]
pub struct Writer {
    receiver: mpsc::Receiver<Queued>,
    /// Held while a large batch is being committed.
    turn: Arc<Mutex<()>>,
    pace: Arc<Pace>,
    unanswered: Arc<AtomicUsize>,
    waiting_bytes: Arc<AtomicUsize>,
    destination: Destination,
    known: Known,
    metrics: Arc<Metrics>,
}

/// Makes a queue for at most `capacity_events` and its writers.
#[must_use]
pub fn writers(
    destination: &Destination,
    capacity_events: usize,
    metrics: &Arc<Metrics>,
) -> (Queue, Vec<Writer>) {
    let waiting_bytes = Arc::new(AtomicUsize::new(0));
    let turn = Arc::new(Mutex::new(()));
    let (shards, writers) = (0..WRITERS)
        .map(|_| {
            let (sender, receiver) = mpsc::channel(capacity_events.div_ceil(WRITERS as usize));
            let (pace, unanswered) = <(Arc<Pace>, Arc<AtomicUsize>)>::default();
            let writer = Writer {
                receiver,
                turn: Arc::clone(&turn),
                pace: Arc::clone(&pace),
                unanswered: Arc::clone(&unanswered),
                waiting_bytes: Arc::clone(&waiting_bytes),
                destination: destination.clone(),
                known: Known::default(),
                metrics: Arc::clone(metrics),
            };
            (Shard { sender, pace, unanswered }, writer)
        })
        .unzip();
    (Queue { shards, waiting_bytes, metrics: Arc::clone(metrics) }, writers)
}

impl Writer {
    /// Commits until every [`Queue`] is dropped and everything queued is answered.
    pub async fn run(mut self) {
        let mut queued = Vec::with_capacity(MAX_BATCH_EVENTS);
        let turn = Arc::clone(&self.turn);
        while self.receiver.recv_many(&mut queued, MAX_BATCH_EVENTS).await > 0 {
            let waiting = turn.lock().await;
            let room = MAX_BATCH_EVENTS - queued.len();
            if room > 0 && !self.receiver.is_empty() {
                self.receiver.recv_many(&mut queued, room).await;
            }
            let _turn = (queued.len() >= LARGE_BATCH).then_some(waiting);
            let begun = Instant::now();
            self.metrics.queue_events.sub(i64::try_from(queued.len()).unwrap_or(i64::MAX));
            let bytes = queued.iter().map(|queued| queued.bytes).sum();
            let now = Instant::now();
            for queued in queued.iter().step_by(WAIT_SAMPLE) {
                self.metrics.stages.queue.observe((now - queued.since).as_secs_f64());
            }
            let mut events = Vec::with_capacity(queued.len());
            let mut answers = Vec::with_capacity(queued.len());
            let mut marks = Vec::new();
            for Queued { event, answer, .. } in queued.drain(..) {
                let Some(event) = event else {
                    marks.push(answer);
                    continue;
                };
                events.push(event.into_execution());
                answers.push(answer);
            }
            if !events.is_empty() {
                self.write(&events, answers).await;
            }
            for mark in marks {
                let _ = mark.send(Ok(()));
            }
            self.pace.learn(events.len(), begun.elapsed());
            self.unanswered.fetch_sub(events.len(), Ordering::Relaxed);
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Commits a batch and answers its requests. A batch that the database refuses for what is in
    /// it is halved until the event that it refuses stands alone, so that no other one suffers.
    async fn write(&mut self, events: &[Box<Execution>], mut answers: Vec<Answer>) {
        let mut work = vec![events];
        while let Some(events) = work.pop() {
            let runs = join_events(events.iter().map(Box::as_ref));
            let result = match self.commit(events.len(), &runs).await {
                Ok(()) => Ok(()),
                Err(Failure::Refused) if events.len() > 1 => {
                    let (early, late) = events.split_at(events.len() / 2);
                    work.extend([late, early]);
                    continue;
                }
                Err(Failure::Refused) => Err(WriteError::Unavailable),
                Err(Failure::Again | Failure::Away | Failure::TooSlow) => self.spool(&runs).await,
            };
            for answer in answers.drain(..events.len()) {
                // Nobody waits any more where the client has gone; the event is stored.
                let _ = answer.send(result);
            }
        }
    }

    async fn commit(&mut self, events: usize, runs: &[Cow<'_, Execution>]) -> Result<(), Failure> {
        let Destination { pool, patience, spool } = &self.destination;
        if spool.is_some() && patience.outage.is_on() {
            return Err(Failure::Away);
        }
        let begun = Instant::now();
        commit(pool, &mut self.known, runs, patience.with_a_batch(), &self.metrics).await?;
        self.metrics.batch_events.observe(events as f64);
        self.metrics.stages.commit.observe(begun.elapsed().as_secs_f64());
        self.metrics.last_commit.set(Utc::now().timestamp());
        Ok(())
    }

    /// Keeps a batch that the database did not take.
    async fn spool(&self, runs: &[Cow<'_, Execution>]) -> Result<(), WriteError> {
        let Destination { patience, spool, .. } = &self.destination;
        let Some(spool) = spool else { return Err(WriteError::Unavailable) };
        let written = spool.append(runs).await;
        // Not before: the end of an outage is what was spooled being committed.
        if patience.outage.begin() {
            self.metrics.spooling.set(1);
            tracing::warn!("the database is away; events go to the spool");
        }
        written.map_err(|error| match error {
            SpoolError::Full => WriteError::SpoolFull,
            SpoolError::Failed => WriteError::Unavailable,
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use sqlx::postgres::PgPoolOptions;

    use super::*;
    use crate::ingest::identity::IdKey;
    use crate::ingest::normalise::Route;
    use crate::ingest::pipeline::read_event;

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_one_that_stops_says_so() {
        let pool = PgPoolOptions::new().connect_lazy("postgres://nobody@127.0.0.1:1/none").expect("lazy");
        let metrics = Arc::new(Metrics::new().expect("right"));
        let patience = Patience { has_spool: false, outage: Arc::default() };
        let destination = Destination { pool, patience, spool: None };
        let (queue, writers) = writers(&destination, WRITERS as usize, &metrics);
        let event = || {
            let body = br#"{"random_id":"r","nsapp":"x"}"#;
            let read = read_event(body, Route::Telemetry, DateTime::UNIX_EPOCH, &IdKey::new(b"k"));
            read.expect("an event").event
        };
        let first = queue.write(event());
        tokio::pin!(first);
        tokio::select! {
            biased;
            answer = &mut first => panic!("answered before it is committed: {answer:?}"),
            () = std::future::ready(()) => {}
        }
        let waiting = queue.waiting_bytes.load(Ordering::Relaxed);
        assert_eq!(queue.write(event()).await, Err(WriteError::QueueFull));
        assert_eq!(queue.waiting_bytes.load(Ordering::Relaxed), waiting);
        drop(writers);
        assert_eq!(first.await, Err(WriteError::Stopping));
        assert_eq!(queue.write(event()).await, Err(WriteError::Stopping));
    }
}
