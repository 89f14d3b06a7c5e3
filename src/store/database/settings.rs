//! Values that the server stores in the table `setting`.

use sqlx::PgConnection;

use crate::store::database::connect::DatabaseError;

/// Stores a value unless the setting exists, and returns the stored value.
///
/// # Errors
/// Any error from the database.
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

/// The value of a setting; `None` if it does not exist.
///
/// # Errors
/// Any error from the database.
pub async fn recall(connection: &mut PgConnection, name: &str) -> Result<Option<Vec<u8>>, DatabaseError> {
    let kept = sqlx::query_scalar!("select value from setting where name = $1", name);
    Ok(kept.fetch_optional(connection).await?)
}

/// Replaces the value of an existing setting.
///
/// # Errors
/// Any error from the database.
pub async fn overwrite(connection: &mut PgConnection, name: &str, value: &[u8]) -> Result<(), DatabaseError> {
    sqlx::query!("update setting set value = $2 where name = $1", name, value).execute(connection).await?;
    Ok(())
}
