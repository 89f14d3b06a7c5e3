//! The queue in front of the database and the tasks that empty it.
//!
//! A writer takes whatever has queued and commits it at once: the transaction that is running is
//! the window in which the next batch gathers. Only then are the waiting requests answered. There
//! are two writers, so that one can compute while the other waits for the database; the events of
//! a run always go to the same one, so that they never outrun each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use sqlx::PgPool;
use sqlx::postgres::PgConnection;
use tokio::sync::{mpsc, oneshot};

use crate::ingest::execution::{Execution, Told};
use crate::ingest::validate::CleanEvent;
use crate::metrics::Metrics;
use crate::store::merge::{Known, Merged, join_events, merge};

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
/// How often a batch is tried against other writers and a restarting database.
const MAX_ATTEMPTS: u32 = 8;
/// Longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_millis(200);

/// Why an event was not committed. The client may send it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// More waits than may wait.
    #[error("the queue is full")]
    QueueFull,
    /// The database does not take it now.
    #[error("the database is unavailable")]
    Unavailable,
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
            Self::Stopping => "stopping",
        }
    }
}

/// An event with the request that waits for it.
struct Queued {
    event: CleanEvent,
    bytes: usize,
    since: Instant,
    answer: Answer,
}

type Answer = oneshot::Sender<Result<(), WriteError>>;

/// The way to the writers. They end when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Queue {
    senders: Vec<mpsc::Sender<Queued>>,
    waiting_bytes: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

impl Queue {
    /// Hands an event to a writer and waits until it is committed.
    ///
    /// # Errors
    /// [`WriteError`]; then the event may not be stored.
    pub async fn write(&self, event: CleanEvent) -> Result<(), WriteError> {
        let bytes = weight(event.execution());
        let (answer, answered) = oneshot::channel();
        if self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > MAX_QUEUED_BYTES {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(WriteError::QueueFull);
        }
        let since = Instant::now();
        let shard = event.execution().key.0.as_u128() % self.senders.len() as u128;
        if let Err(refused) = self.senders[shard as usize].try_send(Queued { event, bytes, since, answer }) {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(match refused {
                mpsc::error::TrySendError::Full(_) => WriteError::QueueFull,
                mpsc::error::TrySendError::Closed(_) => WriteError::Stopping,
            });
        }
        self.metrics.queue_events.inc();
        answered.await.unwrap_or(Err(WriteError::Stopping))
    }
}

/// What an event weighs in memory, in bytes, from above.
fn weight(event: &Execution) -> usize {
    let long = [&event.facts.error, &event.facts.failed_command];
    let long = long.into_iter().filter_map(Told::get).map(|text| text.len()).sum::<usize>();
    size_of::<Execution>() + SHORT_TEXT_BYTES + long
}

/// A task that empties its part of the queue.
#[derive(Debug)]
pub struct Writer {
    receiver: mpsc::Receiver<Queued>,
    waiting_bytes: Arc<AtomicUsize>,
    pool: PgPool,
    known: Known,
    metrics: Arc<Metrics>,
}

/// Makes a queue for at most `capacity_events` and its writers.
#[must_use]
pub fn writers(pool: &PgPool, capacity_events: usize, metrics: &Arc<Metrics>) -> (Queue, Vec<Writer>) {
    let waiting_bytes = Arc::new(AtomicUsize::new(0));
    let (senders, writers) = (0..WRITERS)
        .map(|_| {
            let (sender, receiver) = mpsc::channel(capacity_events.div_ceil(WRITERS as usize));
            let writer = Writer {
                receiver,
                waiting_bytes: Arc::clone(&waiting_bytes),
                pool: pool.clone(),
                known: Known::default(),
                metrics: Arc::clone(metrics),
            };
            (sender, writer)
        })
        .unzip();
    (Queue { senders, waiting_bytes, metrics: Arc::clone(metrics) }, writers)
}

impl Writer {
    /// Commits until every [`Queue`] is dropped and everything queued is answered.
    pub async fn run(mut self) {
        let mut queued = Vec::with_capacity(MAX_BATCH_EVENTS);
        while self.receiver.recv_many(&mut queued, MAX_BATCH_EVENTS).await > 0 {
            self.metrics.queue_events.sub(i64::try_from(queued.len()).unwrap_or(i64::MAX));
            let bytes = queued.iter().map(|queued| queued.bytes).sum();
            let now = Instant::now();
            for queued in queued.iter().step_by(WAIT_SAMPLE) {
                self.metrics.stages.queue.observe((now - queued.since).as_secs_f64());
            }
            let mut events = Vec::with_capacity(queued.len());
            let mut answers = Vec::with_capacity(queued.len());
            for Queued { event, answer, .. } in queued.drain(..) {
                events.push(event.into_execution());
                answers.push(answer);
            }
            self.write(&events, answers).await;
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Commits a batch and answers its requests. A batch that the database refuses for what is in
    /// it is halved until the event that it refuses stands alone, so that no other one suffers.
    async fn write(&mut self, events: &[Box<Execution>], mut answers: Vec<Answer>) {
        let mut work = vec![events];
        while let Some(events) = work.pop() {
            let result = match self.commit(events).await {
                Err(Failure::Refused) if events.len() > 1 => {
                    let (early, late) = events.split_at(events.len() / 2);
                    work.extend([late, early]);
                    continue;
                }
                result => result.map_err(|_| WriteError::Unavailable),
            };
            for answer in answers.drain(..events.len()) {
                // Nobody waits any more where the client has gone; the event is stored.
                let _ = answer.send(result);
            }
        }
    }

    async fn commit(&mut self, events: &[Box<Execution>]) -> Result<(), Failure> {
        let count = events.len();
        let runs = join_events(events.iter().map(Box::as_ref));
        let mut pause = Duration::from_millis(5);
        for attempt in 1..=MAX_ATTEMPTS {
            let started = Instant::now();
            let result = async {
                let mut connection = self.pool.acquire().await?;
                let connection: &mut PgConnection = &mut connection;
                merge(connection, &mut self.known, &runs).await
            };
            match result.await {
                Ok(Merged::Committed) => {
                    self.metrics.batch_events.observe(count as f64);
                    self.metrics.stages.commit.observe(started.elapsed().as_secs_f64());
                    self.metrics.last_commit.set(Utc::now().timestamp());
                    return Ok(());
                }
                Ok(Merged::Outrun) => self.metrics.batch_retries.inc(),
                Err(error) => {
                    let failure = Failure::of(&error);
                    self.metrics.batch_failures.with_label_values(&[failure.code()]).inc();
                    tracing::warn!(events = count, attempt, reason = failure.code(), "batch not committed");
                    // An id that was read may be gone with its database.
                    self.known = Known::default();
                    if failure != Failure::Again {
                        return Err(failure);
                    }
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
        Err(Failure::Again)
    }
}

/// What to do about an error of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// It has nothing to do with what is in the batch and may pass: try the same again.
    Again,
    /// The database cannot be reached: tell the clients to come back.
    Away,
    /// Something in the batch is to blame.
    Refused,
}

impl Failure {
    fn of(error: &sqlx::Error) -> Self {
        let sqlx::Error::Database(database) = error else {
            return match error {
                // A connection that died while idle; the next one may be good.
                sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => Self::Again,
                sqlx::Error::Encode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                    Self::Refused
                }
                _ => Self::Away,
            };
        };
        // Classes of SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
        match database.code().as_deref().map(|code| (code.get(..2).unwrap_or(code), code)) {
            // Serialization failure, deadlock; administrator command, crash, not yet started.
            Some(("40", _) | (_, "57P01" | "57P02" | "57P03")) => Self::Again,
            // Data exception, constraint violation, a value too large for an index row.
            Some(("22" | "23", _) | (_, "54000")) => Self::Refused,
            _ => Self::Away,
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Again => "transient",
            Self::Away => "away",
            Self::Refused => "refused",
        }
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
        let (queue, writers) = writers(&pool, WRITERS as usize, &metrics);
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
