//! Empty databases for every case, and queries of their contents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor, PgConnection, Postgres, Transaction};
use telemetry_server::ingest::execution::Execution;
use telemetry_server::ingest::identity::RunKey;
use telemetry_server::store::database::migrate::migrate;
use telemetry_server::store::keep::recount::verify;
use telemetry_server::store::model::row::Stored;
use telemetry_server::store::write::erasures::without_erased;
use telemetry_server::store::write::merge::{KnownIds, Merged, join_events, merge};

use super::events::Batches;
use crate::common::app::Cluster;

pub(crate) type Runs = BTreeMap<RunKey, Execution>;

/// The rows that these events must result in, in any order.
pub(crate) fn joined<'a>(events: impl IntoIterator<Item = &'a Execution>) -> Runs {
    let mut runs = Runs::new();
    for event in events {
        runs.entry(event.key).and_modify(|run| run.join(event)).or_insert_with(|| event.clone());
    }
    runs
}

/// The rollups.
pub(crate) const ROLLUPS: [&str; 7] = [
    "rollup_script",
    "rollup_duration",
    "rollup_facet",
    "rollup_exit_code",
    "rollup_signature",
    "rollup_environment",
    "rollup_hour",
];

/// Calls `test` with arbitrary values and two empty databases.
pub(crate) fn each_case<T: std::fmt::Debug>(
    strategy: impl Strategy<Value = T>,
    test: impl AsyncFn(&mut [Database; 2], T),
) {
    let bench = Mutex::new(Bench::new());
    let config = Config {
        cases: 24,
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        max_shrink_iters: 500,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&strategy, |value| {
        let mut bench = bench.lock().unwrap_or_else(PoisonError::into_inner);
        bench.run(async |databases| test(databases, value).await);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

pub(crate) struct Bench {
    runtime: tokio::runtime::Runtime,
    databases: [Database; 2],
    _cluster: Arc<Cluster>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let cluster = Cluster::shared();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let databases =
            runtime.block_on(async { [Database::new(&cluster).await, Database::new(&cluster).await] });
        Self { runtime, databases, _cluster: cluster }
    }

    pub(crate) fn run(&mut self, test: impl AsyncFnOnce(&mut [Database; 2])) {
        self.runtime.block_on(async {
            for database in &mut self.databases {
                database.empty().await;
            }
            test(&mut self.databases).await;
        });
    }
}

pub(crate) struct Database {
    pub(crate) options: PgConnectOptions,
    pub(crate) connection: PgConnection,
}

impl Database {
    async fn new(cluster: &Cluster) -> Self {
        let options = cluster.database().await;
        let mut connection = PgConnection::connect_with(&options).await.expect("it runs");
        migrate(&mut connection).await.expect("the migrations run");
        Self { options, connection }
    }

    pub(super) async fn empty(&mut self) {
        let tables = ROLLUPS.into_iter().chain([
            "execution",
            "erased",
            "population",
            "signature",
            "rollup_session",
            "session_touched",
            "setting",
        ]);
        let delete: String = tables.map(|table| format!("delete from {table};")).collect();
        self.connection.execute(sqlx::raw_sql(AssertSqlSafe(delete))).await.expect("it runs");
    }

    pub(crate) async fn commit(&mut self, known: &mut KnownIds, batch: &[Execution]) {
        let runs = join_events(batch);
        assert!(runs.windows(2).all(|two| two[0].key < two[1].key), "each run once, in lock order");
        let merged = merge(&mut self.connection, known, &runs).await;
        assert_eq!(merged.expect("it runs"), Merged::Committed);
    }

    pub(crate) async fn commit_all(&mut self, batches: Batches) {
        let mut known = KnownIds::default();
        for batch in batches {
            self.commit(&mut known, &batch).await;
        }
    }

    /// All rows. Checks their derived columns as well.
    pub(crate) async fn runs(&mut self) -> Runs {
        let rows: Vec<(Stored, String)> = sqlx::query_as("select execution, status from execution")
            .fetch_all(&mut self.connection)
            .await
            .expect("it runs");
        let read = |(row, status): (Stored, String)| {
            let run = row.execution;
            assert_eq!([&*status, &*row.outcome], [run.status().as_str(), run.outcome().as_str()]);
            (run.key, run)
        };
        rows.into_iter().map(read).collect()
    }

    /// All rollup rows that are not zero, as text without the ids of populations, which differ between databases.
    pub(crate) async fn rollups(&mut self) -> BTreeSet<String> {
        let each = ROLLUPS.map(|table| {
            format!(
                "select concat('{table} ', to_jsonb(r) - 'population', coalesce(to_jsonb(p) - 'id', 'null'))
                 from {table} r left join population p on p.id = r.population
                 where to_jsonb(r) @? '$.keyvalue()
                     ? (@.key like_regex \"^(runs|duration_)\" && @.value != 0)'"
            )
        });
        let rows = sqlx::query_scalar(AssertSqlSafe(each.join(" union all ")));
        rows.fetch_all(&mut self.connection).await.expect("it runs").into_iter().collect()
    }

    /// The days of all rollup rows that are not zero.
    pub(crate) async fn days(&mut self) -> BTreeSet<NaiveDate> {
        let each = ROLLUPS.map(|table| format!("select day from {table} where runs <> 0"));
        let days = sqlx::query_scalar(AssertSqlSafe(each.join(" union ")));
        days.fetch_all(&mut self.connection).await.expect("it runs").into_iter().collect()
    }

    pub(crate) async fn runs_by_day(&mut self) -> BTreeMap<NaiveDate, i64> {
        let days = "select day, runs from rollup_script where runs <> 0";
        let days: Vec<_> = sqlx::query_as(days).fetch_all(&mut self.connection).await.expect("it runs");
        days.into_iter().collect()
    }

    pub(crate) async fn number(&mut self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&mut self.connection).await.expect("it runs")
    }

    pub(crate) async fn assert_clean(&mut self) {
        let seen = verify(&mut self.connection).await.expect("it runs");
        assert_eq!(seen.mismatches, []);
        assert_eq!(i64::try_from(seen.executions), Ok(self.number("select count(*) from execution").await));
    }
}

/// Commits every batch despite other writers, with as many attempts as necessary.
pub(crate) async fn persist(connection: &mut PgConnection, batches: Batches) {
    let mut known = KnownIds::default();
    for batch in batches {
        let mut runs = join_events(&batch);
        for attempt in 1.. {
            assert!(attempt < 1_000, "one of the writers always succeeds");
            match merge(connection, &mut known, &runs).await {
                Ok(Merged::Committed) => break,
                Ok(Merged::Conflict) => {
                    let events: Vec<_> = batch.iter().collect();
                    let left = without_erased(connection, &events).await.expect("it runs");
                    (runs, known) = (join_events(left), KnownIds::default());
                }
                // Deadlock or serialization failure.
                Err(sqlx::Error::Database(error)) if error.code().is_some_and(|c| c.starts_with("40")) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Commits as soon as another connection waits for a lock.
pub(crate) async fn commit_when_somebody_waits(
    transaction: Transaction<'_, Postgres>,
    observer: &mut PgConnection,
) {
    let waits = "select exists (select from pg_stat_activity
                 where datname = current_database() and wait_event_type = 'Lock')";
    for _ in 0..20_000 {
        if sqlx::query_scalar(waits).fetch_one(&mut *observer).await.expect("it runs") {
            break;
        }
    }
    transaction.commit().await.expect("it runs");
}
