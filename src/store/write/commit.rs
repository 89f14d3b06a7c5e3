//! Commits executions within a time limit, despite other writers and temporary failures of the database.
//!
//! The time limit is enforced here, before the statement timeout of the database, and a success that arrives
//! after it counts as a failure. Where a commit waits for a standby, PostgreSQL ends a statement that exceeds
//! its timeout with a success and a warning that only the primary has the data.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use sqlx::{PgConnection, PgPool};

use crate::ingest::execution::Execution;
use crate::metrics::Metrics;
use crate::store::write::erasures::{unlock, without_erased};
use crate::store::write::failure::Failure;
use crate::store::write::merge::{KnownIds, Merged, join_events, merge};

/// Most attempts to commit a batch, which fail because of other writers or a restarting database.
const MAX_ATTEMPTS: u32 = 8;
/// Pause after the first attempt; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// Longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_millis(200);

/// What is committed.
#[derive(Clone, Copy)]
enum Work<'a> {
    /// Executions, as `join_events` returns them.
    Live(&'a [Cow<'a, Execution>]),
    /// Events from the spool.
    Spooled(&'a [&'a Execution]),
}

/// Merges executions, as `join_events` returns them. Temporary failures are retried.
///
/// # Errors
/// [`Failure`]. The executions may be committed unless it is `Refused`; committing them again is harmless.
pub async fn commit(
    pool: &PgPool,
    known: &mut KnownIds,
    executions: &[Cow<'_, Execution>],
    timeout: Duration,
    metrics: &Metrics,
) -> Result<(), Failure> {
    retry(pool, known, Work::Live(executions), timeout, metrics).await
}

/// Merges events from the spool, except those that have been erased in the meantime. Temporary failures are
/// retried.
///
/// # Errors
/// [`Failure`], as for [`commit`].
pub async fn commit_spooled(
    pool: &PgPool,
    known: &mut KnownIds,
    events: &[&Execution],
    timeout: Duration,
    metrics: &Metrics,
) -> Result<(), Failure> {
    retry(pool, known, Work::Spooled(events), timeout, metrics).await
}

async fn retry(
    pool: &PgPool,
    known: &mut KnownIds,
    work: Work<'_>,
    timeout: Duration,
    metrics: &Metrics,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut failure = Failure::Again;
    for attempt in 1..=MAX_ATTEMPTS {
        let left = timeout.saturating_sub(begun.elapsed());
        if left.is_zero() {
            break;
        }
        match attempt_once(pool, known, work, left).await {
            Ok(Merged::Committed) => return Ok(()),
            Ok(Merged::Conflict) => metrics.batch_retries.inc(),
            Err(failed) => {
                failure = failed;
                metrics.batch_failures.with_label_values(&[failure.code()]).inc();
                tracing::warn!(attempt, reason = failure.code(), "batch not committed");
                // The cached ids may belong to a database that was replaced.
                *known = KnownIds::default();
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

async fn attempt_once(
    pool: &PgPool,
    known: &mut KnownIds,
    work: Work<'_>,
    timeout: Duration,
) -> Result<Merged, Failure> {
    let mut connection = pool.acquire().await.map_err(|error| Failure::of(&error))?;
    let begun = Instant::now();
    let merging = async {
        match work {
            Work::Live(executions) => merge(&mut connection, known, executions).await,
            Work::Spooled(events) => merge_spooled(&mut connection, known, events).await,
        }
    };
    let merged = tokio::time::timeout(timeout, merging).await.ok();
    match merged.filter(|_| begun.elapsed() <= timeout) {
        Some(Ok(merged)) => Ok(merged),
        Some(Err(error)) => {
            let failure = Failure::of(&error);
            // The connection may hold the lock, or lead to a server that is a replica by now.
            if failure == Failure::Away || matches!(work, Work::Spooled(_)) {
                drop(connection.detach());
            }
            Err(failure)
        }
        None => {
            // The pool would wait for an answer on this connection before reusing it.
            drop(connection.detach());
            Err(Failure::TooSlow)
        }
    }
}

async fn merge_spooled(
    connection: &mut PgConnection,
    known: &mut KnownIds,
    events: &[&Execution],
) -> sqlx::Result<Merged> {
    let events = without_erased(connection, events).await?;
    let merged = merge(connection, known, &join_events(events)).await?;
    unlock(connection).await?;
    Ok(merged)
}
