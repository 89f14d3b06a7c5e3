//! Copies what the views for Grafana need into the database: the catalogue of exit codes, and the number of
//! hours after which an execution without an end is unfinished.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use telemetry_protocol::Generation;
use telemetry_protocol::exit_code::entries;

/// Replaces the copy in the database. If instances of different versions do so, the last one to start wins.
///
/// # Errors
/// Any error from the database.
pub async fn publish(connection: &mut PgConnection, unfinished_after: Duration) -> sqlx::Result<()> {
    let generations = [Generation::One, Generation::Two, Generation::Three];
    let entries: Vec<_> = generations.into_iter().flat_map(entries).collect();
    let number = |number: i32| i16::try_from(number).unwrap_or(-1);
    let generations: Vec<_> = entries.iter().map(|entry| i16::from(entry.generation.number())).collect();
    let codes: Vec<_> = entries.iter().map(|entry| number(entry.code)).collect();
    let titles: Vec<_> = entries.iter().map(|entry| entry.title).collect();
    let categories: Vec<_> = entries.iter().map(|entry| entry.category.as_str()).collect();
    let faults: Vec<_> = entries.iter().map(|entry| entry.fault.as_str()).collect();
    let recoveries: Vec<_> = entries.iter().map(|entry| entry.recovery).collect();
    let mut transaction = connection.begin().await?;
    // Keeps other instances from doing the same; readers see the old copy until the commit.
    sqlx::query!("lock table exit_code_meaning in share row exclusive mode")
        .execute(&mut *transaction)
        .await?;
    sqlx::query!("delete from exit_code_meaning").execute(&mut *transaction).await?;
    sqlx::query!(
        "insert into exit_code_meaning (generation, exit_code, title, category, fault, recovery)
         select * from unnest($1::smallint[], $2::smallint[], $3::text[], $4::text[], $5::text[], $6::text[])",
        &generations,
        &codes,
        &titles as _,
        &categories as _,
        &faults as _,
        &recoveries as _
    )
    .execute(&mut *transaction)
    .await?;
    let hours = (unfinished_after.as_secs() / 3600).to_string();
    sqlx::query!(
        "insert into setting (name, value) values ('unfinished_hours', $1)
         on conflict (name) do update set value = excluded.value",
        hours.as_bytes()
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}
