//! Who may read much at a time.
//!
//! What an answer is made of keeps a processor busy for a while. Where the database is on this machine, behind a
//! Unix socket, one processor is left to the writers: however many ask, the others wait for their turn. Only
//! who reads alone may use two connections.
//!
//! What is done here with what the database says takes its time as well, up to a tenth of a second. It is done on
//! threads of their own, so that no event waits behind it, and they give way to those that take events.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use sqlx::{PgPool, Postgres, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;
use tokio_util::task::{AbortOnDropHandle, LocalPoolHandle};

use crate::store::database::priority::lower_thread;

/// How a snapshot begins.
const BEGIN: &str = "begin transaction isolation level repeatable read read only";

thread_local! {
    /// Touched once on each thread, lowers its priority.
    static GIVES_WAY: () = {
        // Where it may not, it reads all the same.
        let _ = lower_thread();
    };
}

/// Connections for reading, and who has them.
#[derive(Clone, Debug)]
pub struct Readers {
    pool: PgPool,
    threads: LocalPoolHandle,
    turns: Arc<Semaphore>,
    patience: Duration,
    /// Those who read, and those who wait for their turn.
    present: Arc<AtomicUsize>,
}

/// The right to read, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
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
    /// Threads for as many as the pool has connections, but for no more than leaves a processor of this machine
    /// to others, and as many turns if the database is on it, else one for each connection. Nobody waits longer
    /// than `patience` for a turn.
    #[must_use]
    pub fn new(pool: PgPool, patience: Duration) -> Self {
        let mut turns = pool.options().get_max_connections() as usize;
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let threads = LocalPoolHandle::new(turns.min(processors - 1).max(1));
        if pool.connect_options().get_socket().is_some() {
            turns = threads.num_threads();
        }
        Self { pool, threads, turns: Arc::new(Semaphore::new(turns)), patience, present: Arc::default() }
    }

    /// Does what reads, and what is done with what was read, apart from what takes events. It is given up when
    /// nobody waits for it any more.
    ///
    /// # Errors
    /// That it panicked.
    pub async fn apart<F>(&self, work: impl FnOnce() -> F + Send + 'static) -> Result<F::Output, JoinError>
    where
        F: Future<Output: Send + 'static> + 'static,
    {
        let work = || {
            GIVES_WAY.with(|()| ());
            work()
        };
        AbortOnDropHandle::new(self.threads.spawn_pinned(work)).await
    }

    /// Waits for a turn.
    pub(crate) async fn turn(&self) -> sqlx::Result<Turn> {
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
    pub(crate) async fn begin(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        self.readers.pool.begin_with(BEGIN).await
    }

    /// Whether nobody else reads or wants to.
    pub(crate) fn is_alone(&self) -> bool {
        self.readers.present.load(Ordering::Relaxed) == 1
    }
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgPoolOptions;
    use tokio::sync::oneshot;

    use super::*;

    /// They never connect.
    fn readers() -> Readers {
        let pool = PgPoolOptions::new().connect_lazy("postgres://nobody@localhost/none").expect("an address");
        Readers::new(pool, Duration::from_secs(1))
    }

    #[tokio::test]
    async fn what_reads_has_a_thread_of_its_own_and_may_panic() {
        let readers = readers();
        let there = readers.apart(|| async { thread::current().id() }).await;
        assert_ne!(there.expect("it ends"), thread::current().id());
        let panicked = readers.apart(|| async { panic!("for the test") }).await;
        assert!(panicked.is_err_and(|error| error.is_panic()));
        assert!(readers.apart(|| async {}).await.is_ok());
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_given_up() {
        let ((begun, begins), (held, dropped)) = (oneshot::channel::<()>(), oneshot::channel::<()>());
        let readers = readers();
        let work = readers.apart(move || async move {
            let _held = held;
            let _ = begun.send(());
            std::future::pending::<()>().await;
        });
        tokio::select! {
            _ = work => panic!("it never ends"),
            begun = begins => begun.expect("it begins"),
        }
        let given_up = tokio::time::timeout(Duration::from_secs(60), dropped).await;
        assert!(given_up.expect("it is dropped").is_err());
    }
}
