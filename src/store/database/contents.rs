//! What a database contains, and how it is emptied, for backups.

use sqlx::PgConnection;

use crate::store::database::connect::DatabaseError;

/// Deletes everything that migrations have created, in one transaction. The role may not be allowed to drop the schema.
pub const CLEAR: &str = include_str!("../sql/database/clear.sql");

/// What a database contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// No table.
    Nothing,
    /// The tables of this server, without runs and counts.
    NoRuns,
    /// Runs, or counts of expired runs.
    Runs,
    /// Tables of something else.
    Foreign,
}

/// What this database contains.
///
/// # Errors
/// Any error from the database.
pub async fn read(connection: &mut PgConnection) -> Result<Contents, DatabaseError> {
    let found = sqlx::query!(
        "select
            exists (
                select from pg_class
                where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'v', 'm')
                    and not exists (select from pg_depend where objid = pg_class.oid and deptype = 'e')
            ) as \"any!\",
            to_regclass('_sqlx_migrations') is not null as \"migrated!\",
            to_regclass('rollup_script') is not null as \"ours!\""
    );
    let found = found.fetch_one(&mut *connection).await?;
    if !found.any {
        return Ok(Contents::Nothing);
    }
    if !found.migrated || !found.ours {
        return Ok(Contents::Foreign);
    }
    let runs = sqlx::query_scalar!(
        "select exists (select from execution) or exists (select from rollup_script) as \"runs!\""
    );
    Ok(if runs.fetch_one(connection).await? { Contents::Runs } else { Contents::NoRuns })
}

/// Whether servers or their background tasks are connected.
///
/// # Errors
/// Any error from the database.
pub async fn has_servers(connection: &mut PgConnection) -> Result<bool, DatabaseError> {
    let found = sqlx::query_scalar!(
        "select exists (
            select from pg_stat_activity
            where datname = current_database() and application_name like 'telemetry %'
                and pid <> pg_backend_pid()
        ) as \"found!\""
    );
    Ok(found.fetch_one(connection).await?)
}

/// Whether the key of the run ids is in the database. Otherwise it is `ID_KEY`.
///
/// # Errors
/// Any error from the database.
pub async fn has_generated_key(connection: &mut PgConnection) -> Result<bool, DatabaseError> {
    let found =
        sqlx::query_scalar!("select exists (select from setting where name = 'id_key') as \"found!\"");
    Ok(found.fetch_one(connection).await?)
}

/// The major version of PostgreSQL.
///
/// # Errors
/// Any error from the database.
pub async fn server_version(connection: &mut PgConnection) -> Result<u32, DatabaseError> {
    let number = sqlx::query_scalar!("select current_setting('server_version_num')::integer as \"number!\"")
        .fetch_one(connection)
        .await?;
    Ok(u32::try_from(number / 10_000).unwrap_or(0))
}
