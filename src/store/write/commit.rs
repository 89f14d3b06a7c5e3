//! Runs into the database, against other writers and a database that is in trouble, within a time.
//!
//! Whoever commits gives up before the statement timeout of the database does, and does not believe a
//! success that came later: where a commit waits for a standby, PostgreSQL answers a statement whose time
//! is up with a success and a warning that only the primary has it.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use sqlx::{PgConnection, PgPool};

use crate::ingest::execution::Execution;
use crate::metrics::Metrics;
use crate::store::write::erasures::{let_go, without_erased};
use crate::store::write::failure::Failure;
use crate::store::write::merge::{Known, Merged, join_events, merge};

/// How often a batch is tried against other writers and a restarting database.
const MAX_ATTEMPTS: u32 = 8;
/// Pause between the first two attempts; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// Longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_millis(200);

/// What is committed.
#[derive(Clone, Copy)]
enum Batch<'a> {
    /// Runs, as `join_events` returns them.
    Live(&'a [Cow<'a, Execution>]),
    /// Events that waited in a spool.
    Spooled(&'a [&'a Execution]),
}

/// Merges runs, as `join_events` returns them, and tries again what may pass.
///
/// # Errors
/// [`Failure`]. Unless it is `Refused` nobody knows whether they are committed; doing it again is
/// right.
pub async fn commit(
    pool: &PgPool,
    known: &mut Known,
    runs: &[Cow<'_, Execution>],
    patience: Duration,
    metrics: &Metrics,
) -> Result<(), Failure> {
    attempt(pool, known, Batch::Live(runs), patience, metrics).await
}

/// The same with events that waited in a spool, but for those that were erased meanwhile.
///
/// # Errors
/// [`Failure`], as of [`commit`].
pub async fn commit_spooled(
    pool: &PgPool,
    known: &mut Known,
    events: &[&Execution],
    patience: Duration,
    metrics: &Metrics,
) -> Result<(), Failure> {
    attempt(pool, known, Batch::Spooled(events), patience, metrics).await
}

async fn attempt(
    pool: &PgPool,
    known: &mut Known,
    batch: Batch<'_>,
    patience: Duration,
    metrics: &Metrics,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut failure = Failure::Again;
    for attempt in 1..=MAX_ATTEMPTS {
        let left = patience.saturating_sub(begun.elapsed());
        if left.is_zero() {
            break;
        }
        match once(pool, known, batch, left).await {
            Ok(Merged::Committed) => return Ok(()),
            Ok(Merged::Outrun) => metrics.batch_retries.inc(),
            Err(failed) => {
                failure = failed;
                metrics.batch_failures.with_label_values(&[failure.code()]).inc();
                tracing::warn!(runs = batch.len(), attempt, reason = failure.code(), "batch not committed");
                // An id that was read may be gone with its database.
                *known = Known::default();
                if failure != Failure::Again {
                    break;
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
    Err(failure)
}

async fn once(
    pool: &PgPool,
    known: &mut Known,
    batch: Batch<'_>,
    patience: Duration,
) -> Result<Merged, Failure> {
    let mut connection = pool.acquire().await.map_err(|error| Failure::of(&error))?;
    let begun = Instant::now();
    let merging = async {
        match batch {
            Batch::Live(runs) => merge(&mut connection, known, runs).await,
            Batch::Spooled(events) => merge_spooled(&mut connection, known, events).await,
        }
    };
    let merged = tokio::time::timeout(patience, merging).await.ok();
    match merged.filter(|_| begun.elapsed() <= patience) {
        Some(Ok(merged)) => Ok(merged),
        Some(Err(error)) => {
            let failure = Failure::of(&error);
            // It may hold the lock, or lead to what is a replica by now.
            if failure == Failure::Away || matches!(batch, Batch::Spooled(_)) {
                drop(connection.detach());
            }
            Err(failure)
        }
        None => {
            // The pool would talk to it before it takes it back.
            drop(connection.detach());
            Err(Failure::TooSlow)
        }
    }
}

async fn merge_spooled(
    connection: &mut PgConnection,
    known: &mut Known,
    events: &[&Execution],
) -> sqlx::Result<Merged> {
    let events = without_erased(connection, events).await?;
    let merged = merge(connection, known, &join_events(events)).await?;
    let_go(connection).await?;
    Ok(merged)
}

impl Batch<'_> {
    fn len(self) -> usize {
        match self {
            Self::Live(runs) => runs.len(),
            Self::Spooled(events) => events.len(),
        }
    }
}
