//! Runs into the database, against other writers and a database that is in trouble, within a time.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use sqlx::PgPool;

use crate::ingest::execution::Execution;
use crate::metrics::Metrics;
use crate::store::failure::Failure;
use crate::store::merge::{Known, Merged, merge};

/// How often a batch is tried against other writers and a restarting database.
const MAX_ATTEMPTS: u32 = 8;
/// Pause between the first two attempts; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// Longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_millis(200);

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
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut failure = Failure::Again;
    for attempt in 1..=MAX_ATTEMPTS {
        let left = patience.saturating_sub(begun.elapsed());
        if left.is_zero() {
            break;
        }
        match once(pool, known, runs, left).await {
            Ok(Merged::Committed) => return Ok(()),
            Ok(Merged::Outrun) => metrics.batch_retries.inc(),
            Err(failed) => {
                failure = failed;
                metrics.batch_failures.with_label_values(&[failure.code()]).inc();
                tracing::warn!(runs = runs.len(), attempt, reason = failure.code(), "batch not committed");
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
    runs: &[Cow<'_, Execution>],
    patience: Duration,
) -> Result<Merged, Failure> {
    let mut connection = pool.acquire().await.map_err(|error| Failure::of(&error))?;
    match tokio::time::timeout(patience, merge(&mut connection, known, runs)).await {
        Ok(merged) => merged.map_err(|error| Failure::of(&error)),
        Err(_) => {
            // The pool would talk to it before it takes it back.
            drop(connection.detach());
            Err(Failure::TooSlow)
        }
    }
}
