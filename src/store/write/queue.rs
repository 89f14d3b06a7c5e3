//! The bounded queue between the requests and the writer.
//!
//! Events are refused as soon as they could not be answered in time: a late answer is useless, because the
//! client has given up and sends the event again. `Pace` turns that time into a number of events; the
//! capacity of the channel and `MAX_PENDING_BYTES` bound the memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::ingest::execution::Execution;
use crate::ingest::reported::Reported;
use crate::ingest::validate::CleanEvent;
use crate::metrics::Metrics;
use crate::store::write::pace::Pace;

/// Most events in one batch.
const MAX_BATCH_EVENTS: usize = 4096;
/// Most bytes that may wait or be in a transaction.
const MAX_PENDING_BYTES: usize = 64 << 20;
/// Upper bound of the short texts of an event, in bytes.
const SHORT_TEXT_BYTES: usize = 4 * 1024;
/// The wait of one event in this many is measured, starting with the first of a batch, which waited longest.
const WAIT_SAMPLE: usize = 16;
/// Interval at which [`Queue::wait_for_capacity`] checks the queue.
const CAPACITY_POLL: Duration = Duration::from_millis(5);

/// Why an event was not stored. The client may send it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Too many events are pending.
    #[error("the queue is full")]
    QueueFull,
    /// The database did not accept the event.
    #[error("the database is unavailable")]
    Unavailable,
    /// The database is unavailable and the spool has no room.
    #[error("the database is unavailable and the spool is full")]
    SpoolFull,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl WriteError {
    /// Stable code, for the reply and the label of the metric.
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

pub(super) type Answer = oneshot::Sender<Result<(), WriteError>>;

#[derive(Debug)]
enum Queued {
    Event {
        execution: Box<Execution>,
        bytes: usize,
        since: Instant,
        answer: Answer,
    },
    /// Resolved when everything that was queued before it is answered.
    Marker(oneshot::Sender<()>),
}

/// What is queued or in a transaction, shared by both ends of the queue.
#[derive(Debug, Default)]
struct Pending {
    events: AtomicUsize,
    bytes: AtomicUsize,
    pace: Pace,
}

impl Pending {
    fn add(&self, bytes: usize) {
        self.events.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn remove(&self, events: usize, bytes: usize) {
        self.events.fetch_sub(events, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The end of the queue into which requests put events. The writer stops when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Queue {
    sender: mpsc::Sender<Queued>,
    pending: Arc<Pending>,
    metrics: Arc<Metrics>,
}

/// The end of the queue from which the writer takes batches.
#[derive(Debug)]
pub struct Batches {
    receiver: mpsc::Receiver<Queued>,
    pending: Arc<Pending>,
    metrics: Arc<Metrics>,
}

/// The events that are committed together, and the requests that wait for them.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) events: Vec<Execution>,
    /// One for each event, in the same order.
    pub(super) answers: Vec<Answer>,
    markers: Vec<oneshot::Sender<()>>,
    bytes: usize,
    begun: Instant,
}

/// Creates a queue for at most `capacity_events`.
#[must_use]
pub fn queue(capacity_events: usize, metrics: &Arc<Metrics>) -> (Queue, Batches) {
    let (sender, receiver) = mpsc::channel(capacity_events);
    let pending = Arc::<Pending>::default();
    let batches = Batches { receiver, pending: Arc::clone(&pending), metrics: Arc::clone(metrics) };
    (Queue { sender, pending, metrics: Arc::clone(metrics) }, batches)
}

impl Queue {
    /// Checks whether the queue accepts events, so that one can be refused before it is parsed.
    ///
    /// # Errors
    /// [`WriteError::QueueFull`].
    pub fn check_capacity(&self) -> Result<(), WriteError> {
        // Events in a transaction count as well: the next one waits for them too.
        let is_full = self.pending.events.load(Ordering::Relaxed) >= self.pending.pace.max_pending();
        if is_full { Err(WriteError::QueueFull) } else { Ok(()) }
    }

    /// Waits until the queue accepts events, but no longer than `max_wait`. For requests with many events,
    /// which fill the queue by themselves.
    pub async fn wait_for_capacity(&self, max_wait: Duration) {
        let begun = Instant::now();
        while self.check_capacity().is_err() && begun.elapsed() < max_wait {
            tokio::time::sleep(CAPACITY_POLL).await;
        }
    }

    /// Queues an event and returns when it is stored.
    ///
    /// # Errors
    /// [`WriteError`]. The event may be stored all the same.
    pub async fn submit(&self, event: CleanEvent) -> Result<(), WriteError> {
        self.check_capacity()?;
        let execution = event.into_execution();
        let bytes = size_of_event(&execution);
        self.pending.add(bytes);
        if self.pending.bytes.load(Ordering::Relaxed) > MAX_PENDING_BYTES {
            self.pending.remove(1, bytes);
            return Err(WriteError::QueueFull);
        }
        let (answer, answered) = oneshot::channel();
        let queued = Queued::Event { execution, bytes, since: Instant::now(), answer };
        if let Err(refused) = self.sender.try_send(queued) {
            self.pending.remove(1, bytes);
            return Err(match refused {
                mpsc::error::TrySendError::Full(_) => WriteError::QueueFull,
                mpsc::error::TrySendError::Closed(_) => WriteError::Stopping,
            });
        }
        self.metrics.queue_events.inc();
        answered.await.unwrap_or(Err(WriteError::Stopping))
    }

    /// Returns when everything that is queued now is answered: committed, spooled or refused.
    pub async fn settled(&self) {
        let (marker, reached) = oneshot::channel();
        if self.sender.send(Queued::Marker(marker)).await.is_ok() {
            // An error means that the writer has stopped: it answers nothing more.
            let _ = reached.await;
        }
    }
}

/// Upper bound of the memory that an event takes, in bytes.
fn size_of_event(execution: &Execution) -> usize {
    let long_texts = [&execution.facts.error, &execution.facts.failed_command];
    let long_texts: usize = long_texts.into_iter().filter_map(Reported::get).map(String::len).sum();
    size_of::<Execution>() + SHORT_TEXT_BYTES + long_texts
}

impl Batches {
    /// Waits for events and takes all that are queued; `None` when every [`Queue`] is dropped and nothing is
    /// left.
    pub(super) async fn next(&mut self) -> Option<Batch> {
        let mut queued = Vec::new();
        if self.receiver.recv_many(&mut queued, MAX_BATCH_EVENTS).await == 0 {
            return None;
        }
        let begun = Instant::now();
        let mut batch = Batch {
            events: Vec::with_capacity(queued.len()),
            answers: Vec::with_capacity(queued.len()),
            markers: Vec::new(),
            bytes: 0,
            begun,
        };
        for queued in queued {
            match queued {
                Queued::Event { execution, bytes, since, answer } => {
                    if batch.events.len().is_multiple_of(WAIT_SAMPLE) {
                        self.metrics.stages.queue.observe((begun - since).as_secs_f64());
                    }
                    batch.events.push(*execution);
                    batch.answers.push(answer);
                    batch.bytes += bytes;
                }
                Queued::Marker(marker) => batch.markers.push(marker),
            }
        }
        self.metrics.queue_events.sub(i64::try_from(batch.events.len()).unwrap_or(i64::MAX));
        Some(batch)
    }

    /// Makes room for new events after the requests of a batch are answered.
    pub(super) fn finish(&self, batch: Batch) {
        self.pending.pace.record(batch.events.len(), batch.begun.elapsed());
        self.pending.remove(batch.events.len(), batch.bytes);
        for marker in batch.markers {
            // The request that waited may be gone.
            let _ = marker.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::ingest::identity::IdKey;
    use crate::ingest::normalise::Route;
    use crate::ingest::pipeline::read_event;

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_a_stopping_one_says_so() {
        let metrics = Arc::new(Metrics::new().expect("right"));
        let (queue, batches) = queue(1, &metrics);
        let event = || {
            let body = br#"{"random_id":"r","nsapp":"x"}"#;
            let read = read_event(body, Route::Telemetry, DateTime::UNIX_EPOCH, &IdKey::new(b"k"));
            read.expect("an event").event
        };
        let first = queue.submit(event());
        tokio::pin!(first);
        tokio::select! {
            biased;
            answer = &mut first => panic!("answered before it is committed: {answer:?}"),
            () = std::future::ready(()) => {}
        }
        let pending = || (&queue.pending.events, &queue.pending.bytes);
        let loaded = || (pending().0.load(Ordering::Relaxed), pending().1.load(Ordering::Relaxed));
        let before = loaded();
        assert_eq!(queue.submit(event()).await, Err(WriteError::QueueFull));
        assert_eq!(loaded(), before, "a refused event leaves nothing behind");
        drop(batches);
        assert_eq!(first.await, Err(WriteError::Stopping));
        assert_eq!(queue.submit(event()).await, Err(WriteError::Stopping));
    }

    #[tokio::test]
    async fn a_queue_is_settled_when_everything_before_is_answered() {
        let metrics = Arc::new(Metrics::new().expect("right"));
        let (queue, mut batches) = queue(8, &metrics);
        let settled = queue.settled();
        tokio::pin!(settled);
        let batch = tokio::select! {
            biased;
            () = &mut settled => panic!("settled before the batch is answered"),
            batch = batches.next() => batch.expect("the queue is open"),
        };
        assert!(batch.events.is_empty() && batch.markers.len() == 1);
        batches.finish(batch);
        settled.await;
    }
}
