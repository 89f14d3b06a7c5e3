//! The days and executions to recount.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::store::model::row::Stored;

/// Executions that are held in memory at once.
const PAGE_ROWS: i64 = 5_000;

/// Every day that has executions or counts.
pub(super) async fn days(connection: &mut PgConnection) -> sqlx::Result<BTreeSet<NaiveDate>> {
    let days = sqlx::query_scalar!(
        "select distinct (first_seen at time zone 'UTC')::date as \"day!\" from execution
         union select day from rollup_script union select day from rollup_duration
         union select day from rollup_facet union select day from rollup_exit_code
         union select day from rollup_signature union select day from rollup_environment
         union select day from rollup_hour"
    );
    Ok(days.fetch_all(connection).await?.into_iter().collect())
}

/// Whether some executions of a day have been deleted.
pub(super) fn is_before(day: NaiveDate, horizon: Option<NaiveDate>) -> bool {
    horizon.is_some_and(|first| day < first)
}

/// The end of a page: first event and key of its last execution.
pub(super) type Position = (DateTime<Utc>, Uuid);

pub(super) fn position(row: &Stored) -> Position {
    (row.execution.first_seen, row.execution.key.0)
}

/// The next executions of a day after a position, by first event and key.
pub(super) async fn page_of(
    connection: &mut PgConnection,
    day: NaiveDate,
    last: Option<Position>,
) -> sqlx::Result<Vec<Stored>> {
    let start = day.and_time(NaiveTime::MIN).and_utc();
    let (time, key) = last.map_or((start, None), |(time, key)| (time, Some(key)));
    sqlx::query_scalar!(
        "select execution as \"row!: Stored\" from execution
         where first_seen >= $1 and first_seen < $2
             and ($3::uuid is null or (first_seen, run_key) > ($1, $3))
         order by first_seen, run_key limit $4",
        time,
        start + Days::new(1),
        key as _,
        PAGE_ROWS
    )
    .fetch_all(connection)
    .await
}
