//! Keeping and deleting as an operator and a person who reported a run meet it.

use std::time::{Duration, Instant};

use crate::common::app::{TestApp, spawn_app, spawn_app_on};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use telemetry_server::store::keep::clock_check::{Doubt, deletable_before};
use telemetry_server::store::keep::retention::first_kept_day;
use telemetry_server::store::keep::unused::delete_unused;
use telemetry_server::store::keep::{monthly_sums, recount, sessions};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

fn event(random_id: &str, execution_id: &str, status: &str) -> Value {
    json!({"random_id": random_id, "execution_id": execution_id, "nsapp": "jellyfin", "type": "lxc",
           "status": status, "exit_code": i32::from(status == "failed"), "install_duration": 60})
}

async fn erase(app: &TestApp, id: &str) -> StatusCode {
    let response = app.request(Method::DELETE, &format!("/api/runs/{id}")).send().await.expect("an answer");
    assert_eq!(
        response.headers().contains_key("telemetry-erased"),
        response.status() == StatusCode::NO_CONTENT
    );
    let status = response.status();
    assert!(response.bytes().await.expect("nothing").is_empty());
    status
}

async fn is_known(app: &TestApp, id: &str) -> bool {
    app.get(&format!("/api/runs/{id}")).await.0 == StatusCode::OK
}

/// Another instance on the same database.
async fn second_instance(app: &TestApp) -> TestApp {
    spawn_app_on(app.pool().connect_options().as_ref().clone()).await
}

async fn sql(app: &TestApp, statement: &str) -> u64 {
    let done = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(app.pool()).await;
    done.expect("it is right").rows_affected()
}

async fn metric(app: &TestApp, name: &str) -> i64 {
    let text = app.request(Method::GET, "/metrics").send().await.expect("an answer").text().await;
    let text = text.expect("a text");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("{name} in {text}"))
}

/// Polls until something is so.
async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < PATIENCE, "waited too long until {what}");
    }
}

/// The dashboard of all time without what changes by itself.
async fn dashboard(app: &TestApp) -> Value {
    let mut dashboard = app.get_json("/api/dashboard?days=0&repo=all").await;
    let fields = dashboard.as_object_mut().expect("an object");
    fields.remove("as_of");
    fields.remove("recent_records");
    dashboard
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_erased_by_either_of_its_ids() {
    let app = spawn_app().await;
    app.report("/telemetry", &event("other", "other-1", "success")).await;
    let before = dashboard(&app).await;
    for (attempt, status) in [("one", "failed"), ("two", "failed"), ("three", "success")] {
        app.report("/telemetry", &event("session", attempt, "installing")).await;
        app.report("/telemetry", &event("session", attempt, status)).await;
    }
    app.report("/upload", &json!({"random_id": "old", "nsapp": "jellyfin", "ct_type": 1})).await;
    assert_eq!(app.executions().await, 5);

    assert_eq!(erase(&app, "two").await, StatusCode::NO_CONTENT);
    assert_eq!((is_known(&app, "two").await, is_known(&app, "one").await), (false, true));
    assert_eq!(dashboard(&app).await["failed_count"], 1);
    for _ in 0..2 {
        assert_eq!(erase(&app, "session").await, StatusCode::NO_CONTENT);
        assert_eq!(erase(&app, "old").await, StatusCode::NO_CONTENT);
    }
    assert_eq!(erase(&app, "never-seen").await, StatusCode::NO_CONTENT);
    for id in ["session", "one", "three", "old"] {
        assert!(!is_known(&app, id).await, "{id}");
    }
    assert!(is_known(&app, "other").await);
    assert_eq!(dashboard(&app).await, before, "they count nowhere any more");
    assert_eq!(metric(&app, r#"telemetry_executions_deleted_total{reason="request"}"#).await, 4);
    app.verify().await;
    app.stop().await;
}

/// The tables with a row that contains a text.
async fn tables_with(app: &TestApp, text: &str) -> Vec<String> {
    let tables = sqlx::query_scalar::<_, String>(
        "select relname::text from pg_stat_user_tables where schemaname = 'public' order by 1",
    );
    let mut found = Vec::new();
    for table in tables.fetch_all(app.pool()).await.expect("it runs") {
        let query = format!("select exists (select from {table} as line where line::text ilike '%{text}%')");
        if sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(app.pool()).await.expect("it runs") {
            found.push(table);
        }
    }
    found
}

/// A failed run in which every name is rare. A later event with more `words` replaces names and reason.
fn named(id: &str, words: &str, status: &str) -> Value {
    let name = format!("zqx{words}");
    json!({"random_id": id, "execution_id": format!("{id}-1"), "nsapp": name, "type": "lxc", "status": status,
           "repo_source": "external", "repo_slug": format!("{name}/scripts"), "os_type": name, "method": name,
           "cpu_vendor": name, "arch": name, "pve_version": "9.0.3", "install_duration": 60,
           "error": format!("{name}: cannot do it"), "failed_command": format!("{name} --do"),
           "exit_code": i32::from(status == "failed")})
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_erased_run_is_left_in_any_table() {
    let app = spawn_app().await;
    let mut counter = app.session_counter().await;
    let count_and_sum = async |counter: &mut PgConnection| {
        // The server does not count sessions meanwhile, but may be making sums.
        while !sessions::refresh(counter).await.expect("it runs") {}
        while monthly_sums::make_missing(counter).await.expect("it runs").is_none() {}
        tables_with(&app, "zqx").await
    };
    app.report("/telemetry", &event("other", "other-1", "success")).await;
    let before = dashboard(&app).await;
    // The only run of its month, which is over.
    app.report("/telemetry", &named("old", "old", "failed")).await;
    sql(
        &app,
        "update execution set first_seen = first_seen - interval '70 days', last_seen = last_seen - interval '70 days'
         where app = 'zqxold'",
    )
    .await;
    recount::rebuild(&mut counter).await.expect("it runs");
    app.report("/telemetry", &named("new", "a", "installing")).await;
    app.report("/telemetry", &named("new", "ab", "failed")).await;
    app.report("/telemetry", &named("new", "abc", "failed")).await;
    let named_in = count_and_sum(&mut counter).await;
    for table in ["execution", "population", "signature", "rollup_script", "rollup_session", "month_script"] {
        assert!(named_in.iter().any(|named| named == table), "{table}: {named_in:?}");
    }
    let listed = app.get_json("/api/signatures?repo=all").await;
    let id = listed["signatures"][0]["id"].as_str().expect("a signature").to_owned();
    sql(&app, "insert into triage select id, 'known', null, 'zqx fails', now() from signature").await;
    for id in ["old", "new"] {
        assert_eq!(erase(&app, id).await, StatusCode::NO_CONTENT);
    }
    let left = tables_with(&app, "zqx").await;
    // Sums that no answer uses any more.
    assert!(left.iter().all(|table| table.starts_with("month_")), "{left:?}");
    assert_eq!(app.get(&format!("/api/signatures/{id}?repo=all")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(count_and_sum(&mut counter).await, [""; 0]);
    assert_eq!(dashboard(&app).await, before);
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_a_run_no_longer_has_are_deleted_by_the_next_pass() {
    let app = spawn_app().await;
    app.report("/telemetry", &named("a", "a", "failed")).await;
    app.report("/telemetry", &named("a", "abc", "failed")).await;
    // An end whose start is not known is counted under no signature.
    let end =
        json!({"random_id": "end", "status": "failed", "exit_code": 1, "error": "zqxend: cannot do it"});
    app.report("/telemetry", &end).await;
    delete_unused(&mut app.connection().await).await.expect("it runs");
    assert_eq!(tables_with(&app, "zqxend").await, ["execution"]);
    for table in ["rollup_script", "rollup_facet", "rollup_signature", "rollup_hour", "rollup_environment"] {
        assert_eq!(sql(&app, &format!("delete from {table} where runs = 0")).await, 0, "{table}");
    }
    let templates = "delete from signature where id not in (select signature from rollup_signature)";
    assert_eq!(sql(&app, templates).await, 0);
    assert_eq!(
        sql(&app, "delete from population where id not in (select population from rollup_script)").await,
        0
    );
    // It is counted from now on.
    app.report("/telemetry", &json!({"random_id": "end", "nsapp": "late", "status": "installing"})).await;
    assert_eq!(tables_with(&app, "zqxend").await, ["execution", "signature"]);
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_beside_reports_to_two_instances_leaves_exact_counts() {
    let app = spawn_app().await;
    let other = second_instance(&app).await;
    let report = async |app: &TestApp, offset: usize| {
        for round in 0..40 {
            let status = ["installing", "configuring", "failed", "success"][(round + offset) % 4];
            let run = format!("run-{}", round % 3);
            app.report("/telemetry", &event("session", &run, status)).await;
        }
    };
    let erase_often = async |app: &TestApp| {
        for round in 0..40 {
            let id = ["session", "run-0", "run-1"][round % 3];
            assert_eq!(erase(app, id).await, StatusCode::NO_CONTENT);
        }
    };
    tokio::join!(
        report(&app, 0),
        report(&app, 1),
        report(&other, 2),
        report(&other, 3),
        erase_often(&app),
        erase_often(&other)
    );
    app.verify().await;
    assert_eq!(erase(&app, "session").await, StatusCode::NO_CONTENT);
    assert_eq!(app.executions().await, 0);
    assert_eq!(dashboard(&app).await["total_installs"], 0);
    app.verify().await;
    other.stop().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_deletes_what_is_too_old_and_every_count_stays() {
    let app = spawn_app().await;
    for number in 0..7 {
        let id = format!("old-{number}");
        let status = if number % 2 == 0 { "failed" } else { "success" };
        app.report("/telemetry", &event(&id, &format!("{id}-1"), status)).await;
    }
    for (number, days) in [(0, 366), (1, 366), (2, 400), (3, 1000), (4, 364), (5, 300), (6, 10)] {
        let id = format!("old-{number}");
        assert!(is_known(&app, &id).await);
        let age = format!(
            "update execution set first_seen = first_seen - interval '{days} days',
                 last_seen = last_seen - interval '{days} days'
             where run_key = (select run_key from execution where first_seen > now() - interval '1 day'
                 order by first_seen limit 1)"
        );
        assert_eq!(sql(&app, &age).await, 1);
    }
    app.report("/telemetry", &event("new", "new-1", "success")).await;
    let mut connection = PgConnection::connect_with(&app.pool().connect_options()).await.expect("it runs");
    recount::rebuild(&mut connection).await.expect("it runs");
    let before = dashboard(&app).await;
    assert_eq!(before["total_installs"], 8);
    assert_eq!(metric(&app, "telemetry_retention_horizon_timestamp_seconds").await, 0);

    let other = second_instance(&app).await;
    until("the old ones are gone", async || {
        other.report("/telemetry", &event("new", "new-1", "success")).await;
        other.executions().await == 4
    })
    .await;
    assert_eq!(dashboard(&app).await, before);
    let deleted = r#"telemetry_executions_deleted_total{reason="age"}"#;
    let horizon = "telemetry_retention_horizon_timestamp_seconds";
    until("it is measured", async || metric(&other, horizon).await > 0).await;
    assert_eq!(metric(&other, deleted).await, 4);
    assert_eq!(metric(&other, horizon).await % 86_400, 0);
    let seen = recount::verify(&mut connection).await.expect("it runs");
    assert_eq!((seen.mismatches.len(), seen.executions, seen.days_left_out.len()), (0, 4, 3));
    let rebuilt = recount::rebuild(&mut connection).await.expect("it runs");
    assert_eq!(rebuilt.days_left_out, seen.days_left_out);
    assert_eq!(dashboard(&app).await, before);

    // A late end of a run that is gone is a run of today of which only the end is known.
    let end = json!({"random_id": "old-3", "execution_id": "old-3-1", "status": "failed", "exit_code": 1});
    other.report("/telemetry", &end).await;
    assert_eq!(dashboard(&app).await["unattributed_count"], 1);
    app.verify().await;
    other.stop().await;
    app.stop().await;
}

/// One run on each of these days before today.
async fn runs_of(app: &TestApp, ages: &[i32]) {
    for age in ages {
        let id = format!("run-{age}");
        app.report("/telemetry", &event(&id, &format!("{id}-1"), "success")).await;
        let move_back = format!(
            "update execution set first_seen = first_seen - interval '{age} days',
                 last_seen = last_seen - interval '{age} days'
             where first_seen > now() - interval '12 hours'"
        );
        assert_eq!(sql(app, &move_back).await, 1);
    }
    let mut connection = PgConnection::connect_with(&app.pool().connect_options()).await.expect("it runs");
    recount::rebuild(&mut connection).await.expect("it runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_far_ahead_deletes_nothing() {
    let app = spawn_app().await;
    runs_of(&app, &[20, 19, 18, 2, 1]).await;
    let mut connection = PgConnection::connect_with(&app.pool().connect_options()).await.expect("it runs");
    let mut doubt_on = async |now: DateTime<Utc>, kept: u32| {
        deletable_before(&mut connection, now, first_kept_day(now, kept)).await.expect("it runs")
    };
    let now = Utc::now();
    let all = |kept: u32| Ok(first_kept_day(now, kept));
    assert_eq!(doubt_on(now, 365).await, all(365), "there is nothing to delete");
    assert_eq!(doubt_on(now, 10).await, all(10));
    assert_eq!(doubt_on(now, 1).await, all(1));
    for hours in [2, -2] {
        assert_eq!(doubt_on(now + TimeDelta::hours(hours), 10).await, Err(Doubt::ClocksDiffer), "{hours}");
    }
    app.stop().await;
}

/// The clock of the database is that of the server in these tests, and so it may be in earnest: what a clock that
/// has jumped leaves behind is a silence.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_long_silence_nothing_is_deleted_until_the_clock_is_believed() {
    let long_ago = [2000, 1999, 1998];
    for (since, kept, expected) in [
        // Nothing came yet; the first came; a week of runs: still, all before the silence would go.
        (&[][..], 365, Err(Doubt::LongSilence)),
        (&[0], 365, Err(Doubt::LongSilence)),
        (&[20, 10, 1], 365, Ok(365 + 1978)),
        // The clock jumped by less than what is kept.
        (&[1400, 1390, 1380, 1370, 1360, 3, 0], 1365, Err(Doubt::LongSilence)),
        (&[1400, 1390, 1380, 1370, 1360, 20, 10, 1], 1365, Ok(1365)),
        // The server was out of use for two months, long ago.
        (&[1980, 1950, 1925, 1900, 1840, 1820, 30, 2], 1830, Ok(1830)),
        // Few runs come, and such pauses recur: the runs before one are kept for its length in addition.
        (&[450, 410, 370, 330, 290, 250, 210, 170, 130, 90, 50, 10], 365, Ok(365 + 40)),
    ] {
        let app = spawn_app().await;
        runs_of(&app, &[&long_ago, since].concat()).await;
        let mut connection =
            PgConnection::connect_with(&app.pool().connect_options()).await.expect("it runs");
        let now = Utc::now();
        let found = deletable_before(&mut connection, now, first_kept_day(now, kept)).await.expect("it runs");
        assert_eq!(found, expected.map(|kept| first_kept_day(now, kept)), "{since:?} {kept}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_expire_also_where_pauses_of_a_month_recur() {
    let app = spawn_app().await;
    runs_of(&app, &[450, 410, 370, 330, 290, 250, 210, 170, 130, 90, 50, 10]).await;
    let other = second_instance(&app).await;
    until("the oldest are gone", async || other.executions().await == 10).await;
    app.verify().await;
    other.stop().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_a_doubtful_clock_deletes_nothing_and_says_so() {
    let app = spawn_app().await;
    runs_of(&app, &[2000, 1999]).await;
    let other = second_instance(&app).await;
    let refusals = r#"telemetry_retention_refusals_total{reason="long_silence"}"#;
    until("it has looked", async || metric(&other, refusals).await == 1).await;
    assert_eq!(other.executions().await, 2);
    other.stop().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_reads_do_not_make_an_instance_unready() {
    let app = spawn_app().await;
    let mut lock = app.pool().begin().await.expect("it runs");
    sqlx::query("lock table rollup_script in access exclusive mode")
        .execute(&mut *lock)
        .await
        .expect("it runs");
    // Each asks for something else: who asks for the same waits for one answer.
    let read = async |days: u32| app.get(&format!("/api/dashboard?days={days}")).await.0;
    let reads = futures_util::future::join_all((1..13).map(read));
    let probe = async {
        let waiting = "select count(*) from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock'";
        // A processor is left to others.
        let turns = std::thread::available_parallelism().map_or(1, |all| all.get() - 1).clamp(1, 6);
        until("everybody whose turn it is waits", async || {
            let waiting = sqlx::query_scalar::<_, i64>(waiting).fetch_one(app.pool()).await;
            waiting.expect("it runs") >= turns as i64
        })
        .await;
        assert_eq!(app.get("/readyz").await.0, StatusCode::OK);
        lock.rollback().await.expect("it runs");
    };
    let (reads, ()) = tokio::join!(reads, probe);
    assert!(reads.contains(&StatusCode::OK));
    app.stop().await;
}
