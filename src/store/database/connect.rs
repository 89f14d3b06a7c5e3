//! Connects to the database, and waits for one that is starting.

use std::time::{Duration, Instant};

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, PgConnection};

use crate::store::database::embedded::Endpoint;

/// Until a start looks again whether it is the primary that it finds.
const REPLICA_PAUSE: Duration = Duration::from_millis(500);

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
