//! Monthly sums: every answer is the same with and without them, whatever changes meanwhile.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::app::{TestApp, spawn_app};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Row, Transaction};
use telemetry_seed::{Plan, seed};
use telemetry_server::ingest::identity::RunKey;
use telemetry_server::store::keep::erase::erase;
use telemetry_server::store::keep::recount::{Mismatch, verify};
use telemetry_server::store::keep::{monthly_sums, sessions};

const READY: &str = "select count(*) from month_sum where is_ready";

/// A time so long ago that its month is over.
fn long_ago() -> DateTime<Utc> {
    "2026-03-10T18:00:00Z".parse().expect("a time")
}

async fn add(app: &TestApp, executions: usize, days: u32, number: u64) {
    let plan = Plan { executions, days, seed: number, until: long_ago(), plants: Vec::new() };
    seed(app.pool(), &plan, |_| ()).await.expect("it is written");
}

/// A server with these executions, whose sessions are counted.
async fn spawn_with(executions: usize, days: u32, number: u64) -> TestApp {
    let app = spawn_app().await;
    add(&app, executions, days, number).await;
    count_sessions(&app).await;
    app
}

async fn count_sessions(app: &TestApp) {
    let mut connection = app.connection().await;
    sessions::mark_all(&mut connection).await.expect("it runs");
    while !matches!(sessions::refresh(&mut connection).await, Ok(true)) {
        tokio::task::yield_now().await;
    }
}

/// Makes the missing sums, or waits while the server makes them. Returns the number of months with sums.
async fn make_sums(app: &TestApp) -> i64 {
    let mut connection = app.connection().await;
    while monthly_sums::make_missing(&mut connection).await.expect("it runs").is_none() {
        tokio::task::yield_now().await;
    }
    number(app, READY).await
}

/// An open transaction that changes rollups. As long as it is open, no sums are made, not even by the server.
async fn change_rollups(connection: &mut PgConnection) -> Transaction<'_, Postgres> {
    let mut transaction = connection.begin().await.expect("it runs");
    let change = sqlx::query("update rollup_script set runs = runs + 1");
    change.execute(&mut *transaction).await.expect("it runs");
    transaction
}

async fn number(app: &TestApp, query: &str) -> i64 {
    let row = sqlx::query(AssertSqlSafe(query.to_owned())).fetch_one(app.pool()).await.expect("it runs");
    row.get(0)
}

/// The answers of every aggregate to periods and filters of all kinds.
async fn answers(app: &TestApp) -> BTreeMap<String, Value> {
    let mut answers = BTreeMap::new();
    for path in [
        "/api/dashboard?",
        "/api/errors?",
        "/api/scripts?",
        "/api/repo-slugs?",
        "/api/signatures?limit=200&",
        "/api/sessions?",
        "/api/runtime?",
        "/api/scripts/docker?",
        "/api/scripts?search=o&limit=5&",
        "/api/popular?",
        "/api/exit-codes/100/runs?",
        "/api/records?limit=3&page=40&",
        "/api/timeseries?group=app&",
        "/api/timeseries?group=app&bucket=week&metric=failure_rate&",
        "/api/timeseries?group=repo&",
        "/api/timeseries?group=none&bucket=week&",
        "/data/summary?",
        "/data/errors?",
    ] {
        for period in
            ["days=0", "from=2025-11-15&to=2026-03-10", "from=2026-02-01&to=2026-02-28", "from=2026-01-07"]
        {
            for filter in ["", "&repo=all", "&repo=all&type=vm", "&platform=pve"] {
                let asked = format!("{path}{period}{filter}");
                let mut answer = app.get_json(&asked).await;
                let day = answer["as_of"].as_str().map(|time| time[..10].to_owned());
                answer["as_of"] = day.into();
                answers.insert(asked, answer);
            }
        }
    }
    answers
}

#[track_caller]
fn assert_same(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) {
    // Answers of two days differ, as their period ends today.
    let of_one_day = before.iter().filter(|(asked, answer)| after[*asked]["as_of"] == answer["as_of"]);
    for (asked, answer) in of_one_day {
        assert_eq!(after[asked], *answer, "{asked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_equal_with_and_without_sums() {
    let app = spawn_app().await;
    // The server makes no sums meanwhile.
    let mut maker = app.connection().await;
    let lock = sqlx::query("select pg_advisory_lock($1)").bind(monthly_sums::LOCK);
    lock.execute(&mut maker).await.expect("it runs");
    add(&app, 6_000, 130, 3).await;
    count_sessions(&app).await;
    let before = answers(&app).await;
    assert_eq!(number(&app, "select count(*) from month_sum").await, 0);
    maker.close().await.expect("it runs");
    // From November to March, which ends after ten days.
    assert_eq!(make_sums(&app).await, 5);
    assert_same(&before, &answers(&app).await);
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_write_deletes_the_sums_of_its_month() {
    let app = spawn_with(2_000, 40, 3).await;
    let months = make_sums(&app).await;
    assert_eq!(months, 3);
    // All on one day.
    add(&app, 5, 1, 4).await;
    let left = "select count(*) from month_sum where first_day in ('2026-01-01', '2026-02-01')";
    assert_eq!((number(&app, READY).await, number(&app, left).await), (2, 2));
    app.verify().await;
    count_sessions(&app).await;
    assert_eq!(make_sums(&app).await, months);
    app.verify().await;

    // Erasing an execution does the same.
    let key = sqlx::query_scalar::<_, uuid::Uuid>(
        "select run_key from execution where first_seen < '2026-03-10' and session_key is null
         order by first_seen desc limit 1",
    );
    let key = key.fetch_one(app.pool()).await.expect("there are some");
    assert!(erase(app.pool(), RunKey(key), Utc::now()).await.expect("it runs") > 0);
    assert_eq!(number(&app, READY).await, months - 1);
    app.verify().await;
    count_sessions(&app).await;
    let (without, _) = (answers(&app).await, make_sums(&app).await);
    assert_same(&without, &answers(&app).await);
    // The outdated sums are deleted as well.
    count_sessions(&app).await;
    make_sums(&app).await;
    for table in ["script", "facet", "exit_code", "signature", "day", "session", "session_day"] {
        let orphans =
            format!("select count(*) from month_{table} where month not in (select id from month_sum)");
        assert_eq!(number(&app, &orphans).await, 0, "{table}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_that_are_made_during_writes_are_right() {
    let app = spawn_app().await;
    add(&app, 2_000, 30, 1).await;
    let done = AtomicBool::new(false);
    let writing = async {
        for number in 2..12 {
            add(&app, 300, 30, number).await;
            count_sessions(&app).await;
        }
        done.store(true, Ordering::Relaxed);
    };
    let making = async {
        let mut connection = app.connection().await;
        while !done.load(Ordering::Relaxed) {
            make_sums(&app).await;
            let seen = verify(&mut connection).await.expect("it runs");
            assert_eq!(seen.mismatches, []);
        }
    };
    tokio::join!(writing, making);
    make_sums(&app).await;
    assert_eq!(number(&app, READY).await, 2);
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_are_put_off_while_a_writer_takes_long() {
    let app = spawn_with(500, 20, 1).await;
    let mut writer = app.connection().await;
    let transaction = change_rollups(&mut writer).await;
    assert_eq!(make_sums(&app).await, 0);
    transaction.rollback().await.expect("it runs");
    assert!(make_sums(&app).await > 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_notices_wrong_sums_and_a_rebuild_corrects_them() {
    let app = spawn_with(1_000, 20, 1).await;
    make_sums(&app).await;
    app.verify().await;
    for (statement, table) in [
        ("update month_script set runs = runs + 1 where app = 'docker'", "script"),
        ("update month_facet set runs = runs - 1 where facet = 'os'", "facet"),
        ("update month_exit_code set runs = 0", "exit code"),
        ("update month_signature set last_day = last_day + 1", "signature"),
        ("update month_signature set app = app || ' '", "signature"),
        ("delete from month_day", "day"),
        ("update month_session set saved = saved + 1", "session"),
        ("update month_session_day set retried = retried + 1", "session day"),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(app.pool()).await.expect("it runs");
        let mut connection = app.connection().await;
        let seen = verify(&mut connection).await.expect("it runs");
        let of_table = |found: &Mismatch| matches!(found, Mismatch::MonthlySum { row, .. } if row.contains(&format!("[\"{table}\"")));
        assert!(!seen.mismatches.is_empty() && seen.mismatches.iter().all(of_table), "{statement}: {seen:?}");
        rebuild(&mut connection).await;
        make_sums(&app).await;
        app.verify().await;
    }
    app.stop().await;
}

async fn rebuild(connection: &mut PgConnection) {
    telemetry_server::store::keep::recount::rebuild(connection).await.expect("it runs");
}
