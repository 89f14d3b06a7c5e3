//! What the public sees and what a maintainer sees: names of few sessions and texts of single runs need a token.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::app::{READ_TOKEN, TestApp, spawn_app_set, unlimited};
use crate::common::grafana::grafana;
use crate::common::history::History;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection};
use telemetry_server::config::Variables;
use telemetry_server::config::protection::ProtectionVariables;
use telemetry_server::store::keep::known_names;
use telemetry_server::store::model::names::{Name, names};

/// Part of every name of the rare session.
const MARK: &str = "x7qz";
/// Its revision, which cannot contain the mark.
const REVISION: &str = "deadbeefcafe0123";
const ADMIN_TOKEN: &str = "correct-horse-battery";
/// The query that removes every default filter.
const EVERYTHING: &str = "days=0&repo=all";

async fn spawn(rare_sessions: &str) -> TestApp {
    let protection = ProtectionVariables {
        admin_token: ADMIN_TOKEN.parse().ok(),
        rare_sessions: Some(rare_sessions.to_owned()),
        ..unlimited()
    };
    spawn_app_set(Variables { protection, ..Variables::default() }).await
}

/// A failed run with a rare value in every text that a client fills in.
fn rare(session: &str) -> Value {
    json!({
        "random_id": session, "execution_id": format!("{session}-1"), "payload_version": 3, "type": "lxc",
        "nsapp": format!("app-{MARK}"), "status": "failed", "exit_code": 100, "repo_source": "external",
        "repo_slug": format!("owner-{MARK}/scripts"), "platform": format!("platform-{MARK}"),
        "os_type": format!("os-{MARK}"), "os_version": format!("12-{MARK}"), "pve_version": format!("9.{MARK}.1"),
        "method": format!("method-{MARK}"), "arch": format!("arch-{MARK}"),
        "cpu_vendor": format!("vendor-{MARK}"), "cpu_model": format!("model-{MARK}"),
        "gpu_vendor": format!("gpu-{MARK}"), "gpu_model": format!("gpu-model-{MARK}"),
        "gpu_passthrough": format!("pass-{MARK}"), "ram_speed": format!("speed-{MARK}"),
        "kernel_version": format!("6.1-{MARK}"), "app_version": format!("1.0-{MARK}"),
        "error_category": format!("category-{MARK}"), "error": format!("E: Unable to locate package {MARK}-ffmpeg"),
        "failed_command": format!("install {MARK}"), "runtime_source": "remote", "runtime_ref": REVISION,
    })
}

/// Runs that many sessions have in common, so that no list is empty.
async fn report_common(app: &TestApp) {
    for session in 0..6 {
        let id = format!("common-{session}");
        for status in ["installing", if session % 2 == 0 { "success" } else { "failed" }] {
            let mut event = json!({
                "random_id": id, "execution_id": format!("{id}-1"), "payload_version": 3, "type": "lxc",
                "nsapp": "jellyfin", "status": status, "repo_source": "ProxmoxVE", "os_type": "debian",
                "os_version": "13", "pve_version": "9.0.3", "method": "default", "arch": "amd64", "platform": "pve",
                "repo_slug": "community-scripts/ProxmoxVE", "cpu_vendor": "intel", "gpu_vendor": "intel",
                "gpu_passthrough": "no", "runtime_source": "remote", "runtime_ref": "main",
            });
            if status == "failed" {
                event["exit_code"] = json!(100);
                event["error"] = json!("E: Unable to locate package common");
            }
            app.report("/telemetry", &event).await;
        }
    }
}

/// Paths with every list, format, group and order. `signature` is that of the rare failure.
async fn paths(app: &TestApp) -> Vec<String> {
    let described = app.get_json("/openapi.json").await;
    let mut paths = Vec::new();
    for (path, methods) in described["paths"].as_object().expect("paths") {
        if methods.get("get").is_none() || path.contains('{') || path.starts_with("/api/exit-codes") {
            continue;
        }
        let required = "nsapp=jellyfin&status=success&os_type=debian";
        for format in ["json", "csv", "ndjson"] {
            let required = if path.starts_with("/data/") { required } else { "" };
            paths.push(format!("{path}?{EVERYTHING}&format={format}&{required}"));
        }
    }
    for list in [
        "os_distribution",
        "method_stats",
        "pve_versions",
        "error_analysis",
        "failed_apps",
        "recent_records",
        "gpu_stats",
        "top_tools",
        "repo_slugs",
        "top_apps",
    ] {
        paths.push(format!("/api/dashboard?{EVERYTHING}&format=csv&list={list}"));
    }
    for group in ["app", "repo", "platform", "os", "pve_version", "method", "arch", "cpu_vendor", "template"]
    {
        paths.push(format!("/api/timeseries?group={group}&repo=all"));
    }
    for list in ["json", "paginated", "date"] {
        paths.push(format!("/data/{list}?{EVERYTHING}&limit=100"));
    }
    for sort in ["app", "-app", "created", "-created"] {
        paths.push(format!("/api/records?{EVERYTHING}&sort={sort}&limit=1"));
        paths.push(format!("/api/records?{EVERYTHING}&sort={sort}&format=ndjson"));
    }
    paths.extend(
        ["/api/scripts/jellyfin?repo=all", "/api/errors?repo=all&format=csv&list=recent_errors"]
            .map(str::to_owned),
    );
    paths
}

async fn get(app: &TestApp, path: &str, token: Option<&str>) -> Response {
    let request = app.request(Method::GET, path);
    let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
    request.send().await.expect("an answer")
}

async fn text(app: &TestApp, path: &str, token: Option<&str>) -> String {
    let response = get(app, path, token).await;
    assert!(response.status().is_success(), "{path}: {}", response.status());
    response.text().await.expect("a text")
}

fn is_rare_in(text: &str) -> bool {
    let hexadecimal: String = MARK.bytes().map(|byte| format!("{byte:02x}")).collect();
    [MARK, REVISION, &hexadecimal].iter().any(|rare| text.contains(rare))
}

/// Everything that the views for Grafana hold.
async fn grafana_text(app: &TestApp) -> String {
    let mut grafana = grafana(app.pool()).await;
    let views: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.views where table_schema = 'grafana'",
    )
    .fetch_all(&mut grafana)
    .await
    .expect("it runs");
    assert!(views.len() >= 9, "{views:?}");
    let mut text = String::new();
    for view in views {
        let rows =
            AssertSqlSafe(format!("select coalesce(jsonb_agg(to_jsonb(x))::text, '') from {view} as x"));
        text += &sqlx::query_scalar::<_, String>(rows).fetch_one(&mut grafana).await.expect("it runs");
    }
    grafana.close().await.expect("it runs");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rare_name_is_public_nowhere_until_five_sessions_share_it() {
    let app = spawn("5").await;
    report_common(&app).await;
    app.report("/telemetry", &rare("one")).await;
    app.learn_names().await;
    let paths = paths(&app).await;
    assert!(paths.len() > 90, "{}", paths.len());

    let mut seen = BTreeSet::new();
    for path in &paths {
        let public = text(&app, path, None).await;
        assert!(!is_rare_in(&public), "{path}: {public}");
        let whole = text(&app, path, Some(READ_TOKEN)).await;
        seen.extend(whole.split(['"', ',']).filter(|word| is_rare_in(word)).map(str::to_owned));
    }
    for field in rare("one").as_object().expect("an object").values().filter_map(Value::as_str) {
        let is_seen = seen.iter().any(|word| word.contains(field));
        assert!(is_seen || !is_rare_in(field), "{field} appears nowhere: {seen:?}");
    }
    let metrics = text(&app, "/metrics", None).await;
    assert!(!is_rare_in(&metrics) && metrics.contains(r#"script="(rare)""#), "{metrics}");
    let views = grafana_text(&app).await;
    assert!(!is_rare_in(&views) && views.contains("(rare)") && views.contains("jellyfin"), "{views}");

    // Everything is counted, in both views.
    let dashboard = app.get_json("/api/dashboard?repo=all").await;
    assert_eq!(dashboard["total_installs"], 7);
    assert_eq!(
        dashboard["top_apps"],
        json!([{"app": "jellyfin", "count": 6}, {"app": "(rare)", "count": 1}])
    );
    assert_eq!(dashboard["os_distribution"][1], json!({"os": "(rare)", "count": 1}));
    assert_eq!(dashboard["gpu_stats"][1], json!({"vendor": "(rare)", "passthrough": "(rare)", "count": 1}));
    let slugs = json!([{"slug": "community-scripts/ProxmoxVE", "count": 6}, {"slug": "(rare)", "count": 1}]);
    assert_eq!(dashboard["repo_slugs"], slugs);
    let record = &app.get_json("/api/records?repo=external").await["records"][0];
    for field in ["app", "repo_slug", "platform", "os_type", "os_version", "pve_version", "method", "arch"] {
        assert_eq!(record[field], "(rare)", "{field}");
    }
    let hidden =
        ["error", "failed_command", "app_version", "cpu_model", "gpu_model", "ram_speed", "kernel_version"];
    for field in hidden {
        assert_eq!(record[field], Value::Null, "{field}");
        let whole = app.get_all("/api/records?repo=external").await;
        assert!(is_rare_in(whole["records"][0][field].as_str().expect("a text")), "{field}");
    }
    assert_eq!((&record["error_category_reported"], &record["signature"]), (&Value::Null, &json!("(rare)")));
    // The rule is in the catalogue; its line and its subject are of this run.
    let reason = &record["reason"];
    assert!(reason["id"].is_string() && reason["hint"].is_string(), "{reason}");
    assert_eq!((&reason["line"], &reason["subject"]), (&Value::Null, &Value::Null));
    let whole = &app.get_all("/api/records?repo=external").await["records"][0]["reason"];
    assert!(
        is_rare_in(whole["line"].as_str().expect("a line"))
            && is_rare_in(whole["subject"].as_str().expect("a text"))
    );
    let common = &app.get_json("/api/records?status=failed").await["records"][0]["reason"];
    assert_eq!(
        (&common["id"], &common["line"], &common["subject"]),
        (&reason["id"], &Value::Null, &Value::Null)
    );

    for session in ["two", "three", "four", "four"] {
        app.report("/telemetry", &rare(session)).await;
    }
    app.learn_names().await;
    assert!(!is_rare_in(&text(&app, "/api/dashboard?repo=all", None).await), "an attempt is no session");
    app.report("/telemetry", &rare("five")).await;
    let (mut connection, today) = (app.connection().await, chrono::Utc::now().date_naive());
    known_names::learn_recent(&mut connection, today).await.expect("it runs");
    let dashboard = text(&app, "/api/dashboard?repo=all", None).await;
    for field in ["nsapp", "repo_slug", "os_type", "pve_version", "method", "platform"] {
        assert!(dashboard.contains(rare("one")[field].as_str().expect("a text")), "{field}: {dashboard}");
    }
    assert!(dashboard.contains(&format!("{MARK}-ffmpeg")), "{dashboard}");
    assert!(is_rare_in(&grafana_text(&app).await));
    let records = text(&app, "/api/records?repo=external", None).await;
    for text in ["install ", "model-", "1.0-", "6.1-"] {
        assert!(!records.contains(&format!("{text}{MARK}")), "{text} is never public: {records}");
    }
    let script = text(&app, &format!("/api/scripts/app-{MARK}?repo=all"), None).await;
    assert!(script.contains(MARK), "{script}");

    let erased = app.request(Method::DELETE, "/api/runs/three").send().await.expect("an answer");
    assert_eq!(erased.status(), StatusCode::NO_CONTENT);
    for path in &paths {
        assert!(!is_rare_in(&text(&app, path, None).await), "{path} after erasing");
    }
    assert!(!is_rare_in(&grafana_text(&app).await));
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_of_an_application_is_public_once_five_sessions_have_it() {
    let app = spawn("5").await;
    let mut event = json!({"nsapp": "jellyfin", "type": "lxc", "status": "success", "app_version": "10.9"});
    for session in 0..6 {
        event["random_id"] = json!(format!("session-{session}"));
        event["app_version"] = json!(if session < 5 { "10.9" } else { "10.9-x7qz" });
        app.report("/telemetry", &event).await;
    }
    app.learn_names().await;
    let versions = |script: &Value| {
        let rows = script["app_versions"].as_array().expect("a list").iter();
        rows.map(|row| (row["value"].clone(), row["count"].clone())).collect::<Vec<_>>()
    };
    let public = versions(&app.get_json("/api/scripts/jellyfin").await);
    assert_eq!(public, [(json!("10.9"), json!(5)), (json!("(rare)"), json!(1))]);
    let whole = versions(&app.get_all("/api/scripts/jellyfin").await);
    assert_eq!(whole, [(json!("10.9"), json!(5)), (json!("10.9-x7qz"), json!(1))]);
    // Four sessions are too few.
    app.request(Method::DELETE, "/api/runs/session-0").send().await.expect("an answer");
    app.learn_names().await;
    let public = versions(&app.get_json("/api/scripts/jellyfin").await);
    assert_eq!(public, [(json!("(rare)"), json!(5))]);
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_by_a_rare_name_is_one_by_an_unknown_name() {
    let app = spawn("5").await;
    report_common(&app).await;
    app.report("/telemetry", &rare("one")).await;
    // A known application on a rare system.
    let mut mixed = rare("two");
    mixed["nsapp"] = json!("jellyfin");
    mixed["os_version"] = json!("13");
    app.report("/telemetry", &mixed).await;
    app.learn_names().await;
    let id: String =
        sqlx::query_scalar("select lpad(to_hex(id), 16, '0') from signature where template like $1")
            .bind(format!("%{MARK}%"))
            .fetch_one(app.pool())
            .await
            .expect("there is one");
    for path in [
        "/api/dashboard?repo=all&slug=owner-{}/scripts",
        "/api/dashboard?repo=all&platform=platform-{}",
        "/api/errors?repo=all&slug=owner-{}/scripts",
        "/api/records?repo=all&slug=owner-{}/scripts",
        "/api/records?repo=all&app=jellyfin&slug=owner-{}/scripts&os=os-{}",
        "/api/records?repo=all&platform=platform-{}&format=ndjson",
        "/api/records?repo=all&app=app-{}",
        "/api/records?repo=all&app=app-{}&format=csv",
        "/api/records?repo=all&search={}",
        "/api/records?repo=all&os=os-{}",
        "/api/records?repo=all&app=jellyfin&os=os-{}",
        "/api/records?repo=all&os_version=12-{}",
        "/api/records?repo=all&os=os-{}&os_version=12-{}",
        "/api/records?repo=all&pve_version=9.{}.1",
        "/api/records?repo=all&arch=arch-{}",
        "/api/records?repo=all&method=method-{}&format=csv",
        "/data/nsapp?repo=all&nsapp=app-{}",
        "/data/os?repo=all&os_type=os-{}",
        "/data/json?repo=all&slug=owner-{}/scripts&format=ndjson",
        "/api/scripts/app-{}?repo=all",
        "/api/scripts/jellyfin?repo=all&slug=owner-{}/scripts",
        "/api/timeseries?repo=all&slug=owner-{}/scripts&group=app",
    ] {
        let answer = async |name: &str, token: Option<&str>| {
            let response = get(&app, &path.replace("{}", name), token).await;
            let (status, body) = (response.status(), response.text().await.expect("a text"));
            let mut body: Value = serde_json::from_str(&body).unwrap_or_else(|_| json!({"text": body}));
            if let Some(body) = body.as_object_mut() {
                body.remove("as_of");
            }
            (status, body)
        };
        assert_eq!(answer(MARK, None).await, answer("nobody", None).await, "{path}");
        assert_ne!(answer(MARK, Some(READ_TOKEN)).await, answer("nobody", Some(READ_TOKEN)).await, "{path}");
    }
    let (unknown, rare) = ("/api/signatures/0123456789abcdef", format!("/api/signatures/{id}"));
    assert_eq!(app.get(&rare).await, app.get(unknown).await);
    assert_eq!(app.get(&rare).await.0, StatusCode::NOT_FOUND);
    assert_eq!(app.get_all(&format!("{rare}?repo=all")).await["count"], 2);
    let of_signature = format!("/api/records?repo=all&signature={id}");
    assert_eq!(app.get_json(&of_signature).await["total"], 0);
    assert_eq!(app.get_all(&of_signature).await["total"], 2);
    // The version is known, but not of that system.
    let found = app.get_json("/api/records?repo=all&os_version=13").await;
    assert_eq!(found["total"], 6);
    assert_eq!(app.get_all("/api/records?repo=all&os_version=13").await["total"], 7);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rare_applications_are_sorted_as_rare() {
    let app = spawn("5").await;
    report_common(&app).await;
    for name in ["aaa", "mmm", "zzz"] {
        let mut event = rare(name);
        event["nsapp"] = json!(name);
        app.report("/telemetry", &event).await;
    }
    app.learn_names().await;
    for sort in ["app", "-app"] {
        let mut path = format!("/api/records?{EVERYTHING}&limit=2&sort={sort}");
        let mut listed = Vec::new();
        loop {
            let page = app.get_json(&path).await;
            assert_eq!(page["total"], 9);
            let records = page["records"].as_array().expect("a list").clone();
            listed
                .extend(records.into_iter().map(|record| (record["app"].clone(), record["created"].clone())));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/api/records?{EVERYTHING}&limit=2&sort={sort}&cursor={cursor}");
        }
        let mut sorted = listed.clone();
        sorted.sort_by_key(|(app, created)| (app.to_string(), created.to_string()));
        if sort == "-app" {
            sorted.reverse();
        }
        assert_eq!((listed.len(), &listed), (9, &sorted), "{sort}");
        let exported =
            text(&app, &format!("/api/records?{EVERYTHING}&sort={sort}&format=ndjson"), None).await;
        let exported: Vec<Value> =
            exported.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let exported: Vec<_> = exported.iter().map(|record| (&record["app"], &record["created"])).collect();
        assert_eq!(
            exported,
            listed.iter().map(|(app, created)| (app, created)).collect::<Vec<_>>(),
            "{sort}"
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn known_names_are_those_that_enough_sessions_have() {
    let app = spawn("60").await;
    let history = History::write(&mut app.connection().await, 700).await;
    app.learn_names().await;
    let mut sessions = BTreeMap::<Name, BTreeSet<_>>::new();
    for run in history.runs.iter().filter(|run| run.facts.app.get().is_some()) {
        for name in names(run) {
            sessions.entry(name).or_default().insert(run.session.unwrap_or(run.key).0);
        }
    }
    let shared: BTreeSet<_> =
        sessions.iter().filter(|(_, sessions)| sessions.len() >= 60).map(|(name, _)| name.clone()).collect();
    assert!(shared.len() > 20 && shared.len() < sessions.len(), "{} of {}", shared.len(), sessions.len());
    let official = Name::new("slug", "community-scripts/ProxmoxVE");
    let expected: BTreeSet<_> = shared.into_iter().chain([official]).collect();
    assert_eq!(known(&app).await, expected);
    app.stop().await;
}

async fn known(app: &TestApp) -> BTreeSet<Name> {
    let rows = sqlx::query_as::<_, (String, String, String)>("select kind, name, detail from known_name");
    let rows = rows.fetch_all(app.pool()).await.expect("it runs");
    rows.into_iter().map(|(kind, name, detail)| Name { kind, name, detail }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_name_outlives_its_executions_but_not_its_counts() {
    let app = spawn("5").await;
    report_common(&app).await;
    app.learn_names().await;
    let before = known(&app).await;
    assert!(before.contains(&Name::new("app", "jellyfin")), "{before:?}");
    let sql = async |statement: &'static str| {
        sqlx::query(statement).execute(app.pool()).await.expect("it runs");
    };
    // As if they had expired.
    sql("delete from execution where app is not null").await;
    app.learn_names().await;
    assert_eq!(known(&app).await, before);
    sql("delete from rollup_script").await;
    sql("delete from rollup_facet").await;
    sql("delete from rollup_signature").await;
    app.learn_names().await;
    assert_eq!(known(&app).await, BTreeSet::new());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_of_sessions_applies_at_once() {
    let app = spawn("5").await;
    for session in ["one", "two"] {
        app.report("/telemetry", &rare(session)).await;
    }
    app.learn_names().await;
    let options = app.pool().connect_options().as_ref().clone();
    let is_public = async |rare_sessions: &str| {
        let protection = ProtectionVariables { rare_sessions: Some(rare_sessions.to_owned()), ..unlimited() };
        let other = spawn_unlimited_with(&options, protection).await;
        other.learn_names().await;
        let is_public = is_rare_in(&text(&other, "/api/dashboard?repo=all", None).await);
        other.stop().await;
        is_public
    };
    assert!(!is_public("5").await);
    assert!(is_public("2").await);
    assert!(!is_public("3").await);
    assert!(is_public("1").await);
    assert!(!is_public("5").await);
    app.stop().await;
}

async fn spawn_unlimited_with(
    options: &sqlx::postgres::PgConnectOptions,
    protection: ProtectionVariables,
) -> TestApp {
    crate::common::app::spawn(options.clone(), Variables { protection, ..Variables::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn caches_never_mix_the_views() {
    let protection = ProtectionVariables { rare_sessions: Some("5".to_owned()), ..unlimited() };
    let cache_seconds = Some("60".to_owned());
    let app = spawn_app_set(Variables { protection, cache_seconds, ..Variables::default() }).await;
    app.report("/telemetry", &rare("one")).await;
    for path in ["/api/dashboard?repo=all", "/api/records?repo=all", "/data/json?repo=all", "/api/sessions"] {
        for first in [Some(READ_TOKEN), None] {
            let path = format!("{path}&first={}", first.is_some());
            let path = path.replace("sessions&", "sessions?");
            let second = if first.is_some() { None } else { Some(READ_TOKEN) };
            for token in [first, second, first] {
                let response = get(&app, &path, token).await;
                assert_eq!(response.status(), StatusCode::OK);
                assert_eq!(response.headers()["vary"], "Authorization, Cookie", "{path}");
                let control = response.headers()["cache-control"].to_str().expect("a text").to_owned();
                let scope = if token.is_some() { "private, max-age=" } else { "public, max-age=" };
                assert!(control.starts_with(scope), "{path}: {control}");
                let tag = response.headers()["etag"].clone();
                let body = response.text().await.expect("a text");
                assert_eq!(is_rare_in(&body), token.is_some() && !path.contains("sessions"), "{path}");
                for (other, status) in
                    [(token, 304), (if token.is_some() { None } else { Some(READ_TOKEN) }, 200)]
                {
                    let request = app.request(Method::GET, &path).header("if-none-match", tag.clone());
                    let request =
                        other.into_iter().fold(request, |request, token| request.bearer_auth(token));
                    let response = request.send().await.expect("an answer");
                    assert_eq!(response.status(), status, "{path}");
                    assert_eq!(response.headers()["vary"], "Authorization, Cookie", "{path}");
                }
            }
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_refused_counted_and_limited() {
    let app = spawn("5").await;
    app.report("/telemetry", &rare("one")).await;
    assert_eq!(
        get(&app, "/api/records", None).await.status(),
        StatusCode::OK,
        "a missing one is the public view"
    );
    for token in [READ_TOKEN, ADMIN_TOKEN] {
        assert!(is_rare_in(&text(&app, "/api/records?repo=all", Some(token)).await));
    }
    assert_eq!(get(&app, "/admin/status", Some(READ_TOKEN)).await.status(), StatusCode::UNAUTHORIZED);
    for authorization in ["Bearer nothing-that-is-right", "Bearer", "Basic dXNlcjpwYXNz", READ_TOKEN] {
        let request =
            app.request(Method::GET, "/api/records?format=csv").header("authorization", authorization);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{authorization}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let body: Value = response.json().await.expect("JSON");
        assert_eq!(body["error"], "unauthorized", "{body}");
    }
    let refused = get(&app, "/api/dashboard", Some("another-wrong-token")).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
    let right = get(&app, "/api/dashboard", Some(READ_TOKEN)).await;
    assert_eq!(right.status(), StatusCode::TOO_MANY_REQUESTS, "a correct guess tells nothing");
    assert_eq!(
        get(&app, "/api/dashboard", None).await.status(),
        StatusCode::OK,
        "the public is not locked out"
    );
    let metrics = text(&app, "/metrics", None).await;
    assert!(metrics.contains("\ntelemetry_read_denied_total 4\n"), "{metrics}");
    // Whoever knows an id sees everything, without a token.
    assert!(text(&app, "/api/runs/one", None).await.contains(&format!("install {MARK}")));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefilled_issue_has_only_known_names() {
    let app = spawn("5").await;
    report_common(&app).await;
    app.report("/telemetry", &rare("one")).await;
    app.learn_names().await;
    let ids: Vec<String> = sqlx::query_scalar("select lpad(to_hex(id), 16, '0') from signature")
        .fetch_all(app.pool())
        .await
        .expect("it runs");
    assert_eq!(ids.len(), 2);
    for id in ids {
        let issue = text(&app, &format!("/admin/issues/{id}"), Some(ADMIN_TOKEN)).await;
        assert!(!is_rare_in(&issue) && issue.contains("(rare)"), "{issue}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_has_both_views() {
    let app = spawn("5").await;
    let description = app.get_json("/openapi.json").await;
    assert_eq!(description["components"]["securitySchemes"]["token"]["scheme"], "bearer");
    let about = description["info"]["description"].as_str().expect("a text");
    assert!(about.contains("(rare)") && about.contains("READ_TOKEN"), "{about}");
    let mut described = 0;
    for (path, methods) in description["paths"].as_object().expect("paths") {
        let Some(get) = methods.get("get").filter(|get| get["responses"].get("401").is_some()) else {
            continue;
        };
        assert_eq!(get["security"], json!([{}, {"token": []}]), "{path}");
        described += 1;
    }
    assert!(described >= 18, "{described}");
    app.stop().await;
}
