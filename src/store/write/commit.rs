//! Commits executions within a time limit, despite other writers and temporary failures of the database.
//!
//! The time limit is enforced here, before the statement timeout of the database, and a success that arrives
//! after it counts as a failure. Where a commit waits for a standby, PostgreSQL ends a statement that exceeds
//! its timeout with a success and a warning that only the primary has the data.

use std::time::{Duration, Instant};

use sqlx::PgPool;

use crate::ingest::execution::Execution;
use crate::metrics::Metrics;
use crate::store::write::erasures::without_erased;
use crate::store::write::failure::Failure;
use crate::store::write::merge::{KnownIds, Merged, join_events, merge};

/// Most attempts to commit a batch, which fail because of other writers or a restarting database.
const MAX_ATTEMPTS: u32 = 8;
/// Pause after the first attempt; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// Longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_millis(200);

/// Merges events, except those whose execution has been erased since they arrived. Temporary failures are retried.
///
/// # Errors
/// [`Failure`]. The events may be committed unless it is `Refused`; committing them again is harmless.
pub async fn commit(
    pool: &PgPool,
    known: &mut KnownIds,
    events: &[&Execution],
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
        match attempt_once(pool, known, events, attempt > 1, left).await {
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
    events: &[&Execution],
    may_be_erased: bool,
    timeout: Duration,
) -> Result<Merged, Failure> {
    let mut connection = pool.acquire().await.map_err(|error| Failure::of(&error))?;
    let begun = Instant::now();
    let merging = async {
        if may_be_erased {
            let events = without_erased(&mut connection, events).await?;
            return merge(&mut connection, known, &join_events(events)).await;
        }
        merge(&mut connection, known, &join_events(events.iter().copied())).await
    };
    let merged = tokio::time::timeout(timeout, merging).await.ok();
    match merged.filter(|_| begun.elapsed() <= timeout) {
        Some(Ok(merged)) => Ok(merged),
        Some(Err(error)) => {
            let failure = Failure::of(&error);
            // The connection may lead to a server that is a replica by now.
            if failure == Failure::Away {
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
