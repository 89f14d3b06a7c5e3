//! Deleting, by id and by age, beside writers: nothing comes back, and no count is wrong.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use proptest::prelude::*;
use sqlx::{Connection, PgConnection, PgPool, Postgres, Transaction};
use telemetry_protocol::Status;
use telemetry_server::ingest::execution::Execution;
use telemetry_server::ingest::identity::RunKey;
use telemetry_server::ingest::reported::{Facts, Reported};
use telemetry_server::metrics::Metrics;
use telemetry_server::store::database::pools::delete_pool;
use telemetry_server::store::keep::erase::erase;
use telemetry_server::store::keep::horizon::horizon;
use telemetry_server::store::keep::recount::{rebuild, verify};
use telemetry_server::store::keep::retention::{delete_before, first_kept_day};
use telemetry_server::store::keep::unused::delete_unused;
use telemetry_server::store::write::commit::commit;
use telemetry_server::store::write::merge::{KnownIds, Merged, join_events, merge};

use super::databases::{Bench, Database, commit_when_somebody_waits, each_case, joined, persist};
use super::events::{Batches, batches, event, key, midnight, two_arrangements};

/// Runs and sessions of [`batches`], and one that is in none.
fn any_key() -> impl Strategy<Value = RunKey> {
    prop_oneof![0..4_u8, 101..104_u8].prop_map(key)
}

fn told(run: u8, status: Status, app: &str, at: DateTime<Utc>) -> Execution {
    event(run, status, at, Facts { app: Reported::by(status, Some(app.into())), ..Facts::default() })
}

fn day_of(time: DateTime<Utc>) -> NaiveDate {
    time.date_naive()
}

fn pool_for(database: &Database) -> PgPool {
    delete_pool(&database.options, &Arc::default())
}

async fn connect(database: &Database) -> PgConnection {
    PgConnection::connect_with(&database.options).await.expect("it runs")
}

async fn delete_old(connection: &mut PgConnection, day: NaiveDate) -> Vec<u64> {
    let mut batches = Vec::new();
    delete_before(connection, day, |rows| batches.push(rows)).await.expect("it runs");
    batches.into_iter().filter(|rows| *rows > 0).collect()
}

/// Deletes the only run and all that is counted of it, in a transaction that is still open.
async fn delete_everything(connection: &mut PgConnection) -> Transaction<'_, Postgres> {
    let mut transaction = connection.begin().await.expect("it runs");
    let delete =
        "delete from execution; delete from rollup_script; delete from rollup_facet; delete from rollup_hour";
    sqlx::raw_sql(delete).execute(&mut *transaction).await.expect("it runs");
    transaction
}

/// Merges the end of run 1 while `transaction` holds its row. Asserts that the merge has to be repeated.
async fn conflicting_end(
    database: &mut Database,
    transaction: Transaction<'_, Postgres>,
) -> ([Execution; 1], KnownIds) {
    let mut observer = connect(database).await;
    let end = [event(1, Status::Failed, midnight(), Facts::default())];
    let (batch, mut known) = (join_events(&end), KnownIds::default());
    let merging = merge(&mut database.connection, &mut known, &batch);
    let (merged, ()) = tokio::join!(merging, commit_when_somebody_waits(transaction, &mut observer));
    assert_eq!(merged.expect("it runs"), Merged::Conflict);
    drop(batch);
    (end, known)
}

#[test]
fn an_erased_run_leaves_no_trace() {
    each_case((batches(), any_key()), async |[database, reference], (batches, id)| {
        database.commit_all(batches.clone()).await;
        let is_meant = |run: &Execution| run.key == id || run.session == Some(id);
        let meant: Vec<_> = joined(batches.iter().flatten()).into_values().filter(is_meant).collect();

        let pool = pool_for(database);
        assert_eq!(erase(&pool, id, Utc::now()).await.expect("it runs"), meant.len() as u64);
        assert_eq!(erase(&pool, id, Utc::now()).await.expect("it runs"), 0);
        pool.close().await;

        let others = |event: &Execution| meant.iter().all(|run| run.key != event.key);
        let others = batches.into_iter().map(|batch| batch.into_iter().filter(others).collect());
        reference.commit_all(others.collect()).await;
        assert_eq!(database.runs().await, reference.runs().await);
        assert_eq!(database.rollups().await, reference.rollups().await);
        database.assert_clean().await;
    });
}

#[test]
fn erasing_beside_writers_leaves_exact_counts() {
    let erased = proptest::collection::vec(any_key(), 1..12);
    each_case((two_arrangements(), erased), async |[database, _], ((batches, rearranged), erased)| {
        let mut rival = connect(database).await;
        let pool = pool_for(database);
        tokio::join!(
            persist(&mut database.connection, batches),
            persist(&mut rival, rearranged),
            async {
                for id in &erased {
                    erase(&pool, *id, Utc::now()).await.expect("it runs");
                }
            },
            async {
                for id in erased.iter().rev() {
                    erase(&pool, *id, Utc::now()).await.expect("it runs");
                }
            }
        );
        database.assert_clean().await;
        for run in 0..4 {
            erase(&pool, key(run), Utc::now()).await.expect("it runs");
        }
        assert!(database.runs().await.is_empty() && database.rollups().await.is_empty());
        database.assert_clean().await;
        rival.close().await.expect("it runs");
        pool.close().await;
    });
}

#[test]
fn a_writer_that_has_read_a_row_does_not_bring_it_back() {
    let mut bench = Bench::new();
    bench.run(async |[database, _]| {
        database.commit_all(vec![vec![told(1, Status::Installing, "secret", midnight())]]).await;
        let mut rival = connect(database).await;
        let transaction = delete_everything(&mut rival).await;
        let (end, mut known) = conflicting_end(database, transaction).await;
        assert!(database.runs().await.is_empty() && database.rollups().await.is_empty());
        database.commit(&mut known, &end).await;
        assert_eq!(database.runs().await, joined(&end));
        database.assert_clean().await;
    });
}

#[test]
fn a_recreated_row_is_not_mistaken_for_the_one_that_was_read() {
    let mut bench = Bench::new();
    bench.run(async |[database, _]| {
        database.commit_all(vec![vec![told(1, Status::Installing, "secret", midnight())]]).await;
        let mut rival = connect(database).await;
        let mut transaction = delete_everything(&mut rival).await;
        let late = [told(1, Status::Validation, "late", midnight())];
        let merged = merge(&mut transaction, &mut KnownIds::default(), &join_events(&late)).await;
        assert_eq!(merged.expect("it runs"), Merged::Committed);

        let (end, mut known) = conflicting_end(database, transaction).await;
        database.commit(&mut known, &end).await;
        assert_eq!(database.runs().await, joined(late.iter().chain(&end)));
        database.assert_clean().await;
    });
}

#[test]
fn events_that_arrived_before_their_run_was_erased_are_not_committed() {
    let mut bench = Bench::new();
    bench.run(async |[database, _]| {
        let pool = pool_for(database);
        let erased_at = midnight();
        let moment = TimeDelta::microseconds(1);
        let part = |run: u8, at| told(run, Status::Installing, "x", at);
        let of_a_session = Execution { session: Some(key(101)), ..part(2, erased_at) };
        let attempt = Execution { session: Some(key(101)), ..part(3, erased_at - moment) };
        database.commit_all(vec![vec![attempt]]).await;
        for id in [1, 101] {
            erase(&pool, key(id), erased_at).await.expect("it runs");
        }
        // The last attempt was stored with its session; what waits names only itself.
        let events = [
            part(1, erased_at),
            part(1, erased_at + moment),
            of_a_session,
            part(3, erased_at - moment),
            part(4, erased_at - moment),
        ];
        let events: Vec<_> = events.iter().collect();
        let metrics = Metrics::new().expect("right");
        let patience = Duration::from_secs(60);
        for _ in 0..2 {
            let committed = commit(&pool, &mut KnownIds::default(), &events, patience, &metrics).await;
            committed.expect("it runs");
        }
        assert_eq!(database.runs().await, joined([events[1], events[4]]));
        assert_eq!(erase(&pool, key(4), erased_at).await.expect("it runs"), 1);
        database.assert_clean().await;
        pool.close().await;
    });
}

/// Waits until so many connections wait for a lock; returns in the end all the same.
async fn until_waiting(observer: &mut PgConnection, number: i64) {
    let waiting = "select count(*) from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock'";
    for _ in 0..20_000 {
        if sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut *observer).await.expect("it runs") >= number {
            break;
        }
    }
}

/// The server that sent the batch may have given up on it.
#[test]
fn erasing_waits_for_a_batch_that_is_being_written_even_if_nobody_waits_for_the_batch() {
    let mut bench = Bench::new();
    bench.run(async |[database, _]| {
        let events = [1, 2].map(|run| told(run, Status::Failed, "x", midnight()));
        for is_abandoned in [false, true] {
            database.commit_all(vec![vec![told(2, Status::Installing, "x", midnight())]]).await;
            let (pool, own) = (pool_for(database), pool_for(database));
            let (mut observer, mut holder) = (connect(database).await, connect(database).await);
            // The batch has inserted run 1 and waits for run 2, and erasing for the batch.
            let mut transaction = holder.begin().await.expect("it runs");
            let lock = "select from execution for update";
            sqlx::query(lock).execute(&mut *transaction).await.expect("it runs");
            let (events, metrics) = (events.each_ref(), Metrics::new().expect("right"));
            let mut known = KnownIds::default();
            let mut writing = Box::pin(commit(&own, &mut known, &events, Duration::from_secs(60), &metrics));
            tokio::select! {
                _ = &mut writing => panic!("run 2 is locked"),
                () = until_waiting(&mut observer, 1) => {}
            }
            let releasing = async {
                until_waiting(&mut observer, 2).await;
                transaction.rollback().await.expect("it runs");
            };
            let writing = async {
                if is_abandoned {
                    drop(writing);
                } else {
                    writing.await.expect("it is written");
                }
            };
            let (erased, ..) = tokio::join!(erase(&pool, key(1), midnight()), releasing, writing);
            assert_eq!(erased.expect("it runs"), 1, "it was committed first");
            own.close().await;
            assert!(!database.runs().await.contains_key(&key(1)));
            database.assert_clean().await;
            assert_eq!(erase(&pool, key(2), midnight()).await.expect("it runs"), 1);
            pool.close().await;
            database.empty().await;
        }
    });
}

/// On another instance, the event may have arrived before and be committed after the run was erased.
#[test]
fn a_batch_that_was_queued_when_its_run_was_erased_does_not_bring_it_back() {
    let mut bench = Bench::new();
    bench.run(async |[database, _]| {
        let pool = pool_for(database);
        let metrics = Metrics::new().expect("right");
        let moment = TimeDelta::microseconds(1);
        let queued = told(1, Status::Installing, "secret", midnight());
        let (later, other) = (
            told(1, Status::Failed, "known", midnight() + moment * 2),
            told(2, Status::Installing, "other", midnight()),
        );
        assert_eq!(erase(&pool, key(1), midnight() + moment).await.expect("it runs"), 0);
        for events in [&[&queued][..], &[&other, &queued], &[&queued, &later]] {
            let mut known = KnownIds::default();
            let committed = commit(&pool, &mut known, events, Duration::from_secs(60), &metrics).await;
            committed.expect("it runs");
        }
        assert_eq!(database.runs().await, joined([&later, &other]));
        database.assert_clean().await;
        pool.close().await;
    });
}

#[test]
fn a_population_that_was_deleted_is_not_used_again() {
    let mut bench = Bench::new();
    bench.run(async |[database, _]| {
        let pool = pool_for(database);
        let metrics = Metrics::new().expect("right");
        let mut known = KnownIds::default();
        let run = |run: u8| {
            let mut run = told(run, Status::Installing, "x", midnight());
            run.facts.repo_slug = Reported::by(Status::Installing, Some("somebody/something".into()));
            run
        };
        let events = [run(1), run(2), run(3)];
        let patience = Duration::from_secs(60);
        commit(&pool, &mut known, &[&events[0]], patience, &metrics).await.expect("it runs");
        erase(&pool, key(1), Utc::now()).await.expect("it runs");
        assert_eq!(database.number("select count(*) from population").await, 0);
        commit(&pool, &mut known, &[&events[1]], patience, &metrics).await.expect("it runs");
        assert_eq!(database.number("select count(*) from population").await, 1);
        database.assert_clean().await;

        // Nor while a pass deletes beside writers.
        let mut rival = connect(database).await;
        let deleting = async {
            for _ in 0..20 {
                erase(&pool, key(2), midnight()).await.expect("it runs");
                delete_unused(&mut rival).await.expect("it runs");
            }
        };
        let other = pool_for(database);
        let writing = async {
            for _ in 0..20 {
                let later = Execution { first_seen: Utc::now(), last_seen: Utc::now(), ..events[2].clone() };
                commit(&other, &mut known, &[&later], patience, &metrics).await.expect("it runs");
                erase(&other, key(3), midnight()).await.expect("it runs");
            }
        };
        tokio::join!(deleting, writing);
        database.assert_clean().await;
        other.close().await;
        pool.close().await;
        rival.close().await.expect("it runs");
    });
}

#[test]
fn a_session_of_any_size_is_erased_beside_its_events() {
    let mut bench = Bench::new();
    bench.run(async |[database, _]| {
        let attempt = |number: u128| {
            let attempt = told(1, Status::Installing, "x", midnight());
            Execution { key: RunKey(uuid::Uuid::from_u128(number)), session: Some(key(101)), ..attempt }
        };
        let attempts: Batches = vec![(1..=450).map(attempt).collect()];
        database.commit_all(attempts.clone()).await;
        let pool = pool_for(database);
        let (erased, ()) =
            tokio::join!(erase(&pool, key(101), Utc::now()), persist(&mut database.connection, attempts));
        assert!(erased.expect("it runs") >= 450);
        database.assert_clean().await;
        erase(&pool, key(101), Utc::now()).await.expect("it runs");
        assert!(database.runs().await.is_empty() && database.rollups().await.is_empty());
        pool.close().await;
    });
}

#[test]
fn deleting_by_age_leaves_every_count_and_verify_and_rebuild_know_it() {
    each_case((batches(), 0..6_u64), async |[database, _], (batches, days)| {
        database.commit_all(batches.clone()).await;
        let (runs, rollups) = (database.runs().await, database.rollups().await);
        let first = day_of(midnight()) + Days::new(days) - Days::new(3);
        let (old, kept): (Vec<_>, Vec<_>) =
            runs.into_iter().partition(|(_, run)| day_of(run.first_seen) < first);

        let deleted: u64 = delete_old(&mut database.connection, first).await.iter().sum();

        assert_eq!(deleted, old.len() as u64);
        assert_eq!(database.runs().await, kept.into_iter().collect());
        assert_eq!(database.rollups().await, rollups);
        database.assert_clean().await;
        let seen = verify(&mut database.connection).await.expect("it runs");
        let rebuilt = rebuild(&mut database.connection).await.expect("it runs");
        assert_eq!((seen.days, &seen.days_left_out), (rebuilt.days, &rebuilt.days_left_out));
        for (_, run) in &old {
            assert!(seen.days_left_out.contains(&day_of(run.first_seen)));
        }
        assert_eq!(seen.days_left_out.is_empty(), old.is_empty());
        assert_eq!(database.rollups().await, rollups);
        database.assert_clean().await;
    });
}

#[test]
fn the_horizon_moves_only_for_what_is_deleted_and_never_back() {
    let mut bench = Bench::new();
    bench.run(async |[database, _]| {
        let today = day_of(midnight());
        let day = |back: u64| today - Days::new(back);
        let connection = &mut database.connection;
        assert_eq!(delete_old(connection, today).await, [0; 0]);
        assert_eq!(horizon(connection).await.expect("it runs"), None);

        let runs = [(1, 0), (2, 5), (3, 10)];
        let starts =
            runs.map(|(run, back)| told(run, Status::Installing, "x", midnight() - TimeDelta::days(back)));
        database.commit_all(vec![starts.to_vec()]).await;
        let connection = &mut database.connection;
        for (first, batches, expected) in [
            (day(7), vec![1], day(7)),
            (day(9), vec![], day(7)),
            (day(6), vec![], day(7)),
            (day(2), vec![1], day(2)),
        ] {
            assert_eq!(delete_old(connection, first).await, batches, "{first}");
            assert_eq!(horizon(connection).await.expect("it runs"), Some(expected), "{first}");
        }
        database.assert_clean().await;
    });
}

#[test]
fn batches_of_old_runs_go_while_events_come() {
    let mut bench = Bench::new();
    bench.run(async |[database, _]| {
        let old = midnight() - TimeDelta::days(400);
        let run = |number: u128, status, at| Execution {
            key: RunKey(uuid::Uuid::from_u128(number)),
            ..told(1, status, "x", at)
        };
        let starts = (0..2_500).map(|number| run(number, Status::Installing, old)).collect();
        database.commit_all(vec![starts]).await;
        let (mut rival, mut another) = (connect(database).await, connect(database).await);
        let first = first_kept_day(midnight(), 365);
        let ends = |numbers: std::ops::Range<u128>| -> Batches {
            let ends: Vec<_> = numbers.map(|number| run(number, Status::Success, midnight())).collect();
            ends.chunks(50).map(<[_]>::to_vec).collect()
        };
        // Ends of runs that are just being deleted: in time they join, too late they are new runs.
        let (deleted, ()) = tokio::join!(
            delete_old(&mut rival, first),
            persist(&mut database.connection, ends(1_000..3_000))
        );
        assert!(deleted.iter().all(|rows| *rows <= 1_000), "{deleted:?}");
        rival.close().await.expect("it runs");
        let left = "select count(*) from execution where first_seen < '2026-01-01'";
        for attempt in 0.. {
            assert!(attempt < 1_000, "the lock ends with the connection");
            delete_old(&mut another, first).await;
            if database.number(left).await == 0 {
                break;
            }
        }
        assert!(database.runs().await.values().all(|run| day_of(run.first_seen) == day_of(midnight())));
        database.assert_clean().await;
        another.close().await.expect("it runs");
    });
}

#[test]
fn while_one_instance_deletes_no_other_does() {
    let mut bench = Bench::new();
    bench.run(async |[database, _]| {
        let start = |run, back| told(run, Status::Installing, "x", midnight() - TimeDelta::days(back));
        database.commit_all(vec![vec![start(1, 20), start(2, 10)]]).await;
        let (mut rival, mut another) = (connect(database).await, connect(database).await);
        let first = |back| day_of(midnight() - TimeDelta::days(back));
        // It holds the lock until its connection ends.
        assert_eq!(delete_old(&mut rival, first(15)).await, [1]);
        assert_eq!(delete_old(&mut another, first(5)).await, [0; 0]);
        assert_eq!(horizon(&mut another).await.expect("it runs"), Some(first(15)));
        assert_eq!(delete_old(&mut rival, first(5)).await, [1]);
        another.close().await.expect("it runs");
        rival.close().await.expect("it runs");
    });
}

/// Whether somebody asks shortly before or shortly after a run goes for its age makes no difference.
#[test]
fn a_run_before_the_horizon_that_is_still_there_is_erased_without_its_counts() {
    let mut bench = Bench::new();
    bench.run(async |[database, _]| {
        let old = told(1, Status::Installing, "x", midnight() - TimeDelta::days(400));
        let (gone, new) =
            (Execution { key: key(2), ..old.clone() }, told(3, Status::Success, "x", midnight()));
        database.commit_all(vec![vec![old, gone, new]]).await;
        let rollups = database.rollups().await;
        let (mut rival, mut holder) = (connect(database).await, connect(database).await);
        let mut transaction = holder.begin().await.expect("it runs");
        sqlx::query("select from execution where run_key = $1 for update")
            .bind(key(1).0)
            .execute(&mut *transaction)
            .await
            .expect("it runs");
        assert_eq!(delete_old(&mut rival, first_kept_day(midnight(), 365)).await, [1], "one is worked on");
        transaction.rollback().await.expect("it runs");
        assert_eq!(database.runs().await.len(), 2);
        assert_eq!(verify(&mut database.connection).await.expect("it runs").mismatches, []);

        let pool = pool_for(database);
        assert_eq!(erase(&pool, key(1), Utc::now()).await.expect("it runs"), 1);
        assert_eq!(database.rollups().await, rollups);
        assert_eq!(erase(&pool, key(3), Utc::now()).await.expect("it runs"), 1);
        assert_ne!(database.rollups().await, rollups);
        assert!(database.runs().await.is_empty());
        database.assert_clean().await;
        pool.close().await;
    });
}
