//! Names that the public may see (`known_name`): those that at least `RARE_SESSIONS` sessions have.
//!
//! A pass looks for names that are counted but not known, and counts their sessions until there are enough. Only a new
//! run can make a name known, so a pass reads the counts of the last days; at the start and every hour one reads all
//! days, and drops names that no count has any more. Erasing checks the names of what it deletes in its own
//! transaction.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{Days, NaiveDate, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::ingest::execution::Execution;
use crate::store::database::background::{connect, pass};
use crate::store::database::connect::DatabaseError;
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
    let (mut complete, mut checked) = (None::<Instant>, Checked::default());
    loop {
        let begun = Instant::now();
        let is_due = complete.is_none_or(|last| last.elapsed() >= COMPLETE_EVERY);
        // A connection of its own, because those of readers have a time-out.
        let learned = async {
            let mut connection = connect(&options, "telemetry known names").await?;
            if is_due {
                learn_all(&mut connection).await?;
            } else {
                learn(&mut connection, recent(Utc::now().date_naive()), MOST_RECENT, &mut checked).await?;
            }
            connection.close().await
        };
        let learned = pass("names could not be checked", learned).await;
        if learned.is_none() || is_due {
            checked = Checked::default();
        }
        if learned.is_some() && is_due {
            complete = Some(begun);
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
    learn(connection, None, MOST, &mut Checked::default()).await
}

/// Checks the names that are counted yesterday or today.
///
/// # Errors
/// Any error from the database; the names that were checked before it stay known.
pub async fn learn_recent(connection: &mut PgConnection, today: NaiveDate) -> sqlx::Result<()> {
    learn(connection, recent(today), MOST_RECENT, &mut Checked::default()).await
}

fn recent(today: NaiveDate) -> Option<NaiveDate> {
    today.checked_sub_days(Days::new(RECENT_DAYS))
}

/// A name that is counted but not known, and its runs on the days that were read.
struct Candidate {
    kind: String,
    name: String,
    detail: String,
    runs: i64,
}

/// The runs of the rare names when they were checked last. A name without a new run is still rare, and checking it reads
/// all its days.
#[derive(Debug, Default)]
struct Checked(HashMap<Name, i64>);

impl Checked {
    /// The names that have changed since, which count as checked from now on. Forgets the names that are no candidates.
    fn changed(&mut self, candidates: Vec<Candidate>) -> Vec<Name> {
        let before = std::mem::take(&mut self.0);
        let counted = candidates
            .into_iter()
            .map(|Candidate { kind, name, detail, runs }| (Name { kind, name, detail }, runs));
        self.0 = counted.collect();
        let changed = self.0.iter().filter(|(name, runs)| before.get(*name) != Some(*runs));
        changed.map(|(name, _)| name.clone()).collect()
    }
}

async fn learn(
    connection: &mut PgConnection,
    since: Option<NaiveDate>,
    most: i64,
    checked: &mut Checked,
) -> sqlx::Result<()> {
    let candidates = sqlx::query_file_as!(Candidate, "src/store/sql/keep/unknown_names.sql", since, most);
    let candidates = checked.changed(candidates.fetch_all(&mut *connection).await?);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(counted: &[(&str, i64)]) -> Vec<Candidate> {
        let candidate = |(name, runs): &(&str, i64)| Candidate {
            kind: "app".to_owned(),
            name: (*name).to_owned(),
            detail: String::new(),
            runs: *runs,
        };
        counted.iter().map(candidate).collect()
    }

    #[test]
    fn a_rare_name_is_checked_again_only_after_a_new_run() {
        let mut checked = Checked::default();
        assert_eq!(checked.changed(candidates(&[("a", 1), ("b", 4)])).len(), 2);
        assert_eq!(checked.changed(candidates(&[("a", 1), ("b", 5)])), [Name::new("app", "b")]);
        assert!(checked.changed(candidates(&[("b", 5)])).is_empty());
        // It was no candidate meanwhile.
        assert_eq!(checked.changed(candidates(&[("a", 1), ("b", 5)])), [Name::new("app", "a")]);
    }
}
