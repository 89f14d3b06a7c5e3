//! The schema: brings a database to what this program needs, while others go on writing.

use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Executor, PgConnection};

use crate::store::database::connect::DatabaseError;

/// The schema. A migration that was once released never changes.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");
/// How long a migration waits for a table, and with it all who come after.
const MIGRATION_SETTINGS: &str = "set lock_timeout = '1s'";
/// Until it tries again: others get on meanwhile.
const MIGRATION_PAUSE: Duration = Duration::from_millis(500);
/// How long it tries.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(120);
/// SQLSTATE of a statement that did not get a lock in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

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
