//! Who may read much at a time.
//!
//! What an answer is made of keeps a processor busy for a while. Where the database is on this machine, behind a
//! Unix socket, one processor is left to the writers: however many ask, the others wait for their turn. Only
//! who reads alone may use two connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use sqlx::{PgPool, Postgres, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How a snapshot begins.
const BEGIN: &str = "begin transaction isolation level repeatable read read only";

/// Connections for reading, and who has them.
#[derive(Clone, Debug)]
pub struct Readers {
    pool: PgPool,
    turns: Arc<Semaphore>,
    patience: Duration,
    /// Those who read, and those who wait for their turn.
    present: Arc<AtomicUsize>,
}

/// The right to read, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    readers: Readers,
    _permit: OwnedSemaphorePermit,
    _presence: Presence,
}

#[derive(Debug)]
struct Presence(Arc<AtomicUsize>);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Readers {
    /// Turns for as many as the pool has connections, but for no more than leaves a processor of this machine
    /// to others if the database is on it. Nobody waits longer than `patience` for one.
    #[must_use]
    pub fn new(pool: PgPool, patience: Duration) -> Self {
        let mut turns = pool.options().get_max_connections() as usize;
        if pool.connect_options().get_socket().is_some() {
            let processors = thread::available_parallelism().map_or(1, usize::from);
            turns = turns.min(processors - 1).max(1);
        }
        Self { pool, turns: Arc::new(Semaphore::new(turns)), patience, present: Arc::default() }
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) -> sqlx::Result<Turn> {
        self.present.fetch_add(1, Ordering::Relaxed);
        let presence = Presence(Arc::clone(&self.present));
        let permit = Arc::clone(&self.turns).acquire_owned();
        match tokio::time::timeout(self.patience, permit).await {
            Ok(Ok(permit)) => Ok(Turn { readers: self.clone(), _permit: permit, _presence: presence }),
            Ok(Err(_)) => Err(sqlx::Error::PoolClosed),
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }
}

impl Turn {
    /// Begins a snapshot.
    pub(super) async fn begin(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        self.readers.pool.begin_with(BEGIN).await
    }

    /// Whether nobody else reads or wants to.
    pub(super) fn is_alone(&self) -> bool {
        self.readers.present.load(Ordering::Relaxed) == 1
    }
}
