//! Empties the spool into the database, and finds out when an outage is over.
//!
//! A page of the spool is merged as a batch is, and forgotten when it is committed: what is merged
//! twice, because the process or the connection died in between, changes nothing. What was erased
//! while it waited is left out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::sync::watch;

use crate::metrics::Metrics;
use crate::store::database::pools::Patience;
use crate::store::write::commit::commit_spooled;
use crate::store::write::failure::Failure;
use crate::store::write::merge::Known;
use crate::store::write::spool::{EntryId, Spool, Spooled};

/// Most entries that are merged at once. Halved when the database is too slow for so many.
const MAX_PAGE: usize = 512;
/// Between two tries while the database is away.
const PROBE: Duration = Duration::from_millis(500);
/// How often it looks whether there is something to do, if nobody says so.
const IDLE: Duration = Duration::from_secs(1);

/// The task that empties the spool.
#[derive(Debug)]
pub struct Drainer {
    spool: Spool,
    pool: PgPool,
    patience: Patience,
    known: Known,
    page: usize,
    metrics: Arc<Metrics>,
}

impl Drainer {
    /// A drainer for the one spool of this server.
    #[must_use]
    pub fn new(spool: Spool, pool: &PgPool, patience: &Patience, metrics: &Arc<Metrics>) -> Self {
        Self {
            spool,
            pool: pool.clone(),
            patience: patience.clone(),
            known: Known::default(),
            page: MAX_PAGE,
            metrics: Arc::clone(metrics),
        }
    }

    /// Drains whenever there is something to drain. Once `stopping` says so, goes on until the spool
    /// is empty or the database does not take it, and returns.
    pub async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        loop {
            let is_stopping = *stopping.borrow_and_update();
            let has_work = self.spool.entries() > 0 || self.patience.outage.is_on();
            let is_done = if has_work { self.drain(is_stopping).await.is_ok() } else { true };
            if is_stopping {
                return;
            }
            let pause = if is_done { IDLE } else { PROBE };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.patience.outage.began(), if is_done => {}
                _ = stopping.changed() => {}
            }
        }
    }

    /// Drains until nothing is left.
    async fn drain(&mut self, in_haste: bool) -> Result<(), Trouble> {
        loop {
            let live_before = self.metrics.batch_events.get_sample_count();
            let begun = Instant::now();
            let page = self.spool.oldest(self.page).await.map_err(|_| Trouble)?;
            if page.is_empty() {
                if self.patience.outage.is_on() {
                    self.commit(&[]).await.map_err(|_| Trouble)?;
                    self.is_back();
                }
                return if self.spool.entries() == 0 { Ok(()) } else { Err(Trouble) };
            }
            let (drained, refused) = self.merge(&page).await?;
            self.is_back();
            self.spool.remove(drained, refused).await.map_err(|_| Trouble)?;
            if !in_haste && self.metrics.batch_events.get_sample_count() > live_before {
                // Others work at the same time: half of it is theirs.
                tokio::time::sleep(begun.elapsed()).await;
            }
        }
    }

    fn is_back(&self) {
        if self.patience.outage.end() {
            self.metrics.spooling.set(0);
            tracing::info!("the database is back");
        }
    }

    /// Commits a page. Returns the ids of what is committed or was erased, and of what the database refuses.
    async fn merge(&mut self, page: &[Spooled]) -> Result<(Vec<EntryId>, Vec<EntryId>), Trouble> {
        let (mut drained, mut refused) = (Vec::with_capacity(page.len()), Vec::new());
        let mut work = vec![page];
        while let Some(entries) = work.pop() {
            match self.commit(entries).await {
                Ok(()) => drained.extend(entries.iter().map(|entry| entry.id)),
                Err(Failure::Refused) if entries.len() > 1 => {
                    let (early, late) = entries.split_at(entries.len() / 2);
                    work.extend([late, early]);
                }
                Err(Failure::Refused) => refused.extend(entries.iter().map(|entry| entry.id)),
                Err(failure) => {
                    if failure == Failure::TooSlow {
                        self.page = (self.page / 2).max(1);
                    }
                    return Err(Trouble);
                }
            }
        }
        self.page = (self.page * 2).min(MAX_PAGE);
        Ok((drained, refused))
    }

    async fn commit(&mut self, entries: &[Spooled]) -> Result<(), Failure> {
        let events: Vec<_> = entries.iter().map(|entry| entry.execution.as_ref()).collect();
        let patience = self.patience.with_a_batch();
        commit_spooled(&self.pool, &mut self.known, &events, patience, &self.metrics).await
    }
}

/// It did not go on; it will be tried again.
struct Trouble;
