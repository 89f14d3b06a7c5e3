//! Migrates the schema while other instances write.

use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Executor, PgConnection};

use crate::store::database::connect::DatabaseError;

/// The migrations. A released migration never changes.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");
/// Bounds the wait for a table, during which later statements queue behind the migration.
const MIGRATION_SETTINGS: &str = "set lock_timeout = '1s'";
/// Pause between two attempts, in which the statements of others proceed.
const MIGRATION_PAUSE: Duration = Duration::from_millis(500);
/// Longest time for all attempts.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(120);
/// An index whose concurrent build was cut off stays, without being used; `create index if not exists` would keep it.
const DROP_INVALID_INDEXES: &str = "do $$
declare
    name text;
begin
    for name in
        select format('%I.%I', nspname, relname)
        from pg_index
            join pg_class on pg_class.oid = indexrelid
            join pg_namespace on pg_namespace.oid = relnamespace
        where not indisvalid and nspname = current_schema()
    loop
        execute 'drop index if exists ' || name;
    end loop;
end
$$";
/// SQLSTATE of a statement that exceeds the lock timeout.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Migrates the schema to this version. Other instances may write or migrate at the same time.
///
/// A migration that waits for a table blocks every later statement on it, so it gives up after a moment and
/// tries again.
///
/// # Errors
/// [`DatabaseError`]: `Newer`, `Busy`, `Migration`.
pub async fn migrate(connection: &mut PgConnection) -> Result<(), DatabaseError> {
    migrate_by(&MIGRATIONS, connection).await
}

/// The same with other migrations, for tests.
///
/// # Errors
/// As for [`migrate`].
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
        // A failed run keeps the lock that excludes other migrations; every attempt takes it once more.
        if lacks_a_lock {
            connection.execute("set lock_timeout = '30s'").await?;
            connection.execute(DROP_INVALID_INDEXES).await?;
        }
        connection.execute("select pg_advisory_unlock_all()").await?;
        if !lacks_a_lock {
            return Err(error.into());
        }
        if begun.elapsed() > MIGRATION_TIMEOUT {
            return Err(DatabaseError::Busy { waited: MIGRATION_TIMEOUT });
        }
        tracing::warn!("a migration waits for a table that is in use");
        tokio::time::sleep(MIGRATION_PAUSE).await;
    }
    connection.execute("reset lock_timeout").await?;
    Ok(())
}
