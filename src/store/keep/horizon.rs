//! The horizon: the first day whose executions are all kept. Some executions of earlier days have expired, so
//! the rollups of these days are final.

use chrono::NaiveDate;
use sqlx::PgConnection;

/// The UTC day before which executions may be missing; `None` while none has expired.
///
/// # Errors
/// Any error from the database.
pub async fn horizon(connection: &mut PgConnection) -> sqlx::Result<Option<NaiveDate>> {
    let day = sqlx::query_scalar!(
        "select convert_from(value, 'UTF8')::date as \"day!\" from setting where name = 'retention_horizon'"
    );
    day.fetch_optional(connection).await
}

/// Moves the horizon to a day, never back, and returns the new horizon. To be committed before anything of an
/// earlier day is deleted.
///
/// # Errors
/// Any error from the database.
pub(crate) async fn advance(connection: &mut PgConnection, day: NaiveDate) -> sqlx::Result<NaiveDate> {
    // In this format the order of days is that of their texts.
    let day = sqlx::query_scalar!(
        "insert into setting (name, value)
         values ('retention_horizon', convert_to(to_char($1::date, 'YYYY-MM-DD'), 'UTF8'))
         on conflict (name) do update set value = greatest(setting.value, excluded.value)
         returning convert_from(value, 'UTF8')::date as \"day!\"",
        day
    );
    day.fetch_one(connection).await
}
