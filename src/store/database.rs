//! The way to the database: connecting with patience, migrating, and what the database remembers
//! for the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Connection, Executor, PgConnection, PgPool};

use crate::store::embedded::Endpoint;
use crate::store::outage::Outage;
use crate::store::priority::lower_backend;

/// The schema. A migration that was once released never changes.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Until a start looks again whether it is the primary that it finds.
const REPLICA_PAUSE: Duration = Duration::from_millis(500);
/// How long a migration waits for a table, and with it all who come after.
const MIGRATION_SETTINGS: &str = "set lock_timeout = '1s'";
/// Until it tries again: others get on meanwhile.
const MIGRATION_PAUSE: Duration = Duration::from_millis(500);
/// How long it tries.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(120);
/// SQLSTATE of a statement that did not get a lock in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";
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
    /// It only repeats what another one writes.
    #[error("the database was a replica for {} s; DATABASE_URL must lead to the primary", patience.as_secs())]
    Replica {
        /// How long was waited.
        patience: Duration,
    },
    /// The schema was made by a later version.
    #[error(
        "the database was migrated by a newer version of this program (it has migration {version}, which this \
         version does not know); start that version or a later one"
    )]
    Newer {
        /// A migration that this program does not know.
        version: i64,
    },
    /// Others use the tables all the time.
    #[error("cannot migrate the database: others held its tables for {} s", patience.as_secs())]
    Busy {
        /// How long was tried.
        patience: Duration,
    },
    /// A migration did not go through.
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
    connect_since(Instant::now(), options, patience).await
}

/// The same when `patience` began at `started`.
async fn connect_since(
    started: Instant,
    options: &PgConnectOptions,
    patience: Duration,
) -> Result<PgConnection, DatabaseError> {
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

/// The same with a database that takes writes: behind a proxy that has just begun to look where the primary
/// is, the first connections may lead to a replica.
///
/// # Errors
/// [`DatabaseError`]: `Replica`, and as of [`connect`].
pub async fn connect_to_primary(
    options: &PgConnectOptions,
    patience: Duration,
) -> Result<PgConnection, DatabaseError> {
    let started = Instant::now();
    loop {
        let mut connection = connect_since(started, options, patience).await?;
        let is_replica = sqlx::query_scalar!("select pg_is_in_recovery() as \"is_replica!\"");
        if !is_replica.fetch_one(&mut connection).await? {
            return Ok(connection);
        }
        if started.elapsed() >= patience {
            return Err(DatabaseError::Replica { patience });
        }
        tracing::warn!("the database is a replica");
        connection.close().await?;
        tokio::time::sleep(REPLICA_PAUSE).await;
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

/// Brings the schema to what this program needs, while others go on writing. Several instances may do so
/// at once.
///
/// Whoever waits for a table holds up all who come after. So a migration waits for a moment only, gives
/// way, and tries again.
///
/// # Errors
/// [`DatabaseError`]: `Newer`, `Busy`, `Migration`.
pub async fn migrate(connection: &mut PgConnection) -> Result<(), DatabaseError> {
    migrate_by(&MIGRATIONS, connection).await
}

/// [`migrate`] with migrations of one's own.
///
/// # Errors
/// As of [`migrate`].
pub async fn migrate_by(migrations: &Migrator, connection: &mut PgConnection) -> Result<(), DatabaseError> {
    let begun = Instant::now();
    loop {
        connection.execute(MIGRATION_SETTINGS).await?;
        let error = match migrations.run(&mut *connection).await {
            Ok(()) => break,
            Err(MigrateError::VersionMissing(version)) => return Err(DatabaseError::Newer { version }),
            Err(error) => error,
        };
        let lacks_a_lock = match &error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                let code = error.as_database_error().and_then(|error| error.code());
                code.as_deref() == Some(LOCK_NOT_AVAILABLE)
            }
            _ => false,
        };
        // It keeps others from migrating, and was taken once more with every try.
        connection.execute("select pg_advisory_unlock_all()").await?;
        if !lacks_a_lock {
            return Err(error.into());
        }
        if begun.elapsed() > MIGRATION_PATIENCE {
            return Err(DatabaseError::Busy { patience: MIGRATION_PATIENCE });
        }
        tracing::warn!("a migration waits for others that use its tables");
        tokio::time::sleep(MIGRATION_PAUSE).await;
    }
    connection.execute("reset lock_timeout").await?;
    Ok(())
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
    without_outdated(pool(DELETE_CONNECTIONS, READ_ACQUIRE), patience).connect_lazy_with(options)
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
    options.clone().options(KEEPALIVE).options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("jit", "off"),
        // What is answered 2xx is on the disk, whatever the default of the database is.
        ("synchronous_commit", "on"),
    ])
}

/// Connections for everything that only reads, each query for at most `timeout`. Where the database is on this
/// machine, their processes give way to those of the writers.
#[must_use]
pub fn read_pool(options: &PgConnectOptions, timeout: Duration) -> PgPool {
    let is_here = options.get_socket().is_some();
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
    let mut pool = pool(READ_CONNECTIONS, READ_ACQUIRE);
    if is_here {
        pool = pool.after_connect(|connection, _| Box::pin(lower_backend(connection)));
    }
    pool.connect_lazy_with(options)
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
