//! Property tests of the merge against a real PostgreSQL: for any events in any batches, every row is the join of
//! its events and every rollup equals its recount.
//!
//! Cases are arbitrary but reproducible. All tests share one cluster; each has its own databases, which are
//! emptied before every case.

mod databases;
mod deleting;
mod events;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use chrono::TimeDelta;
use proptest::collection::vec;
use proptest::sample::select;
use sqlx::{AssertSqlSafe, Column, Connection, Executor, PgConnection, SqlSafeStr, Statement};
use telemetry_protocol::Status;
use telemetry_server::ingest::execution::Execution;
use telemetry_server::ingest::reported::{Facts, Reported};
use telemetry_server::store::keep::recount::{rebuild, verify};
use telemetry_server::store::write::merge::{KnownIds, Merged, join_events, merge};

use self::databases::{Bench, ROLLUPS, commit_when_somebody_waits, each_case, joined, persist};
use self::events::{batches, event, key, midnight, two_arrangements};

#[test]
fn after_every_batch_the_rows_are_the_join_and_the_rollups_their_recount() {
    each_case(batches(), async |[database, _], batches| {
        let mut known = KnownIds::default();
        for (count, batch) in batches.iter().enumerate() {
            database.commit(&mut known, batch).await;
            let so_far = batches[..=count].iter().flatten();
            assert_eq!(database.runs().await, joined(so_far));
            database.assert_clean().await;
        }
        let counted: i64 = database.number("select sum(runs)::bigint from rollup_script").await;
        assert_eq!(counted, database.number("select count(*) from execution").await);
    });
}

#[test]
fn another_order_and_other_batches_give_the_same_rows_and_counts() {
    each_case(two_arrangements(), async |[one, other], (batches, rearranged)| {
        one.commit_all(batches).await;
        // Sending events again changes nothing.
        other.commit_all(rearranged.clone()).await;
        other.commit_all(rearranged).await;
        assert_eq!(one.runs().await, other.runs().await);
        assert_eq!(one.rollups().await, other.rollups().await);
    });
}

#[test]
fn two_writers_of_the_same_runs_write_what_one_would_have_written() {
    each_case(two_arrangements(), async |[database, reference], (batches, rearranged)| {
        let mut rival = PgConnection::connect_with(&database.options).await.expect("it runs");
        tokio::join!(persist(&mut database.connection, batches.clone()), persist(&mut rival, rearranged));
        reference.commit_all(batches).await;
        assert_eq!(database.runs().await, reference.runs().await);
        assert_eq!(database.rollups().await, reference.rollups().await);
        database.assert_clean().await;
        rival.close().await.expect("it runs");
    });
}

#[test]
fn a_row_that_changes_after_it_was_read_makes_the_batch_start_again() {
    let mut bench = Bench::new();
    bench.run(async |[database, _]| {
        let event = |status| event(1, status, midnight(), Facts::default());
        database.commit_all(vec![vec![event(Status::Installing)]]).await;
        let before = (database.runs().await, database.rollups().await);

        let mut rival = PgConnection::connect_with(&database.options).await.expect("it runs");
        let mut observer = PgConnection::connect_with(&database.options).await.expect("it runs");
        let mut transaction = rival.begin().await.expect("it runs");
        let change = "update execution set revision = revision + 1";
        sqlx::query(change).execute(&mut *transaction).await.expect("it runs");
        let events = [event(Status::Failed), Execution { key: key(2), ..event(Status::Failed) }];
        let batch = join_events(&events);
        let mut known = KnownIds::default();
        let commit_when_it_waits = commit_when_somebody_waits(transaction, &mut observer);
        let merging = merge(&mut database.connection, &mut known, &batch);
        let (merged, ()) = tokio::join!(merging, commit_when_it_waits);

        assert_eq!(merged.expect("it runs"), Merged::Conflict);
        assert_eq!((database.runs().await, database.rollups().await), before, "all or nothing");
        let again = merge(&mut database.connection, &mut known, &batch).await;
        assert_eq!(again.expect("it runs"), Merged::Committed);
        assert_eq!(database.runs().await, joined(before.0.values().chain(&events)));
        database.assert_clean().await;
    });
}

#[test]
fn a_rebuild_beside_a_writer_loses_and_doubles_nothing() {
    each_case(batches(), async |[database, reference], batches| {
        let mut rival = PgConnection::connect_with(&database.options).await.expect("it runs");
        tokio::join!(persist(&mut database.connection, batches.clone()), async {
            for _ in 0..4 {
                rebuild(&mut rival).await.expect("it runs");
            }
        });
        reference.commit_all(batches).await;
        assert_eq!(database.runs().await, reference.runs().await);
        assert_eq!(database.rollups().await, reference.rollups().await);
        rival.close().await.expect("it runs");
    });
}

#[test]
fn verify_finds_any_damage_and_a_rebuild_repairs_it() {
    let damages = vec((0..4_usize, select(&DAMAGES[..]), 0..40_usize), 1..5);
    each_case((batches(), damages), async |[database, _], (batches, damages)| {
        database.commit_all(batches).await;
        let (runs, rollups) = (database.runs().await, database.rollups().await);
        for (table, damage, position) in damages {
            let table = ROLLUPS[table];
            let row = format!("(select ctid from {table} r order by r::text offset {position} limit 1)");
            let damage = damage.replace("{table}", table).replace("{row}", &row);
            sqlx::query(AssertSqlSafe(damage)).execute(&mut database.connection).await.expect("it runs");
        }
        let is_damaged = database.rollups().await != rollups;
        let seen = verify(&mut database.connection).await.expect("it runs");
        assert_eq!(seen.mismatches.is_empty(), !is_damaged, "{:?}", seen.mismatches);
        let forget = "update execution set outcome = 'blocked'";
        sqlx::query(forget).execute(&mut database.connection).await.expect("it runs");

        rebuild(&mut database.connection).await.expect("it runs");

        database.assert_clean().await;
        assert_eq!(database.rollups().await, rollups);
        assert_eq!(database.runs().await, runs);
    });
}

#[test]
fn an_earlier_first_event_moves_a_run_to_the_day_before() {
    let mut bench = Bench::new();
    bench.run(async |[database, _]| {
        let told = |status| Facts {
            app: Reported::by(status, Some("x".into())),
            install_duration: Reported::by(status, Some(60)),
            exit_code: Reported::by(status, Some(1)),
            ..Facts::default()
        };
        let microsecond = TimeDelta::microseconds(1);
        let (eve, day) = ((midnight() - microsecond).date_naive(), midnight().date_naive());
        assert_eq!(eve.succ_opt(), Some(day));

        let end = event(1, Status::Failed, midnight(), told(Status::Failed));
        database.commit_all(vec![vec![end.clone()]]).await;
        assert_eq!(database.runs_by_day().await, BTreeMap::from([(day, 1)]));
        assert_eq!(database.days().await, BTreeSet::from([day]));

        let start = event(1, Status::Installing, midnight() - microsecond, told(Status::Installing));
        database.commit_all(vec![vec![start.clone()]]).await;
        assert_eq!(database.runs_by_day().await, BTreeMap::from([(eve, 1)]));
        assert_eq!(database.days().await, BTreeSet::from([eve]));
        assert_eq!(database.runs().await, joined([&start, &end]));
        database.assert_clean().await;
    });
}

/// The build reads these files instead of querying a database, so only this test finds an outdated one.
#[test]
fn every_recorded_query_prepares_on_a_new_database() {
    let mut bench = Bench::new();
    bench.run(async |[database, _]| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
        let mut count = 0;
        for file in fs::read_dir(folder).expect("it is there") {
            let file = file.expect("it is there").path();
            let recorded: serde_json::Value =
                serde_json::from_slice(&fs::read(&file).expect("a file")).expect("JSON");
            let query = recorded["query"].as_str().expect("a query").to_owned();
            let prepared = (&mut database.connection).prepare(AssertSqlSafe(query).into_sql_str()).await;
            let prepared = prepared.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let columns: Vec<_> = prepared.columns().iter().map(Column::name).collect();
            let expected = recorded["describe"]["columns"].as_array().expect("columns");
            let expected: Vec<_> = expected.iter().filter_map(|column| column["name"].as_str()).collect();
            assert_eq!(columns, expected, "{}", file.display());
            count += 1;
        }
        assert!(count > 10, "{count} files");
    });
}

/// Ways in which a row of a rollup can be damaged.
const DAMAGES: [&str; 6] = [
    "delete from {table} where ctid = {row}",
    "update {table} set runs = runs + 3 where ctid = {row}",
    "update {table} set population = -population where ctid = {row}",
    // A day and a population without runs.
    "update {table} set day = day - 10000 where ctid = {row}",
    "insert into {table} select (jsonb_populate_record(r, '{\"population\": 0}')).* from {table} r
     where ctid = {row} on conflict do nothing",
    "delete from {table}",
];
