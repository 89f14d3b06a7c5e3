//! The answers behind the totals, on invented histories: that they are whole and agree with each other,
//! and that a failure is found which nobody was told about.

use crate::common::app::{TestApp, spawn_app};
use chrono::{DateTime, Utc};
use insta::assert_json_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection;
use telemetry_seed::plant::Plant;
use telemetry_seed::{Plan, seed};
use telemetry_server::store::keep::sessions;

/// A period that is over, so that answers about it never change.
const PERIOD: &str = "from=2026-02-09&to=2026-03-10&repo=all";

fn long_ago() -> DateTime<Utc> {
    "2026-03-10T18:00:00Z".parse().expect("a time")
}

async fn seeded(executions: usize, days: u32, until: DateTime<Utc>, plants: &[&str]) -> TestApp {
    let app = spawn_app().await;
    let plants = plants.iter().map(|plant| plant.parse::<Plant>().expect("a plant")).collect();
    let plan = Plan { executions, days, seed: 5, until, plants };
    let written = seed(app.pool(), &plan, |_| ()).await.expect("it is written");
    assert_eq!(written, executions as u64);
    count_sessions(&app).await;
    app
}

async fn count_sessions(app: &TestApp) {
    let mut connection = app.pool().acquire().await.expect("it runs");
    // Unless the server itself is at it; what it counts may be older.
    while !matches!(sessions::refresh(&mut connection).await, Ok(true)) {
        tokio::task::yield_now().await;
    }
}

/// What names a moment or a text that other rules may cut otherwise is left out.
fn lasting(mut answer: Value) -> Value {
    match &mut answer {
        Value::Object(fields) => {
            for (name, value) in fields {
                *value = match name.as_str() {
                    "as_of" | "created" | "id" | "template" | "signature" | "subject" | "title" | "hint"
                        if !value.is_null() =>
                    {
                        json!(format!("[{name}]"))
                    }
                    // The trend is about today, and the records are those of the runs themselves.
                    "recent_records" => json!(value.as_array().map(Vec::len)),
                    _ => lasting(value.take()),
                };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = lasting(item.take())),
        _ => {}
    }
    answer
}

/// The first few of a list that is long.
fn first(mut answer: Value, list: &str, count: usize) -> Value {
    answer[list].as_array_mut().expect("a list").truncate(count);
    answer
}

fn list<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().expect("a list")
}

fn sum(items: &[Value], field: &str) -> i64 {
    items.iter().map(|item| item[field].as_i64().expect("a number")).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_was_planted_is_found_with_its_system_and_its_reason() {
    let plant = "app=docker,os=alpine,from=3,rate=0.8,exit_code=127,error=dockerd-rootless: applet not found";
    let app = seeded(20_000, 45, Utc::now(), &[plant]).await;
    let answer = app.get_json("/api/regressions?repo=all").await;
    let found = list(&answer, "regressions");
    assert_eq!(found[0]["app"], "docker", "{answer:#}");
    assert_eq!((&found[0]["scope"], &found[0]["value"]), (&json!("os"), &json!("alpine")));
    assert!(found[0]["after"]["rate"].as_f64() > found[0]["before"]["rate"].as_f64());
    assert!(found[0]["q"].as_f64().is_some_and(|q| q <= 0.05));
    assert_eq!(found[0]["top_exit_code"]["exit_code"], 127);
    let planted = Utc::now().date_naive() - chrono::Days::new(3);
    assert_eq!(found[0]["first_bad_day"], json!(planted));
    let reason = &found[0]["top_signature"];
    assert_eq!(reason["new"], true);
    let template = reason["template"].as_str().expect("a text");
    assert!(template.contains("applet not found"), "{template}");

    // From the other side: what is new of late, and where.
    let since = planted - chrono::Days::new(1);
    let answer = app.get_json(&format!("/api/signatures?repo=all&new_since={since}")).await;
    let newest = &list(&answer, "signatures")[0];
    assert_eq!((&newest["id"], &newest["first_seen_day"]), (&reason["id"], &json!(planted)));
    assert_eq!(newest["apps"][0]["app"], "docker");
    let id = reason["id"].as_str().expect("a text");
    let one = app.get_all(&format!("/api/signatures/{id}?repo=all")).await;
    assert_eq!((&one["count"], &one["template"]), (&newest["count"], &newest["template"]));
    let records = list(&one, "recent_records");
    assert!(
        !records.is_empty()
            && records.iter().all(|run| run["os_type"] == "alpine" && run["error"].is_string())
    );
    let script = app.get_json("/api/scripts/docker?repo=all").await;
    assert!(list(&script, "signatures").iter().any(|own| own["id"] == reason["id"]));
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_gives_the_same_rollups() {
    let (one, other) = (seeded(3_000, 20, long_ago(), &[]).await, seeded(3_000, 20, long_ago(), &[]).await);
    one.verify().await;
    for path in ["signatures", "scripts/docker", "timeseries?group=app", "sessions", "runtime", "dashboard"] {
        let path = format!("/api/{path}{}{PERIOD}", if path.contains('?') { '&' } else { '?' });
        let (own, others) = (lasting(one.get_json(&path).await), lasting(other.get_json(&path).await));
        assert_eq!(own, others, "{path}");
    }
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_about_a_period() {
    let app = seeded(3_000, 30, long_ago(), &[]).await;
    let get = async |path: &str| {
        let path = format!("/api/{path}{}{PERIOD}", if path.contains('?') { '&' } else { '?' });
        lasting(app.get_json(&path).await)
    };
    assert_json_snapshot!("signatures", first(get("signatures").await, "signatures", 2));
    assert_json_snapshot!("script", first(get("scripts/docker").await, "daily_stats", 2));
    assert_json_snapshot!("timeseries", get("timeseries?bucket=week&group=os&metric=failure_rate").await);
    let sessions = first(first(get("sessions").await, "days", 2), "scripts", 2);
    assert_json_snapshot!("sessions", sessions);
    assert_json_snapshot!("runtime", get("runtime").await);
    assert_json_snapshot!("regressions", get("regressions").await);
    let mut popular = get("popular").await;
    for list in ["most_used", "least_used", "rising", "new"] {
        popular = first(popular, list, 2);
    }
    assert_json_snapshot!("popular", popular);
    let exit_code = first(first(get("exit-codes/100/runs").await, "scripts", 2), "daily_stats", 2);
    assert_json_snapshot!("exit_code", exit_code);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_answers_count_the_same_runs() {
    let app = seeded(4_000, 30, long_ago(), &[]).await;
    for filter in ["", "&type=lxc", "&type=vm", "&platform=incus", "&slug=community-scripts/ProxmoxVED"] {
        let get = async |path: &str| app.get_json(&format!("/api/{path}{PERIOD}{filter}")).await;
        let dashboard = get("dashboard?").await;
        let total = dashboard["total_installs"].as_i64().expect("a number");
        for query in
            ["bucket=day", "bucket=week", "bucket=hour", "bucket=hour&group=repo", "group=app", "group=os"]
        {
            let answer = get(&format!("timeseries?{query}&")).await;
            let points = list(&answer, "series").iter().map(|series| sum(list(series, "points"), "value"));
            assert_eq!(points.sum::<i64>(), total, "{query} {filter}");
        }
        for (metric, count) in [("success", "success_count"), ("failed", "failed_count")] {
            let answer = get(&format!("timeseries?group=app&metric={metric}&")).await;
            let points = list(&answer, "series").iter().map(|series| sum(list(series, "points"), "value"));
            assert_eq!(json!(points.sum::<i64>()), dashboard[count], "{metric} {filter}");
        }
        let rates = get("timeseries?group=app&metric=failure_rate&").await;
        let points = list(&rates, "series").iter().flat_map(|series| list(series, "points"));
        let values: Vec<_> = points.map(|point| point["value"].clone()).collect();
        assert_eq!(json!(sum(&values, "numerator")), dashboard["failed_count"], "{filter}");
        let ended = sum(&values, "denominator");
        assert_eq!(
            Some(ended),
            dashboard["success_count"].as_i64().zip(dashboard["failed_count"].as_i64()).map(|(a, b)| a + b)
        );
        let failed = &dashboard["failed_count"];
        let signatures = get("signatures?limit=200&").await;
        assert_eq!(signatures["failed_count"], *failed, "{filter}");
        assert!(sum(list(&signatures, "signatures"), "count") <= failed.as_i64().expect("a number"));
        let sessions = get("sessions?").await;
        assert_eq!(
            sum(list(&sessions, "days"), "sessions"),
            sessions["sessions"].as_i64().expect("a number")
        );
        assert!(sessions["sessions"].as_i64() <= Some(total));
        for top in list(&dashboard, "top_apps").iter().take(5) {
            let name = top["app"].as_str().expect("a name");
            let script = get(&format!("scripts/{name}?")).await;
            assert_eq!(script["total"], top["count"], "{name} {filter}");
            assert_eq!(sum(list(&script, "daily_stats"), "total"), top["count"].as_i64().expect("a number"));
            let parts = ["success", "failed", "blocked", "aborted"]
                .map(|part| script[part].as_i64().expect("a number"));
            let ended: i64 = parts.iter().sum();
            for split in ["os", "pve_versions"] {
                assert_eq!(sum(list(&script, split), "count"), ended, "{name} {split} {filter}");
            }
            let bad = sum(list(&script, "exit_codes"), "count");
            assert_eq!(bad, parts[1] + parts[2] + parts[3], "{name} {filter}");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_counted_by_what_the_container_was_made_from() {
    let app = spawn_app().await;
    let (tarball, oci) = (json!({"template_kind": "tarball"}), json!({"template_kind": "oci"}));
    let entrypoint = json!({"template_kind": "oci", "custom_entrypoint": true});
    let both = json!({"template_kind": "oci", "custom_entrypoint": true, "host_managed_network": true});
    for (number, (status, facts)) in [
        ("success", &tarball),
        ("failed", &tarball),
        ("success", &tarball),
        ("success", &oci),
        ("failed", &oci),
        ("failed", &entrypoint),
        ("success", &both),
        // Older clients do not tell.
        ("success", &json!({})),
    ]
    .into_iter()
    .enumerate()
    {
        let mut event = json!({"random_id": format!("run-{number}"), "payload_version": 3, "nsapp": "x",
                               "type": "lxc", "status": status, "exit_code": i32::from(status == "failed")});
        event.as_object_mut().expect("an object").extend(facts.as_object().expect("an object").clone());
        app.report("/telemetry", &event).await;
    }
    for (metric, expected) in [
        ("runs", [("tarball", 3), ("oci", 2), ("oci+entrypoint", 1), ("oci+entrypoint+network", 1)]),
        ("failed", [("tarball", 1), ("oci", 1), ("oci+entrypoint", 1), ("oci+entrypoint+network", 0)]),
    ] {
        let answer = app.get_json(&format!("/api/timeseries?group=template&days=0&metric={metric}")).await;
        let series = list(&answer, "series")
            .iter()
            .map(|series| (series["group"].as_str().expect("a name"), sum(list(series, "points"), "value")));
        assert_eq!(series.collect::<Vec<_>>(), expected, "{metric}");
    }
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_are_404_and_invalid_parameters_400() {
    let app = seeded(300, 5, long_ago(), &[]).await;
    for (path, status, field) in [
        ("/api/signatures/0123", 400, json!("id")),
        ("/api/signatures/ABCDEF0123456789", 400, json!("id")),
        ("/api/signatures/0000000000000001", 404, Value::Null),
        ("/api/signatures?new_since=soon", 400, json!("new_since")),
        ("/api/signatures?limit=0", 400, json!("limit")),
        ("/api/signatures?limit=201", 400, json!("limit")),
        ("/api/scripts/no-such-script", 404, Value::Null),
        ("/api/scripts/%00", 404, Value::Null),
        ("/api/scripts/docker?days=x", 400, json!("days")),
        ("/api/regressions?window=1y", 400, json!("window")),
        ("/api/timeseries?metric=joy", 400, json!("metric")),
        ("/api/timeseries?group=color", 400, json!("group")),
        ("/api/timeseries?bucket=minute", 400, json!("bucket")),
        ("/api/timeseries?bucket=hour&group=app", 400, json!("group")),
        ("/api/timeseries?bucket=hour&days=32", 400, json!("bucket")),
        ("/api/timeseries?bucket=day&days=3000", 400, json!("bucket")),
        ("/api/sessions?repo=mine", 400, json!("repo")),
        ("/api/runtime?from=never", 400, json!("from")),
    ] {
        let (found, body) = app.get(path).await;
        assert_eq!((found.as_u16(), &body["field"]), (status, &field), "{path}: {body}");
    }
    for path in ["regressions", "signatures", "timeseries", "sessions", "runtime"] {
        let response = app.request(Method::GET, &format!("/api/{path}")).send().await.expect("an answer");
        assert_eq!(response.headers()["access-control-allow-origin"], "*", "{path}");
        let body: Value = response.json().await.expect("JSON");
        assert!(body["as_of"].is_string(), "{path}");
    }
    app.stop().await;
}

/// Reports an attempt of a session.
async fn attempt(app: &TestApp, session: &str, attempt: &str, status: &str) {
    let event = json!({"random_id": session, "execution_id": attempt, "nsapp": "x", "type": "lxc",
                       "status": status, "exit_code": if status == "failed" { 1 } else { 0 }});
    app.report("/telemetry", &event).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_saved_when_an_attempt_succeeds_after_one_that_failed() {
    let app = spawn_app().await;
    let mut counter = app.session_counter().await;
    for (session, attempts) in [
        ("once", &["success"][..]),
        ("saved", &["failed", "success"]),
        ("lost", &["failed", "failed"]),
        ("later", &["success", "failed"]),
        ("aborted", &["aborted", "success"]),
        ("long", &["failed", "aborted", "failed", "success"]),
    ] {
        for (number, status) in attempts.iter().enumerate() {
            let id = if number == 0 { session.to_owned() } else { format!("{session}-{number}") };
            attempt(&app, session, &id, status).await;
        }
    }
    assert!(sessions::refresh(&mut counter).await.expect("it runs"));
    let answer = app.get_json("/api/sessions?days=0").await;
    let counts = ["sessions", "retried", "saved"].map(|name| answer[name].as_i64());
    assert_eq!(counts, [Some(6), Some(5), Some(2)], "{answer}");
    assert_eq!(answer["scripts"], json!([{"app": "x", "sessions": 6, "retried": 5, "saved": 2}]));
    // What comes later is counted the next time.
    attempt(&app, "lost", "lost-2", "success").await;
    assert_eq!(app.get_json("/api/sessions?days=0").await, answer);
    assert!(sessions::refresh(&mut counter).await.expect("it runs"));
    assert_eq!(app.get_json("/api/sessions?days=0").await["saved"], 3);
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_past_days_are_counted_again_when_their_rows_change() {
    let app = seeded(2_000, 20, long_ago(), &[]).await;
    let mut counter = app.session_counter().await;
    let before = app.get_json(&format!("/api/sessions?{PERIOD}")).await;
    // Another seed: other sessions on the same days, each of which is marked.
    let plan = Plan { executions: 500, days: 20, seed: 6, until: long_ago(), plants: Vec::new() };
    seed(app.pool(), &plan, |_| ()).await.expect("it is written");
    assert_eq!(app.get_json(&format!("/api/sessions?{PERIOD}")).await, before);
    assert!(sessions::refresh(&mut counter).await.expect("it runs"));
    counter.close().await.expect("it runs");
    let after = app.get_json(&format!("/api/sessions?{PERIOD}")).await;
    assert!(after["sessions"].as_i64() > before["sessions"].as_i64());
    app.verify().await;
    // And a count that is wrong is noticed, and mended by a rebuild.
    let spoil = "update rollup_session set saved = saved + 1 where day = '2026-03-05'";
    sqlx::query(spoil).execute(app.pool()).await.expect("it runs");
    let mut connection =
        sqlx::PgConnection::connect_with(&app.pool().connect_options()).await.expect("it runs");
    let seen = telemetry_server::store::keep::recount::verify(&mut connection).await.expect("it runs");
    assert_eq!(seen.mismatches.len(), 1, "{:?}", seen.mismatches);
    telemetry_server::store::keep::recount::rebuild(&mut connection).await.expect("it runs");
    assert_eq!(lasting(app.get_json(&format!("/api/sessions?{PERIOD}")).await), lasting(after));
    app.verify().await;
    app.stop().await;
}
