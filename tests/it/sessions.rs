//! Counts of sessions: a history that arrives at once, and attempts that are deleted.

use chrono::{Days, Utc};
use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor};
use telemetry_seed::{Plan, seed};
use telemetry_server::store::keep::{recount, retention, sessions};

use crate::common::app::{TestApp, spawn_app};

async fn number(app: &TestApp, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(app.pool()).await.expect("it runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_counted_in_bounded_steps_and_a_failure_keeps_those_before_it() {
    let app = spawn_app().await;
    let mut counter = app.session_counter().await;
    let until = "2026-03-10T18:00:00Z".parse().expect("a time");
    let plan = Plan { executions: 1_500, days: 40, seed: 5, until, plants: Vec::new() };
    seed(app.pool(), &plan, |_| ()).await.expect("it is written");
    let fail = "create function fail() returns trigger language plpgsql as
                    $$ begin raise exception 'a failure in the middle'; end $$;
                create trigger fail before insert on rollup_session
                    for each row when (new.day = '2026-02-25') execute function fail()";
    app.pool().execute(sqlx::raw_sql(fail)).await.expect("it runs");
    assert!(sessions::refresh(&mut counter).await.is_err());
    let counted = number(&app, "select count(distinct day) from rollup_session").await;
    let waiting = number(&app, "select count(distinct day) from session_touched").await;
    assert!(counted > 0 && waiting > 0, "{counted} and {waiting}");
    assert_eq!(counted + waiting, 40);
    let (status, _) = app.get("/api/sessions?days=0").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "the counts are exact for no time");
    app.verify().await;

    app.pool().execute("drop trigger fail on rollup_session").await.expect("it runs");
    assert!(sessions::refresh(&mut counter).await.expect("it runs"));
    assert_eq!(number(&app, "select count(distinct day) from session_touched").await, 0);
    let longest = "select max(days) from (
                       select count(distinct day) as days from rollup_session group by xmin::text) as step";
    assert!(number(&app, longest).await <= 10);
    let sessions = app.get_json("/api/sessions?days=0&repo=all").await["sessions"].as_i64();
    assert_eq!(sessions, Some(number(&app, "select sum(sessions)::bigint from rollup_session").await));
    app.verify().await;
    app.stop().await;
}

/// Reports attempts of one session, each on its day: so many days ago.
async fn attempts(app: &TestApp, days_ago: &[i32]) {
    for (number, days) in days_ago.iter().enumerate() {
        let attempt = if number == 0 { "session".to_owned() } else { format!("session-{number}") };
        let event = json!({"random_id": "session", "execution_id": attempt, "nsapp": "x", "type": "lxc",
                           "status": "failed", "exit_code": 1});
        app.report("/telemetry", &event).await;
        let move_back = format!(
            "update execution set first_seen = first_seen - interval '{days} days',
                 last_seen = last_seen - interval '{days} days'
             where first_seen > now() - interval '12 hours'"
        );
        app.pool().execute(AssertSqlSafe(move_back)).await.expect("it runs");
    }
    let mut connection = app.connection().await;
    recount::rebuild(&mut connection).await.expect("it runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_an_attempt_changes_the_day_on_which_its_session_began() {
    let app = spawn_app().await;
    attempts(&app, &[3, 2]).await;
    assert_eq!(app.get_json("/api/sessions?days=0").await["retried"], 1);
    let erased = app.request(Method::DELETE, "/api/runs/session-1").send().await.expect("an answer");
    assert_eq!(erased.status(), StatusCode::NO_CONTENT);
    while !sessions::refresh(&mut app.connection().await).await.expect("it runs") {
        tokio::task::yield_now().await;
    }
    assert_eq!(app.get_json("/api/sessions?days=0").await["retried"], 0);
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_whose_first_attempt_has_expired_is_no_session_of_its_own() {
    let app = spawn_app().await;
    attempts(&app, &[11, 10, 9]).await;
    let mut connection = app.connection().await;
    let day = Utc::now().date_naive() - Days::new(10);
    retention::delete_before(&mut connection, day, |_| ()).await.expect("it runs");
    assert_eq!(app.executions().await, 2);
    let days_ago = "select max(current_date - day)::bigint from rollup_session";
    assert_eq!(number(&app, days_ago).await, 11);
    app.verify().await;
    app.stop().await;
}
