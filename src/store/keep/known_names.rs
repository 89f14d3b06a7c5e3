//! Names that the public may see (`known_name`): those that at least `RARE_SESSIONS` sessions have.
//!
//! A pass looks for names that are counted but not known, and counts their sessions until there are enough. Only a new
//! run can make a name known, so a pass reads the counts of the last days; at the start and every hour one reads all
//! days, and drops names that no count has any more. Erasing checks the names of what it deletes in its own
//! transaction.

use std::time::{Duration, Instant};

use chrono::{Days, NaiveDate, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::ingest::execution::Execution;
use crate::store::database::background::{PASS_TIMEOUT, connect};
use crate::store::database::connect::{DatabaseError, within};
use crate::store::database::settings;
use crate::store::model::names::{Name, names};

/// Pause between two passes.
const INTERVAL: Duration = Duration::from_secs(15);
/// Longest pause. Below it, a pass may take half of the time.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// Time between two passes over all days.
const COMPLETE_EVERY: Duration = Duration::from_secs(3600);
/// Days before today whose counts every pass reads.
const RECENT_DAYS: u64 = 1;
/// Most names of the last days that a pass checks, those with the most runs first. There are fewer unless somebody
/// sends invented names.
const MOST_RECENT: i64 = 1_000;
/// Most names that a pass over all days checks.
const MOST: i64 = 100_000;
/// Names checked in one transaction.
const AT_ONCE: usize = 20;
/// The advisory lock that keeps a pass from adding a name while an erasure removes it.
const LOCK: i64 = 0x7465_6c65_6e61_6d65;
/// Setting that stores the number of sessions that make a name known.
const RARE_SESSIONS: &str = "rare_sessions";

/// Stores the number of sessions that make a name known. Forgets all names if they need more sessions than before; the
/// first pass finds those that are still known.
///
/// # Errors
/// Any error from the database.
pub async fn begin(connection: &mut PgConnection, rare_sessions: u32) -> Result<(), DatabaseError> {
    let wanted = rare_sessions.to_string();
    let mut transaction = connection.begin().await?;
    lock(&mut transaction).await?;
    let stored = settings::remember(&mut transaction, RARE_SESSIONS, b"0").await?;
    if stored != wanted.as_bytes() {
        settings::overwrite(&mut transaction, RARE_SESSIONS, wanted.as_bytes()).await?;
        let before = std::str::from_utf8(&stored).ok().and_then(|text| text.parse().ok());
        if before.is_none_or(|before: u32| before < rare_sessions) {
            sqlx::query!("delete from known_name").execute(&mut *transaction).await?;
        }
    }
    Ok(transaction.commit().await?)
}

/// Looks for known names at once and then every few seconds. Never returns; may be aborted at any time.
pub async fn keep_learning(options: PgConnectOptions) {
    let mut complete = None::<Instant>;
    loop {
        let begun = Instant::now();
        let is_due = complete.is_none_or(|last| last.elapsed() >= COMPLETE_EVERY);
        // A connection of its own, because those of readers have a time-out.
        let learned = async {
            let mut connection = connect(&options, "telemetry known names").await?;
            if is_due {
                learn_all(&mut connection).await?;
            } else {
                learn_recent(&mut connection, Utc::now().date_naive()).await?;
            }
            connection.close().await
        };
        match within(PASS_TIMEOUT, learned).await {
            Ok(()) if is_due => complete = Some(begun),
            Ok(()) => {}
            Err(error) => {
                let code = error.as_database_error().and_then(|error| error.code());
                tracing::warn!(sqlstate = code.as_deref(), "names could not be checked");
            }
        }
        tokio::time::sleep(begun.elapsed().clamp(INTERVAL, MAX_PAUSE)).await;
    }
}

/// Checks all names that are counted, and drops known names that no count has any more.
///
/// # Errors
/// Any error from the database; the names that were checked before it stay known.
pub async fn learn_all(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from known_name as known where not exists (
             select from counted_name as counted
             where counted.kind = known.kind and counted.name = known.name and counted.detail = known.detail
         )"
    )
    .execute(&mut *connection)
    .await?;
    learn(connection, None, MOST).await
}

/// Checks the names that are counted yesterday or today.
///
/// # Errors
/// Any error from the database; the names that were checked before it stay known.
pub async fn learn_recent(connection: &mut PgConnection, today: NaiveDate) -> sqlx::Result<()> {
    learn(connection, today.checked_sub_days(Days::new(RECENT_DAYS)), MOST_RECENT).await
}

async fn learn(connection: &mut PgConnection, since: Option<NaiveDate>, most: i64) -> sqlx::Result<()> {
    let candidates = sqlx::query_file_as!(Name, "src/store/sql/keep/unknown_names.sql", since, most);
    let candidates = candidates.fetch_all(&mut *connection).await?;
    for some in candidates.chunks(AT_ONCE) {
        let mut transaction = connection.begin().await?;
        // Before the statement that reads the executions, so that it sees what was erased.
        lock(&mut transaction).await?;
        let (kinds, names, details) = columns(some);
        sqlx::query!(
            "insert into known_name (kind, name, detail)
             select kind, name, detail from unnest($1::text[], $2::text[], $3::text[]) as candidate (kind, name, detail)
             where is_shared(kind, name, detail)
             on conflict do nothing",
            &kinds as _,
            &names as _,
            &details as _
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Removes the names of these executions, which this transaction has deleted, that are rare from now on. A name that
/// expired executions had stays: their sessions can no longer be counted.
///
/// # Errors
/// Any error from the database.
pub(crate) async fn recheck<'a>(
    transaction: &mut PgConnection,
    deleted: impl Iterator<Item = &'a Execution>,
) -> sqlx::Result<()> {
    let mut gone: Vec<_> = deleted.flat_map(names).collect();
    gone.sort_unstable();
    gone.dedup();
    if gone.is_empty() {
        return Ok(());
    }
    lock(transaction).await?;
    let (kinds, names, details) = columns(&gone);
    let forget = sqlx::query_file!(
        "src/store/sql/keep/forget_rare_names.sql",
        &kinds as _,
        &names as _,
        &details as _
    );
    forget.execute(transaction).await.map(drop)
}

/// Takes the lock until the transaction ends.
/// Keeps passes from adding names until the end of the transaction.
///
/// # Errors
/// Any error from the database.
pub async fn lock(transaction: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_advisory_xact_lock($1)", LOCK).fetch_one(transaction).await.map(drop)
}

fn columns(names: &[Name]) -> (Vec<&str>, Vec<&str>, Vec<&str>) {
    let column = |part: fn(&Name) -> &str| names.iter().map(part).collect();
    (column(|name| &name.kind), column(|name| &name.name), column(|name| &name.detail))
}
