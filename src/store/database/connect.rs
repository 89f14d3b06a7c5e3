//! Connects to the database and waits while it is starting.

use std::time::{Duration, Instant};

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, PgConnection};

use crate::store::database::embedded::Endpoint;

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
        if started.elapsed() + pause >= timeout || !is_temporary(&error) {
            let (host, port) = (options.get_host(), options.get_port());
            let database = format!("{} at {host}:{port}", options.get_database().unwrap_or_default());
            return Err(DatabaseError::Unreachable { database, waited: timeout, source: error });
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

/// Whether the error is temporary, unlike a wrong password or an unknown database.
fn is_temporary(error: &sqlx::Error) -> bool {
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
