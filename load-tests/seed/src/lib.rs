//! Fills a database with realistic executions, for trying the server out and for measuring it: scripts
//! by popularity, a weekly rhythm, and outcomes, exit codes and error texts as they come from the field.
//!
//! The same seed and end time give the same executions. They are written by the server's own merge, so
//! rollups and sessions are those that real reports would have made.

mod applications;
mod failure_texts;
pub mod plant;
mod invented_host;
mod session;
pub mod target_check;

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Utc};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sqlx::{PgConnection, PgPool};
use telemetry_server::ingest::execution::Execution;
use telemetry_server::store::write::merge::{KnownIds, Merged, join_events, merge};

use crate::applications::Catalogue;
use crate::plant::Plant;
use crate::session::session;

/// Executions per transaction.
const BATCH: usize = 8_000;
/// Attempts to write a batch while a running server changes the same rows.
const MAX_ATTEMPTS: usize = 20;
/// Days that are written at the same time, each over a connection of its own.
pub const WRITERS: u32 = 2;
/// Share of a day's traffic, Monday first: people install at weekends.
const WEEKDAYS: [f64; 7] = [0.92, 0.88, 0.88, 0.90, 0.97, 1.24, 1.21];

/// Dates signatures from their first execution. The server dates them from the time it first stores one.
const CREATED: &str = "update signature set created = first from (
    select signature, min(first_seen) as first from execution where signature is not null group by signature
) as seen where id = signature and first < created";

/// The executions to invent.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Number of executions.
    pub executions: usize,
    /// Days over which they are spread; the last one is that of `until`.
    pub days: u32,
    /// Seed of every random number.
    pub seed: u64,
    /// No event is later than this.
    pub until: DateTime<Utc>,
    /// Failures for the server to find.
    pub plants: Vec<Plant>,
}

/// Writes all executions of a plan and returns their number. `progress` is called with each committed batch.
///
/// # Errors
/// Any error from the database. Batches that are committed by then stay.
pub async fn seed(pool: &PgPool, plan: &Plan, progress: impl FnMut(&[Execution])) -> sqlx::Result<u64> {
    let catalogue = Catalogue::of(plan.seed);
    let days = share_out(plan);
    let (next, written) = (AtomicUsize::new(0), AtomicU64::new(0));
    let progress = RefCell::new(progress);
    let writers = (0..WRITERS).map(async |_| {
        let mut connection = pool.acquire().await?;
        let mut known = KnownIds::default();
        while let Some(&(day, count)) = days.get(next.fetch_add(1, Ordering::Relaxed)) {
            for batch in executions_of(plan, &catalogue, day, count).chunks(BATCH) {
                write(&mut connection, &mut known, batch).await?;
                written.fetch_add(batch.len() as u64, Ordering::Relaxed);
                progress.borrow_mut()(batch);
            }
        }
        Ok::<_, sqlx::Error>(())
    });
    futures_util::future::try_join_all(writers).await?;
    sqlx::query(CREATED).execute(pool).await?;
    Ok(written.into_inner())
}

async fn write(connection: &mut PgConnection, known: &mut KnownIds, batch: &[Execution]) -> sqlx::Result<()> {
    let runs = join_events(batch);
    for _ in 0..MAX_ATTEMPTS {
        match merge(connection, known, &runs).await {
            Ok(Merged::Committed) => return Ok(()),
            Ok(Merged::Conflict) => {}
            // A serialization failure or a deadlock with a running server.
            Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code.starts_with("40")) => {}
            Err(error) => return Err(error),
        }
    }
    Err(sqlx::Error::PoolTimedOut)
}

/// The number of executions of each day. Traffic grows, follows the weekly rhythm and varies from day to
/// day. The numbers add up to the plan.
fn share_out(plan: &Plan) -> Vec<(NaiveDate, usize)> {
    let mut random = stream(plan.seed, 0);
    let last = plan.until.date_naive();
    let first = last.checked_sub_days(Days::new(u64::from(plan.days.max(1) - 1))).unwrap_or(last);
    let elapsed = (plan.until - midnight(last)).as_seconds_f64() / 86_400.0;
    let weight = |day: NaiveDate, busy: f64| {
        let age = (last - day).num_days() as f64 / f64::from(plan.days.max(1));
        let part = if day == last { elapsed } else { 1.0 };
        WEEKDAYS[day.weekday().num_days_from_monday() as usize] * (1.0 - 0.4 * age) * busy * part
    };
    let weights: Vec<_> = first
        .iter_days()
        .take_while(|day| *day <= last)
        .map(|day| (day, weight(day, random.random_range(0.9..1.1))))
        .collect();
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let (mut sum, mut given) = (0.0, 0);
    let days = weights.into_iter().map(|(day, weight)| {
        sum += weight;
        // Rounding the running sum makes the last day end at exactly the total.
        let so_far = (sum / total * plan.executions as f64).round() as usize;
        let count = so_far - given;
        given = so_far;
        (day, count)
    });
    days.collect()
}

/// `count` executions, of sessions that begin on `day`.
fn executions_of(plan: &Plan, catalogue: &Catalogue, day: NaiveDate, count: usize) -> Vec<Execution> {
    let mut random = stream(plan.seed, 1 + u64::from(day.num_days_from_ce().unsigned_abs()));
    let mut executions = Vec::with_capacity(count + 8);
    while executions.len() < count {
        let start = start_time(&mut random, day, plan.until);
        executions.extend(session(&mut random, catalogue, plan, start));
    }
    executions.truncate(count);
    executions
}

/// A time of `day`, most often in the European evening, and not after `until`.
fn start_time(random: &mut ChaCha8Rng, day: NaiveDate, until: DateTime<Utc>) -> DateTime<Utc> {
    let start = midnight(day);
    let milliseconds = (until - start).num_milliseconds().clamp(1, 86_400_000);
    loop {
        let at = random.random_range(0..milliseconds);
        let phase = (at as f64 / 3_600_000.0 - 19.0) / 24.0 * std::f64::consts::TAU;
        if random.random_bool(0.55 + 0.45 * phase.cos()) {
            return start + chrono::TimeDelta::milliseconds(at);
        }
    }
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// An independent stream of random numbers for each part of a plan, the same on every machine.
fn stream(seed: u64, part: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(part);
    random
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn plan(executions: usize) -> Plan {
        let until = "2026-03-10T18:00:00Z".parse().expect("a time");
        Plan { executions, days: 30, seed: 7, until, plants: Vec::new() }
    }

    fn all(plan: &Plan) -> Vec<Execution> {
        let catalogue = Catalogue::of(plan.seed);
        let days = share_out(plan).into_iter();
        days.flat_map(|(day, count)| executions_of(plan, &catalogue, day, count)).collect()
    }

    #[test]
    fn a_plan_gives_exactly_its_executions_every_time() {
        let executions = all(&plan(5_000));
        assert_eq!(executions.len(), 5_000);
        assert_eq!(executions, all(&plan(5_000)));
        assert_ne!(executions, all(&Plan { seed: 8, ..plan(5_000) }));
        let keys: BTreeSet<_> = executions.iter().map(|run| run.key).collect();
        assert_eq!(keys.len(), 5_000);
        assert!(executions.iter().all(|run| run.last_seen <= plan(0).until));
        assert!(executions.iter().all(|run| run.first_seen <= run.last_seen));
    }

    #[test]
    fn planted_failures_are_recognised_in_the_executions() {
        let hit = |text: &str| {
            let plant: Plant = text.parse().expect("a plant");
            let plan = Plan { plants: vec![plant.clone()], ..plan(5_000) };
            all(&plan).iter().filter(|run| plant.has_hit(run, plan.until)).count()
        };
        assert!(hit("app=docker,os=debian,from=20,rate=1,exit_code=77,error=x") > 20);
        assert_eq!(hit("app=docker,os=beos,from=20,rate=1,exit_code=77,error=x"), 0);
        assert_eq!(hit("app=nobody,from=20,rate=1,exit_code=77,error=x"), 0);
    }

    #[test]
    fn outcomes_occur_as_often_as_in_the_field() {
        let executions = all(&plan(20_000));
        let share = |outcome: &str| {
            let runs = executions.iter().filter(|run| run.outcome().as_str() == outcome).count();
            runs as f64 / executions.len() as f64
        };
        for (outcome, range) in [
            ("success", 0.60..0.85),
            ("failed", 0.08..0.22),
            ("blocked", 0.005..0.05),
            ("aborted", 0.02..0.09),
            ("open", 0.01..0.08),
        ] {
            assert!(range.contains(&share(outcome)), "{outcome}: {}", share(outcome));
        }
        assert!(executions.iter().any(|run| run.session.is_some()));
        assert!(
            executions
                .iter()
                .filter(|run| run.outcome().as_str() == "failed")
                .all(|run| run.signature.is_some())
        );
    }
}
