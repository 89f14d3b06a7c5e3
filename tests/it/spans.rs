//! Sums over several days: with and without them every answer is the same, whatever changes meanwhile.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::app::{TestApp, spawn_app};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use telemetry_server::ingest::identity::RunKey;
use telemetry_server::seed::{Plan, seed};
use telemetry_server::store::keep::erase::erase;
use telemetry_server::store::keep::recount::{Mismatch, verify};
use telemetry_server::store::keep::{sessions, sums};

/// A time long enough ago that all days are over.
fn long_ago() -> DateTime<Utc> {
    "2026-03-10T18:00:00Z".parse().expect("a time")
}

async fn add(app: &TestApp, executions: usize, days: u32, number: u64) {
    let plan = Plan { executions, days, seed: number, until: long_ago(), plants: Vec::new() };
    seed(app.pool(), &plan, |_| ()).await.expect("it is written");
}

async fn count_sessions(app: &TestApp) {
    let mut connection = app.connection().await;
    while !matches!(sessions::recount(&mut connection).await, Ok(true)) {
        tokio::task::yield_now().await;
    }
}

/// Adds up, unless the server itself does; returns how many spans there are then.
async fn seal(app: &TestApp) -> i64 {
    let mut connection = app.connection().await;
    while sums::seal(&mut connection, 0).await.expect("it runs").is_none() {
        tokio::task::yield_now().await;
    }
    number(app, "select count(*) from sealed_span where is_ready").await
}

async fn number(app: &TestApp, query: &str) -> i64 {
    let row = sqlx::query(AssertSqlSafe(query.to_owned())).fetch_one(app.pool()).await.expect("it runs");
    row.get(0)
}

/// What every aggregate says about periods and filters of all kinds.
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
                answer["as_of"].take();
                answers.insert(asked, answer);
            }
        }
    }
    answers
}

#[track_caller]
fn assert_same(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) {
    for (asked, answer) in before {
        assert_eq!(after[asked], *answer, "{asked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_over_many_days_change_no_answer() {
    let app = spawn_app().await;
    add(&app, 6_000, 130, 3).await;
    count_sessions(&app).await;
    let before = answers(&app).await;
    assert_eq!(number(&app, "select count(*) from sealed_span").await, 0);
    // Since the beginning of 2000, 64 days begin on 2026-01-13 less a multiple: all lengths occur.
    assert!(seal(&app).await > 30);
    assert!(number(&app, "select count(*) from sealed_span where days = 64 and is_ready").await > 0);
    assert_same(&before, &answers(&app).await);
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_a_day_takes_its_sums_away() {
    let app = spawn_app().await;
    add(&app, 2_000, 40, 3).await;
    count_sessions(&app).await;
    let sealed = seal(&app).await;
    // A batch that touches one day only.
    add(&app, 5, 1, 4).await;
    let covering = "select count(*) from sealed_span where first_day <= '2026-03-10' and '2026-03-10' < first_day + days";
    assert_eq!(number(&app, covering).await, 0);
    app.verify().await;
    count_sessions(&app).await;
    assert_eq!(seal(&app).await, sealed);
    app.verify().await;

    // Erasing does the same.
    let key = sqlx::query_scalar::<_, uuid::Uuid>(
        "select run_key from execution where first_seen < '2026-03-10' and session_key is null
         order by first_seen desc limit 1",
    );
    let key = key.fetch_one(app.pool()).await.expect("there are some");
    assert!(erase(app.pool(), RunKey(key), Utc::now()).await.expect("it runs") > 0);
    assert!(number(&app, "select count(*) from sealed_span where is_ready").await < sealed);
    app.verify().await;
    count_sessions(&app).await;
    let (unsealed, _) = (answers(&app).await, seal(&app).await);
    assert_same(&unsealed, &answers(&app).await);
    // What nobody needs any more is deleted.
    count_sessions(&app).await;
    seal(&app).await;
    for table in ["script", "facet", "exit_code", "signature", "day", "session", "session_day"] {
        let orphans =
            format!("select count(*) from span_{table} where span not in (select id from sealed_span)");
        assert_eq!(number(&app, &orphans).await, 0, "{table}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_that_are_made_beside_writers_are_right() {
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
    let sealing = async {
        let mut connection = app.connection().await;
        while !done.load(Ordering::Relaxed) {
            seal(&app).await;
            let seen = verify(&mut connection).await.expect("it runs");
            assert_eq!(seen.mismatches, []);
        }
    };
    tokio::join!(writing, sealing);
    seal(&app).await;
    assert!(number(&app, "select count(*) from sealed_span where is_ready").await > 5);
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_adds_up_waits_for_no_writer_that_takes_long() {
    let app = spawn_app().await;
    add(&app, 500, 20, 1).await;
    let mut writer = app.connection().await;
    let mut transaction = writer.begin().await.expect("it runs");
    sqlx::query("update rollup_script set runs = runs + 1")
        .execute(&mut *transaction)
        .await
        .expect("it runs");
    assert_eq!(seal(&app).await, 0);
    transaction.rollback().await.expect("it runs");
    assert!(seal(&app).await > 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_that_are_wrong_are_noticed_and_rebuilt() {
    let app = spawn_app().await;
    add(&app, 1_000, 20, 1).await;
    count_sessions(&app).await;
    seal(&app).await;
    app.verify().await;
    for (statement, table) in [
        ("update span_script set runs = runs + 1 where app = 'docker'", "script"),
        ("update span_facet set runs = runs - 1 where facet = 'os'", "facet"),
        ("update span_exit_code set runs = 0", "exit code"),
        ("update span_signature set last_day = last_day + 1", "signature"),
        ("update span_signature set runs_of_apps[1] = runs_of_apps[1] + 1", "signature"),
        ("update span_signature set apps[1] = 'nobody'", "signature"),
        ("delete from span_day", "day"),
        ("update span_session set saved = saved + 1", "session"),
        ("update span_session_day set retried = retried + 1", "session day"),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(app.pool()).await.expect("it runs");
        let mut connection = app.connection().await;
        let seen = verify(&mut connection).await.expect("it runs");
        let of_table = |found: &Mismatch| matches!(found, Mismatch::Span { row, .. } if row.contains(&format!("[\"{table}\"")));
        assert!(!seen.mismatches.is_empty() && seen.mismatches.iter().all(of_table), "{statement}: {seen:?}");
        rebuild(&mut connection).await;
        seal(&app).await;
        app.verify().await;
    }
    app.stop().await;
}

async fn rebuild(connection: &mut PgConnection) {
    telemetry_server::store::keep::recount::rebuild(connection).await.expect("it runs");
}
