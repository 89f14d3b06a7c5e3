//! The task that commits what is queued.
//!
//! While a transaction runs, the next batch gathers, so batches grow with the load. Requests are answered
//! after the commit. Batches that the database does not accept go to the spool, and so does everything after
//! them until the database is back: 2xx means committed, or fsynced on this machine.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use sqlx::PgPool;

use crate::ingest::execution::Execution;
use crate::metrics::Metrics;
use crate::store::database::outage::Outage;
use crate::store::write::commit::commit;
use crate::store::write::failure::Failure;
use crate::store::write::merge::{KnownIds, join_events};
use crate::store::write::queue::{Answer, Batches, WriteError};
use crate::store::write::spool::{Spool, SpoolError};

/// The database, and what replaces it during an outage.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Connections to the database.
    pub pool: PgPool,
    /// Longest time that a batch may take.
    pub batch_timeout: Duration,
    /// Whether the database is unavailable.
    pub outage: Arc<Outage>,
    /// Takes batches that the database does not accept. Without a spool their requests fail.
    pub spool: Option<Spool>,
}

/// The task that commits what is queued.
#[derive(Debug)]
pub struct Writer {
    batches: Batches,
    destination: Destination,
    known: KnownIds,
    metrics: Arc<Metrics>,
}

impl Writer {
    /// A writer of the events of a queue.
    #[must_use]
    pub fn new(batches: Batches, destination: Destination, metrics: &Arc<Metrics>) -> Self {
        Self { batches, destination, known: KnownIds::default(), metrics: Arc::clone(metrics) }
    }

    /// Commits until the queue is closed and every request is answered.
    pub async fn run(mut self) {
        while let Some(mut batch) = self.batches.next().await {
            let answers = std::mem::take(&mut batch.answers);
            self.store(&batch.events, answers).await;
            self.batches.finish(batch);
        }
    }

    /// Stores events and answers their requests. A batch that contains an event that the database refuses is
    /// halved until that event is alone, so that no other event is lost with it.
    async fn store(&mut self, events: &[Execution], mut answers: Vec<Answer>) {
        let mut work = if events.is_empty() { Vec::new() } else { vec![events] };
        while let Some(events) = work.pop() {
            let result = match self.commit(events).await {
                Ok(()) => Ok(()),
                Err(Failure::Refused) if events.len() > 1 => {
                    let (first, second) = events.split_at(events.len() / 2);
                    work.extend([second, first]);
                    continue;
                }
                Err(Failure::Refused) => Err(WriteError::Unavailable),
                Err(Failure::Again | Failure::Away | Failure::TooSlow) => {
                    self.spool(&join_events(events)).await
                }
            };
            for answer in answers.drain(..events.len()) {
                // The client may be gone; the event is stored all the same.
                let _ = answer.send(result);
            }
        }
    }

    async fn commit(&mut self, events: &[Execution]) -> Result<(), Failure> {
        let Destination { pool, batch_timeout, outage, spool } = &self.destination;
        if spool.is_some() && outage.is_on() {
            return Err(Failure::Away);
        }
        let begun = Instant::now();
        let executions: Vec<_> = events.iter().collect();
        commit(pool, &mut self.known, &executions, *batch_timeout, &self.metrics).await?;
        self.metrics.batch_events.observe(events.len() as f64);
        self.metrics.stages.commit.observe(begun.elapsed().as_secs_f64());
        self.metrics.last_commit.set(Utc::now().timestamp());
        Ok(())
    }

    /// Spools executions that the database did not accept.
    async fn spool(&self, executions: &[Cow<'_, Execution>]) -> Result<(), WriteError> {
        let Destination { outage, spool, .. } = &self.destination;
        let Some(spool) = spool else { return Err(WriteError::Unavailable) };
        let spooled = spool.append(executions).await;
        // Only now: the outage ends when the drainer finds the spool empty.
        if outage.begin() {
            self.metrics.spooling.set(1);
            tracing::warn!("the database is unavailable; events go to the spool");
        }
        spooled.map_err(|error| match error {
            SpoolError::Full => WriteError::SpoolFull,
            SpoolError::Failed => WriteError::Unavailable,
        })
    }
}
