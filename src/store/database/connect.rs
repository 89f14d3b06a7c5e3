//! Connects to the database and waits while it is starting.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, PgConnection, Row};

use crate::store::database::embedded::Endpoint;

/// A setting that nothing reads: a session that lacks it goes through a pooler.
const MARK: &str = "telemetry.mark";
/// Longest wait for the database for reading.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before checking again whether a replica has been replaced by the primary.
const REPLICA_PAUSE: Duration = Duration::from_millis(500);

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The database did not answer in time.
    #[error("cannot connect to the database {database} within {} s", waited.as_secs())]
    Unreachable {
        /// Database, host and port; without user and password.
        database: String,
        /// The time limit.
        waited: Duration,
        /// The error of the last attempt.
        source: sqlx::Error,
    },
    /// A connection pooler stands in front of the database.
    #[error(
        "the database is behind a connection pooler such as PgBouncer, which drops the settings of a session; \
         DATABASE_URL and READ_DATABASE_URL must lead to PostgreSQL itself"
    )]
    Pooler,
    /// The runs are stored under another key.
    #[error(
        "ID_KEY is not the key under which this database stores run ids, so its runs could be neither shown nor erased \
         by their ids; set ID_KEY to its former value, or unset it if the server generated the key. If that key is \
         lost, run `delete from setting where name in ('id_key', 'id_key_fingerprint')` in the database: the server \
         then accepts the new key, and earlier runs stay without access by id until they expire"
    )]
    OtherIdKey,
    /// The server is too old.
    #[error("the database is PostgreSQL {found}; 13 or newer is required")]
    TooOld {
        /// The major version.
        found: String,
    },
    /// The server is a replica.
    #[error("the database was a replica for {} s; DATABASE_URL must point to the primary", waited.as_secs())]
    Replica {
        /// The time limit.
        waited: Duration,
    },
    /// The schema is that of a later version.
    #[error(
        "the database was migrated by a newer version of this program (it has migration {version}, which this \
         version does not know); start that version or a later one"
    )]
    Newer {
        /// A migration that this version does not know.
        version: i64,
    },
    /// The tables were in use all the time.
    #[error("cannot migrate the database: its tables were in use for {} s", waited.as_secs())]
    Busy {
        /// The time limit.
        waited: Duration,
    },
    /// A migration failed.
    #[error("cannot migrate the database")]
    Migration(#[from] MigrateError),
    /// A query failed.
    #[error("a query failed")]
    Query(#[from] sqlx::Error),
}

/// Connection options of the embedded cluster.
#[must_use]
pub fn embedded_options(endpoint: &Endpoint) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(&endpoint.socket_dir)
        .username(&endpoint.user)
        .database(&endpoint.database)
        // PGPORT and PGSSLMODE are meant for other servers.
        .port(5432)
        .ssl_mode(PgSslMode::Disable)
}

/// Runs something within a time limit.
///
/// # Errors
/// Its error; [`sqlx::Error::PoolTimedOut`] if it takes longer.
pub async fn within<T>(limit: Duration, work: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Connects, waiting for a database that is starting, at most for `timeout`.
///
/// # Errors
/// [`DatabaseError::Unreachable`], or [`DatabaseError::TooOld`].
pub async fn connect(options: &PgConnectOptions, timeout: Duration) -> Result<PgConnection, DatabaseError> {
    connect_since(Instant::now(), options, timeout).await
}

/// [`connect`], with a timeout that began at `started`.
async fn connect_since(
    started: Instant,
    options: &PgConnectOptions,
    timeout: Duration,
) -> Result<PgConnection, DatabaseError> {
    let mut pause = Duration::from_millis(100);
    loop {
        let left = timeout.saturating_sub(started.elapsed());
        let error = match attempt(options, left.max(Duration::from_secs(1))).await? {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        if started.elapsed() + pause >= timeout {
            return Err(unreachable(options, timeout, error));
        }
        tracing::warn!("the database does not answer yet");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(3));
    }
}

/// The same for a database that accepts writes. A proxy that has just started may lead the first connections to
/// a replica, so it waits for the primary.
///
/// # Errors
/// [`DatabaseError`]: `Replica`, and as for [`connect`].
pub async fn connect_to_primary(
    options: &PgConnectOptions,
    timeout: Duration,
) -> Result<PgConnection, DatabaseError> {
    let started = Instant::now();
    loop {
        let mut connection = connect_since(started, options, timeout).await?;
        let is_replica = sqlx::query_scalar!("select pg_is_in_recovery() as \"is_replica!\"");
        if !is_replica.fetch_one(&mut connection).await? {
            return Ok(connection);
        }
        if started.elapsed() >= timeout {
            return Err(DatabaseError::Replica { waited: timeout });
        }
        tracing::warn!("the database is a replica");
        connection.close().await?;
        tokio::time::sleep(REPLICA_PAUSE).await;
    }
}

/// Checks a database for reading. One that does not answer is not an error: it may answer later.
///
/// # Errors
/// Everything that waiting does not change, as for [`connect`].
pub async fn check_readable(options: &PgConnectOptions) -> Result<(), DatabaseError> {
    match attempt(options, READ_TIMEOUT).await? {
        Ok(connection) => connection.close().await?,
        Err(_) => tracing::warn!("the database for reading does not answer"),
    }
    Ok(())
}

/// Connects and checks what is found. `Ok(Err(_))` is an error that may be gone at the next attempt.
async fn attempt(
    options: &PgConnectOptions,
    timeout: Duration,
) -> Result<Result<PgConnection, sqlx::Error>, DatabaseError> {
    let marked = options.clone().options([(MARK, "on")]);
    match within(timeout, PgConnection::connect_with(&marked)).await {
        Ok(mut connection) => {
            check_mark(&mut connection).await?;
            check_version(&mut connection).await?;
            Ok(Ok(connection))
        }
        Err(error) if is_from_pooler(&error) => Err(DatabaseError::Pooler),
        Err(error) if is_temporary(&error) => Ok(Err(error)),
        Err(error) => Err(unreachable(options, timeout, error)),
    }
}

fn unreachable(options: &PgConnectOptions, waited: Duration, source: sqlx::Error) -> DatabaseError {
    let (host, port) = (options.get_host(), options.get_port());
    let database = format!("{} at {host}:{port}", options.get_database().unwrap_or_default());
    DatabaseError::Unreachable { database, waited, source }
}

/// Whether PgBouncer refuses a setting of the session.
fn is_from_pooler(error: &sqlx::Error) -> bool {
    let message = error.as_database_error().map(sqlx::error::DatabaseError::message);
    message.is_some_and(|message| message.starts_with("unsupported startup parameter"))
}

/// A pooler that ignores settings, or forgets them between two transactions, has lost the mark. The check does not
/// prepare a statement, which a pooler may forget as well.
async fn check_mark(connection: &mut PgConnection) -> Result<(), DatabaseError> {
    let row =
        sqlx::raw_sql("select current_setting('telemetry.mark', true) = 'on' as kept").fetch_one(connection);
    if row.await?.try_get::<Option<bool>, _>(0)? != Some(true) {
        return Err(DatabaseError::Pooler);
    }
    Ok(())
}

/// Whether the error is temporary, unlike a wrong password, an unknown database or an untrusted certificate.
fn is_temporary(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(database) => {
            // 57P03: starting up; 53300: too many connections.
            database.code().is_some_and(|code| code.starts_with("57") || code.starts_with("53"))
        }
        sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) => false,
        // The TLS handshake failed.
        sqlx::Error::Io(error) => error.kind() != ErrorKind::InvalidData,
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
