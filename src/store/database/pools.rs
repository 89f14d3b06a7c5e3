//! The pools of connections, one for each kind of work, and how long each of them may take.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::store::database::outage::Outage;

/// Longest time in which the database must show that it is well.
const PROBE_TIMEOUT: &str = "5s";
/// Longest time that erasing a page of executions may take.
const DELETE_TIMEOUT: &str = "30s";
/// After so many times its patience the database ends what a writer has given up.
const GIVEN_UP: u32 = 3;
/// Seconds after which PostgreSQL looks whether a silent client is still there, between two looks, and
/// how often it looks in vain: else what a lost connection holds is held for hours.
const KEEPALIVE: [(&str, &str); 3] =
    [("tcp_keepalives_idle", "10"), ("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "3")];
/// Longest time that a batch may take where there is no spool: a rebuild of one day is waited for.
const LONG_PATIENCE: Duration = Duration::from_secs(30);
/// The same with a spool, which takes the batch then.
const SHORT_PATIENCE: Duration = Duration::from_secs(3);
/// Longest wait for a connection of the writer: with a spool, and without.
const WRITE_ACQUIRE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// Longest wait for a connection for erasing or for a probe.
const ACQUIRE: Duration = Duration::from_secs(3);
/// Connections for reading from a database on another machine.
const REMOTE_READ_CONNECTIONS: u32 = 6;
/// Connections for erasing; apart from the writers', so that nobody can hold these up by erasing.
const DELETE_CONNECTIONS: u32 = 2;

/// How writers treat the database.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Whether what the database does not take has another place to go.
    pub has_spool: bool,
    /// What is known about the database.
    pub outage: Arc<Outage>,
}

impl Patience {
    /// Longest time that a batch may take.
    #[must_use]
    pub const fn with_a_batch(&self) -> Duration {
        if self.has_spool { SHORT_PATIENCE } else { LONG_PATIENCE }
    }
}

/// One connection for each of so many writers.
#[must_use]
pub fn write_pool(options: &PgConnectOptions, writers: u32, patience: &Patience) -> PgPool {
    // Not sooner than the writer gives up: a commit that waits for a standby is not undone by this, it is
    // told as a success. And what waits for a lock then would go on waiting for nobody.
    let statement_timeout = format!("{}ms", (patience.with_a_batch() * GIVEN_UP).as_millis());
    let lock_timeout = format!("{}ms", patience.with_a_batch().as_millis());
    let options = for_changes(options).options([("lock_timeout", &lock_timeout)]);
    without_outdated(pool(writers, WRITE_ACQUIRE[usize::from(!patience.has_spool)]), patience)
        .connect_lazy_with(named(options, &statement_timeout, "telemetry write"))
}

/// A pool that does not use again what was connected before the last outage.
fn without_outdated(pool: PgPoolOptions, patience: &Patience) -> PgPoolOptions {
    let outage = Arc::clone(&patience.outage);
    pool.before_acquire(move |_, connection| {
        let is_good = !outage.outdates(connection.age);
        Box::pin(async move { Ok(is_good) })
    })
}

/// Connections for erasing executions by id.
#[must_use]
pub fn delete_pool(options: &PgConnectOptions, patience: &Patience) -> PgPool {
    let options = named(for_changes(options), DELETE_TIMEOUT, "telemetry delete");
    without_outdated(pool(DELETE_CONNECTIONS, ACQUIRE), patience).connect_lazy_with(options)
}

/// The connection on which the health of the database is tried: slow reads do not hold it up.
#[must_use]
pub fn probe_pool(options: &PgConnectOptions) -> PgPool {
    let options = named(options.clone(), PROBE_TIMEOUT, "telemetry probe");
    pool(1, ACQUIRE).connect_lazy_with(options)
}

fn for_changes(options: &PgConnectOptions) -> PgConnectOptions {
    // Every statement of the writer finds its rows by primary key, whatever the statistics of a
    // young table say, and making the same plan for every batch costs CPU.
    options.clone().options(KEEPALIVE).options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("jit", "off"),
        // What is answered 2xx is on the disk, whatever the default of the database is.
        ("synchronous_commit", "on"),
    ])
}

/// Connections for everything that only reads, each query for at most `timeout`.
///
/// The size of this pool is the limit on concurrent readers. Where the database runs on this machine (a Unix
/// socket), it is one less than the number of processors, so that readers always leave one to the writers.
#[must_use]
pub fn read_pool(options: &PgConnectOptions, timeout: Duration) -> PgPool {
    let connections = if options.get_socket().is_some() {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        u32::try_from(processors - 1).unwrap_or(REMOTE_READ_CONNECTIONS).max(1)
    } else {
        REMOTE_READ_CONNECTIONS
    };
    let options = options.clone().options([
        // One statement serves every filter, so each execution needs a plan for its own parameters.
        ("plan_cache_mode", "force_custom_plan"),
        ("jit", "off"),
        ("work_mem", "64MB"),
        // Most of the data is in memory, so index order costs little more than any other order.
        ("random_page_cost", "1.1"),
        // Starting a worker takes as long as most queries, and its processor belongs to the writers.
        ("max_parallel_workers_per_gather", "0"),
        ("default_transaction_read_only", "on"),
    ]);
    let options = named(options, &format!("{}ms", timeout.as_millis()), "telemetry read");
    pool(connections, timeout).connect_lazy_with(options)
}

fn named(options: PgConnectOptions, statement_timeout: &str, name: &str) -> PgConnectOptions {
    options.application_name(name).options([("statement_timeout", statement_timeout)])
}

fn pool(connections: u32, acquire_timeout: Duration) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(acquire_timeout)
        // A round trip a batch; a dead connection is noticed by the query itself.
        .test_before_acquire(false)
}
