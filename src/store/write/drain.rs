//! Drains the spool into the database, and detects the end of an outage.
//!
//! A page of entries is merged like a batch and removed after the commit. If the process or the connection
//! dies in between, the page is merged twice, which changes nothing. Entries that were erased while they waited
//! are left out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::metrics::Metrics;
use crate::store::write::commit::commit;
use crate::store::write::failure::Failure;
use crate::store::write::merge::KnownIds;
use crate::store::write::spool::{EntryId, Spool, Spooled};
use crate::store::write::writer::Destination;

/// Most entries in a page. Halved when the database is too slow.
const MAX_PAGE: usize = 512;
/// Pause between two checks for entries, and between two attempts while the database is unavailable.
const PAUSE: Duration = Duration::from_millis(500);

/// The task that drains the spool.
#[derive(Debug)]
pub struct Drainer {
    spool: Spool,
    destination: Destination,
    known: KnownIds,
    page: usize,
    metrics: Arc<Metrics>,
}

impl Drainer {
    /// A drainer of the spool of a destination; `None` if there is no spool.
    #[must_use]
    pub fn new(destination: &Destination, metrics: &Arc<Metrics>) -> Option<Self> {
        Some(Self {
            spool: destination.spool.clone()?,
            destination: destination.clone(),
            known: KnownIds::default(),
            page: MAX_PAGE,
            metrics: Arc::clone(metrics),
        })
    }

    /// Drains whenever the spool has entries. When `stopping` becomes true, drains until the spool is empty or
    /// the database fails, and returns.
    pub async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        loop {
            let is_stopping = *stopping.borrow_and_update();
            if self.spool.may_have_entries() || self.destination.outage.is_on() {
                // If it is interrupted, the next round continues.
                let _ = self.drain(is_stopping).await;
            }
            if is_stopping {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = stopping.changed() => {}
            }
        }
    }

    /// Drains until the spool is empty, and ends the outage with the first commit.
    async fn drain(&mut self, is_stopping: bool) -> Result<(), Interrupted> {
        loop {
            let live_before = self.metrics.batch_events.get_sample_count();
            let begun = Instant::now();
            let page = self.spool.oldest(self.page).await.map_err(|_| Interrupted)?;
            if page.is_empty() {
                if self.destination.outage.is_on() {
                    self.commit(&[]).await.map_err(|_| Interrupted)?;
                    self.end_outage();
                }
                return Ok(());
            }
            let (drained, refused) = self.merge(&page).await?;
            self.end_outage();
            self.spool.remove(drained, refused).await.map_err(|_| Interrupted)?;
            if !is_stopping && self.metrics.batch_events.get_sample_count() > live_before {
                // The writer is busy as well: leave it half of the time.
                tokio::time::sleep(begun.elapsed()).await;
            }
        }
    }

    fn end_outage(&self) {
        if self.destination.outage.end() {
            self.metrics.spooling.set(0);
            tracing::info!("the database is available again");
        }
    }

    /// Commits a page. Returns the ids of the entries that are committed or erased, and of those that the
    /// database refuses.
    async fn merge(&mut self, page: &[Spooled]) -> Result<(Vec<EntryId>, Vec<EntryId>), Interrupted> {
        let (mut drained, mut refused) = (Vec::with_capacity(page.len()), Vec::new());
        let mut work = vec![page];
        while let Some(entries) = work.pop() {
            match self.commit(entries).await {
                Ok(()) => drained.extend(entries.iter().map(|entry| entry.id)),
                Err(Failure::Refused) if entries.len() > 1 => {
                    let (first, second) = entries.split_at(entries.len() / 2);
                    work.extend([second, first]);
                }
                Err(Failure::Refused) => refused.extend(entries.iter().map(|entry| entry.id)),
                Err(failure) => {
                    if failure == Failure::TooSlow {
                        self.page = (self.page / 2).max(1);
                    }
                    return Err(Interrupted);
                }
            }
        }
        self.page = (self.page * 2).min(MAX_PAGE);
        Ok((drained, refused))
    }

    async fn commit(&mut self, entries: &[Spooled]) -> Result<(), Failure> {
        let events: Vec<_> = entries.iter().map(|entry| entry.execution.as_ref()).collect();
        let Destination { pool, batch_timeout, .. } = &self.destination;
        commit(pool, &mut self.known, &events, *batch_timeout, &self.metrics).await
    }
}

/// The database or the spool failed; draining continues later.
struct Interrupted;
