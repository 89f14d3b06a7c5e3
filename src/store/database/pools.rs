//! The connection pools, one for each kind of work, with their timeouts.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};

use crate::store::database::connect::within;
use crate::store::database::outage::Outage;

/// Longest time that the health check may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time that erasing a page of executions may take.
const DELETE_TIMEOUT: Duration = Duration::from_secs(30);
/// Time that the test of a connection after use may take in addition to a statement that is still running.
const TEST_MARGIN: Duration = Duration::from_secs(1);
/// The statement timeout of the write path, as a multiple of the time after which the server gives up.
const STATEMENT_TIMEOUT_FACTOR: u32 = 3;
/// Seconds until PostgreSQL probes a silent client, seconds between two probes, and the number of failed probes
/// that ends the connection. The defaults keep the locks of a lost connection for hours.
pub(super) const KEEPALIVE: [(&str, &str); 3] =
    [("tcp_keepalives_idle", "10"), ("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "3")];
/// Longest wait for a connection for erasing or for a probe.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections for reading from a database on another machine.
const REMOTE_READ_CONNECTIONS: u32 = 6;
/// Connections for erasing; separate, so that erasing cannot block the writer.
const DELETE_CONNECTIONS: u32 = 2;

/// The timeouts of the write path.
#[derive(Clone, Copy, Debug)]
pub struct WriteTimeouts {
    /// Longest time that a batch may take.
    pub batch: Duration,
    /// Longest wait for a connection, in which new connections are established.
    pub acquire: Duration,
}

impl WriteTimeouts {
    /// With a spool, which then takes the batch.
    pub const WITH_SPOOL: Self = Self { batch: Duration::from_secs(3), acquire: Duration::from_secs(1) };
    /// Without a spool: long enough to wait for the rebuild of a day.
    pub const WITHOUT_SPOOL: Self = Self { batch: Duration::from_secs(30), acquire: Duration::from_secs(3) };
}

/// Connections for writing.
#[must_use]
pub fn write_pool(
    options: &PgConnectOptions,
    connections: u32,
    timeouts: WriteTimeouts,
    outage: &Arc<Outage>,
) -> PgPool {
    // The statement timeout is longer than the time after which the server gives up: a commit that waits for a
    // standby is reported as a success when it expires. The lock timeout ends a statement that would otherwise
    // wait for a lock after the server has given up.
    let statement_timeout = timeouts.batch * STATEMENT_TIMEOUT_FACTOR;
    let lock_timeout = format!("{}ms", timeouts.batch.as_millis());
    let options = for_changes(options).options([("lock_timeout", &lock_timeout)]);
    let options = named(options, statement_timeout, "telemetry write");
    let pool = pool(connections, timeouts.acquire, statement_timeout);
    without_outdated(pool, outage).connect_lazy_with(options)
}

/// A pool that does not reuse connections from before the last outage.
fn without_outdated(pool: PgPoolOptions, outage: &Arc<Outage>) -> PgPoolOptions {
    let outage = Arc::clone(outage);
    pool.before_acquire(move |_, connection| {
        let is_usable = !outage.outdates(connection.age);
        Box::pin(async move { Ok(is_usable) })
    })
}

/// Connections for erasing executions by id.
#[must_use]
pub fn delete_pool(options: &PgConnectOptions, outage: &Arc<Outage>) -> PgPool {
    let options = named(for_changes(options), DELETE_TIMEOUT, "telemetry delete");
    let pool = pool(DELETE_CONNECTIONS, ACQUIRE_TIMEOUT, DELETE_TIMEOUT);
    without_outdated(pool, outage).connect_lazy_with(options)
}

/// The connection of the health check; separate, so that slow reads cannot block it.
#[must_use]
pub fn probe_pool(options: &PgConnectOptions) -> PgPool {
    let options = named(options.clone(), PROBE_TIMEOUT, "telemetry probe");
    pool(1, ACQUIRE_TIMEOUT, PROBE_TIMEOUT).connect_lazy_with(options)
}

fn for_changes(options: &PgConnectOptions) -> PgConnectOptions {
    // Every statement of the writer finds its rows by primary key, even if the statistics of a young table
    // suggest otherwise. A generic plan saves planning every batch.
    options.clone().options(KEEPALIVE).options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("jit", "off"),
        // 2xx means that the event is on the disk, even if the database has another default.
        ("synchronous_commit", "on"),
    ])
}

/// Connections for everything that only reads, each query for at most `timeout`.
///
/// The size of this pool is the limit on concurrent readers. Where the database runs on this machine (a Unix
/// socket), it is one less than the number of processors, so that readers always leave one to the writer.
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
        // Most of the data is in memory, where random access costs about as much as sequential access.
        ("random_page_cost", "1.1"),
        // Starting a parallel worker takes as long as most queries, and competes with the writer for the CPU.
        ("max_parallel_workers_per_gather", "0"),
        ("default_transaction_read_only", "on"),
    ]);
    let options = named(options, timeout, "telemetry read");
    pool(connections, timeout, timeout).connect_lazy_with(options)
}

pub(super) fn named(options: PgConnectOptions, statement_timeout: Duration, name: &str) -> PgConnectOptions {
    let statement_timeout = format!("{}ms", statement_timeout.as_millis());
    options.application_name(name).options([("statement_timeout", statement_timeout)])
}

fn pool(connections: u32, acquire_timeout: Duration, statement_timeout: Duration) -> PgPoolOptions {
    let test_timeout = statement_timeout + TEST_MARGIN;
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(acquire_timeout)
        // Saves a round trip for every batch; a dead connection fails with the first query.
        .test_before_acquire(false)
        // The pool tests every connection after use, without a time limit. One that a silent network failure has
        // caught would keep its place until TCP gives up.
        .after_release(move |connection, _| {
            Box::pin(async move { within(test_timeout, connection.ping()).await.map(|()| true) })
        })
}
