//! The way to the database: connecting with patience, migrating, and what the database remembers
//! for the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Connection, PgConnection, PgPool};

use crate::store::embedded::Endpoint;
use crate::store::outage::Outage;

/// The schema. A migration that was once released never changes.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Longest time in which the database must show that it is well.
const PROBE_TIMEOUT: &str = "5s";
/// Longest time that erasing a page of executions may take.
const DELETE_TIMEOUT: &str = "30s";
/// Longest time that a batch may take where there is no spool: a rebuild of one day is waited for.
const LONG_PATIENCE: Duration = Duration::from_secs(30);
/// The same with a spool, which takes the batch then.
const SHORT_PATIENCE: Duration = Duration::from_secs(3);
/// Longest wait for a connection of the writer: with a spool, and without.
const WRITE_ACQUIRE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// Longest wait for a connection of the read side.
const READ_ACQUIRE: Duration = Duration::from_secs(3);
/// Connections of the read side; small, so that reads never starve ingest.
const READ_CONNECTIONS: u32 = 6;
/// Connections for erasing; apart from the writers', so that nobody can hold these up by erasing.
const DELETE_CONNECTIONS: u32 = 2;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It did not answer within the time that a start waits.
    #[error("cannot connect to the database {database} within {} s", patience.as_secs())]
    Unreachable {
        /// Where it was looked for; without user and password.
        database: String,
        /// How long was waited.
        patience: Duration,
        /// What the last try said.
        source: sqlx::Error,
    },
    /// It is older than what we use.
    #[error("the database is PostgreSQL {found}; 13 or newer is needed")]
    TooOld {
        /// Its version, as it says.
        found: String,
    },
    /// A migration did not go through, or the schema is newer than this program.
    #[error("cannot migrate the database")]
    Migration(#[from] MigrateError),
    /// A query failed.
    #[error("the database refuses")]
    Query(#[from] sqlx::Error),
}

/// Connection options of the embedded cluster.
#[must_use]
pub fn embedded_options(endpoint: &Endpoint) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(&endpoint.socket_dir)
        .username(&endpoint.user)
        .database(&endpoint.database)
        // Not what PGPORT and PGSSLMODE say for other servers.
        .port(5432)
        .ssl_mode(PgSslMode::Disable)
}

/// Waits until the database answers, at most for `patience`.
///
/// # Errors
/// [`DatabaseError::Unreachable`], or [`DatabaseError::TooOld`].
pub async fn connect(options: &PgConnectOptions, patience: Duration) -> Result<PgConnection, DatabaseError> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        let left = patience.saturating_sub(started.elapsed());
        let attempt =
            tokio::time::timeout(left.max(Duration::from_secs(1)), PgConnection::connect_with(options));
        let error = match attempt.await {
            Ok(Ok(mut connection)) => {
                check_version(&mut connection).await?;
                return Ok(connection);
            }
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::PoolTimedOut,
        };
        if started.elapsed() + pause >= patience || !may_pass(&error) {
            let (host, port) = (options.get_host(), options.get_port());
            let database = format!("{} at {host}:{port}", options.get_database().unwrap_or_default());
            return Err(DatabaseError::Unreachable { database, patience, source: error });
        }
        tracing::warn!("the database does not answer yet");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(3));
    }
}

/// Whether waiting can help: not against a wrong password or an unknown database.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(database) => {
            // 57P03: starting up; 53300: too many connections.
            database.code().is_some_and(|code| code.starts_with("57") || code.starts_with("53"))
        }
        sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) => false,
        _ => true,
    }
}

async fn check_version(connection: &mut PgConnection) -> Result<(), DatabaseError> {
    const OLDEST: i32 = 130_000;
    let number = sqlx::query_scalar!("select current_setting('server_version_num')::integer as \"number!\"")
        .fetch_one(connection)
        .await?;
    if number < OLDEST {
        return Err(DatabaseError::TooOld { found: (number / 10_000).to_string() });
    }
    Ok(())
}

/// Brings the schema to what this program needs. Several instances may do so at once.
///
/// # Errors
/// [`DatabaseError::Migration`], also when the schema is newer than this program.
pub async fn migrate(connection: &mut PgConnection) -> Result<(), DatabaseError> {
    Ok(MIGRATIONS.run(connection).await?)
}

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
    let statement_timeout = format!("{}ms", patience.with_a_batch().as_millis());
    let outage = Arc::clone(&patience.outage);
    pool(writers, WRITE_ACQUIRE[usize::from(!patience.has_spool)])
        .before_acquire(move |_, connection| {
            let is_good = !outage.outdates(connection.age);
            Box::pin(async move { Ok(is_good) })
        })
        .connect_lazy_with(named(for_changes(options), &statement_timeout, "telemetry write"))
}

/// Connections for erasing executions by id.
#[must_use]
pub fn delete_pool(options: &PgConnectOptions) -> PgPool {
    let options = named(for_changes(options), DELETE_TIMEOUT, "telemetry delete");
    pool(DELETE_CONNECTIONS, READ_ACQUIRE).connect_lazy_with(options)
}

/// The connection on which the health of the database is tried: slow reads do not hold it up.
#[must_use]
pub fn probe_pool(options: &PgConnectOptions) -> PgPool {
    let options = named(options.clone(), PROBE_TIMEOUT, "telemetry probe");
    pool(1, READ_ACQUIRE).connect_lazy_with(options)
}

fn for_changes(options: &PgConnectOptions) -> PgConnectOptions {
    // Every statement of the writer finds its rows by primary key, whatever the statistics of a
    // young table say, and making the same plan for every batch costs CPU.
    options.clone().options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("jit", "off"),
        // What is answered 2xx is on the disk, whatever the default of the database is.
        ("synchronous_commit", "on"),
    ])
}

/// Connections for everything that only reads, each query for at most `timeout`.
#[must_use]
pub fn read_pool(options: &PgConnectOptions, timeout: Duration) -> PgPool {
    // One statement serves every filter: it is planned for the one that is asked for.
    let options = options.clone().options([
        ("plan_cache_mode", "force_custom_plan"),
        ("jit", "off"),
        ("work_mem", "64MB"),
        // What is read is in memory, most of it: in the order of an index it comes as cheaply as in any other.
        ("random_page_cost", "1.1"),
        // Readers share the machine with the writers; and to start a worker takes as long as most queries.
        ("max_parallel_workers_per_gather", "0"),
        ("default_transaction_read_only", "on"),
    ]);
    let options = named(options, &format!("{}ms", timeout.as_millis()), "telemetry read");
    pool(READ_CONNECTIONS, READ_ACQUIRE).connect_lazy_with(options)
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

/// A value that the server remembers in the database; the first one to come is kept.
///
/// # Errors
/// What the database says.
pub async fn remember(
    connection: &mut PgConnection,
    name: &str,
    value: &[u8],
) -> Result<Vec<u8>, DatabaseError> {
    sqlx::query!("insert into setting (name, value) values ($1, $2) on conflict do nothing", name, value)
        .execute(&mut *connection)
        .await?;
    let kept = sqlx::query_scalar!("select value from setting where name = $1", name);
    Ok(kept.fetch_one(connection).await?)
}

/// Replaces a value that the server remembers.
///
/// # Errors
/// What the database says.
pub async fn overwrite(connection: &mut PgConnection, name: &str, value: &[u8]) -> Result<(), DatabaseError> {
    sqlx::query!("update setting set value = $2 where name = $1", name, value).execute(connection).await?;
    Ok(())
}
