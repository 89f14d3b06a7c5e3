//! Reasons of failures: what maintainers decide about them, where their runs differ, and how stored runs follow new
//! rules.

use crate::common::app::{READ_TOKEN, TestApp, spawn_app, spawn_app_set, unlimited};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use telemetry_server::config::Variables;
use telemetry_server::config::protection::ProtectionVariables;
use telemetry_server::store::keep::recount::{self, Rebuilt};
use telemetry_server::store::keep::renewal;

const ADMIN_TOKEN: &str = "correct-horse-battery";
/// Failing lines with a rule and without one.
const UNKNOWN_PACKAGE: &str = "E: Unable to locate package ffmpeg7";
const NOBODY_KNOWS: &str = "ERROR: the frobnicator is out of grease";

async fn spawn() -> TestApp {
    let protection = ProtectionVariables { admin_token: ADMIN_TOKEN.parse().ok(), ..unlimited() };
    spawn_app_set(Variables { protection, ..Variables::default() }).await
}

fn run(id: &str, app: &str, error: &str) -> Value {
    json!({
        "random_id": id, "execution_id": format!("{id}-1"), "payload_version": 3, "type": "lxc", "nsapp": app,
        "status": "failed", "exit_code": 100, "repo_source": "ProxmoxVE", "os_type": "debian", "os_version": "13",
        "pve_version": "9.0.3", "method": "default", "arch": "amd64", "error": error,
    })
}

async fn put(app: &TestApp, id: &str, body: &str, token: Option<&str>) -> (StatusCode, Value) {
    let request = app.request(Method::PUT, &format!("/api/signatures/{id}/state")).body(body.to_owned());
    let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
    let response = request.send().await.expect("an answer");
    (response.status(), response.json().await.expect("a JSON answer"))
}

async fn decide(app: &TestApp, id: &str, body: Value) -> Value {
    let (status, answer) = put(app, id, &body.to_string(), Some(ADMIN_TOKEN)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

/// The rows of `/api/signatures` with more parameters.
async fn listed(app: &TestApp, query: &str) -> Vec<Value> {
    let answer = app.get_json(&format!("/api/signatures?{query}")).await;
    answer["signatures"].as_array().expect("a list").clone()
}

/// The id of the only signature about this line.
async fn id_of(app: &TestApp, line: &str) -> String {
    let word = line.rsplit(' ').next().expect("a word");
    let rows = listed(app, "state=all").await;
    let row = rows.iter().find(|row| row["template"].as_str().is_some_and(|text| text.contains(word)));
    row.unwrap_or_else(|| panic!("{rows:#?}"))["id"].as_str().expect("an id").to_owned()
}

async fn metric(app: &TestApp, line: &str) -> String {
    let text = app.request(Method::GET, "/metrics").send().await.expect("an answer").text().await;
    let text = text.expect("a text");
    let found = text.lines().find_map(|shown| shown.strip_prefix(line));
    found.unwrap_or_else(|| panic!("{line} in {text}")).trim().to_owned()
}

async fn sql(app: &TestApp, statement: &str) -> u64 {
    let done = sqlx::query(AssertSqlSafe(statement)).execute(app.pool()).await;
    done.expect("it runs").rows_affected()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolved_signature_that_fails_again_is_regressed_everywhere() {
    let app = spawn().await;
    app.report("/telemetry", &run("one", "jellyfin", UNKNOWN_PACKAGE)).await;
    app.report("/telemetry", &run("other", "docker", NOBODY_KNOWS)).await;
    let id = id_of(&app, UNKNOWN_PACKAGE).await;
    let path = format!("/api/signatures/{id}");
    let open = app.get_json(&path).await;
    assert_eq!(
        (&open["state"], &open["state_since"], &open["issue_url"]),
        (&json!("open"), &Value::Null, &Value::Null)
    );

    let issue = "https://github.com/owner/name/issues/7";
    let body = json!({"state": "known", "issue_url": issue, "note": "ask me@example.org"});
    let known = decide(&app, &id, body).await;
    assert!(known["note"].as_str().is_some_and(|note| !note.contains("me@example.org")), "{known}");
    let shown = app.get_json(&path).await;
    assert_eq!(
        (&shown["state"], &shown["issue_url"], &shown["note"]),
        (&json!("known"), &json!(issue), &Value::Null)
    );
    assert_eq!(shown["state_since"], known["state_since"]);
    assert_eq!(app.get_all(&path).await["note"], known["note"]);
    let again = decide(&app, &id, json!({"state": "known", "issue_url": issue})).await;
    assert_eq!((&again["state_since"], &again["note"]), (&known["state_since"], &Value::Null));

    // The same failure once more, reported again later, is no new one.
    let resolved = decide(&app, &id, json!({"state": "resolved", "issue_url": issue})).await;
    app.report("/telemetry", &run("one", "jellyfin", UNKNOWN_PACKAGE)).await;
    app.report("/telemetry", &run("third", "docker", NOBODY_KNOWS)).await;
    let rows = listed(&app, "").await;
    assert_eq!((&rows[1]["id"], &rows[1]["state"]), (&json!(id), &json!("resolved")), "it comes last");
    assert_eq!(rows[1]["state_since"], resolved["state_since"]);

    app.report("/telemetry", &run("two", "jellyfin", UNKNOWN_PACKAGE)).await;
    let regressed = app.get_json(&path).await;
    assert_eq!((&regressed["state"], &regressed["issue_url"]), (&json!("regressed"), &json!(issue)));
    assert!(regressed["state_since"].as_str() >= resolved["state_since"].as_str());
    let rows = listed(&app, "state=regressed").await;
    assert_eq!((rows.len(), &rows[0]["id"], &rows[0]["count"]), (1, &json!(id), &json!(2)));
    let script = app.get_json("/api/scripts/jellyfin").await;
    let state = |rows: &Value| (rows[0]["state"].clone(), rows[0]["issue_url"].clone());
    assert_eq!(state(&script["signatures"]), (json!("regressed"), json!(issue)));
    let reason = regressed["reason"]["id"].as_str().expect("an id");
    let of_reason = app.get_json(&format!("/api/reasons/{reason}")).await;
    assert_eq!(state(&of_reason["signatures"]), (json!("regressed"), json!(issue)));

    decide(&app, &id, json!({"state": "ignored"})).await;
    assert_eq!(listed(&app, "").await.len(), 1);
    assert_eq!(listed(&app, "state=ignored").await[0]["id"], json!(id));
    assert_eq!(listed(&app, "state=all").await.len(), 2);
    // The dashboard counts every failure.
    let groups = app.get_json("/api/dashboard").await["error_analysis"].as_array().map(Vec::len);
    assert_eq!(groups, Some(2));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn regressed_signatures_are_counted_and_reported() {
    let app = spawn().await;
    app.report("/telemetry", &run("one", "jellyfin", UNKNOWN_PACKAGE)).await;
    let id = id_of(&app, UNKNOWN_PACKAGE).await;
    decide(&app, &id, json!({"state": "resolved"})).await;
    app.report("/telemetry", &run("two", "jellyfin", UNKNOWN_PACKAGE)).await;
    assert_eq!(metric(&app, r#"telemetry_signatures{state="regressed"}"#).await, "1");
    assert_eq!(metric(&app, r#"telemetry_signatures{state="resolved"}"#).await, "0");
    assert_eq!(
        metric(&app, r#"telemetry_category_failures_recent{category="package_not_found"}"#).await,
        "2"
    );
    let blame =
        app.get_json(&format!("/api/signatures/{id}")).await["blame"].as_str().expect("a word").to_owned();
    assert_eq!(metric(&app, &format!(r#"telemetry_blame_failures_recent{{blame="{blame}"}}"#)).await, "2");
    assert_eq!(metric(&app, r#"telemetry_blame_failures_recent{blame="unknown"}"#).await, "0");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_admin_token_sets_a_state() {
    let app = spawn().await;
    app.report("/telemetry", &run("one", "jellyfin", UNKNOWN_PACKAGE)).await;
    let id = id_of(&app, UNKNOWN_PACKAGE).await;
    let body = json!({"state": "ignored"}).to_string();
    for token in [None, Some(READ_TOKEN), Some("wrong")] {
        let (status, answer) = put(&app, &id, &body, token).await;
        assert_eq!((status, &answer["error"]), (StatusCode::UNAUTHORIZED, &json!("unauthorized")));
    }
    for (id, body, status, code, field) in [
        ("x", body.as_str(), 400, "bad_parameter", json!("id")),
        ("0123456789abcdef", &body, 404, "unknown_signature", Value::Null),
        (&id, "{}", 400, "bad_parameter", json!("state")),
        (
            &id,
            r#"{"state": "known", "issue_url": "ftp://x.example"}"#,
            400,
            "bad_parameter",
            json!("issue_url"),
        ),
        (&id, r#"{"state": "known", "note": 1}"#, 400, "bad_parameter", json!("note")),
    ] {
        let (found, answer) = put(&app, id, body, Some(ADMIN_TOKEN)).await;
        assert_eq!(
            (found.as_u16(), &answer["error"], &answer["field"]),
            (status, &json!(code), &field),
            "{body}"
        );
    }
    assert_eq!(listed(&app, "state=open").await.len(), 1);
    app.stop().await;
    let without = spawn_app().await;
    let (status, _) = put(&without, &id, &body, Some(ADMIN_TOKEN)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    without.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recent_failures_of_many_scripts_come_before_old_news() {
    let app = spawn().await;
    for number in 0..6 {
        app.report("/telemetry", &run(&format!("old-{number}"), "jellyfin", NOBODY_KNOWS)).await;
    }
    let old = "first_seen - interval '20 days'";
    sql(&app, &format!("update execution set first_seen = {old}")).await;
    recount::rebuild(&mut app.connection().await).await.expect("it runs");
    for (number, script) in ["jellyfin", "docker", "immich"].into_iter().enumerate() {
        app.report("/telemetry", &run(&format!("new-{number}"), script, UNKNOWN_PACKAGE)).await;
    }
    app.verify().await;
    let (by_priority, by_count) = (listed(&app, "").await, listed(&app, "sort=count").await);
    assert_eq!((&by_priority[0]["count"], &by_priority[1]["count"]), (&json!(3), &json!(6)));
    assert_eq!((&by_count[0]["count"], &by_count[1]["count"]), (&json!(6), &json!(3)));
    let first = &by_priority[0];
    assert_eq!((&first["unique_apps"], &first["sessions"]), (&json!(3), &json!(3)));
    assert_eq!(first["exit_codes"], json!([{"exit_code": 100, "count": 3}]));
    assert_eq!(first["daily"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&first["reason"]["category"], &first["reason"]["subject"]),
        (&json!("package_not_found"), &json!("ffmpeg7"))
    );
    assert!(first["reason"]["title"].is_string() && first["reason"]["hint"].is_string(), "{first}");
    for (query, count) in [
        ("category=package_not_found", 1),
        ("category=dns", 0),
        (&format!("blame={}", first["blame"].as_str().expect("a word")), 1),
        (&format!("reason={}", first["reason"]["id"].as_str().expect("an id")), 1),
        ("state=open", 2),
        ("state=known", 0),
    ] {
        assert_eq!(listed(&app, query).await.len(), count, "{query}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_tells_where_its_failures_differ() {
    let app = spawn().await;
    for number in 0..12 {
        let mut failed = run(&format!("failed-{number}"), "jellyfin", UNKNOWN_PACKAGE);
        failed["arch"] = json!("arm64");
        app.report("/telemetry", &failed).await;
        let mut success = run(&format!("success-{number}"), "jellyfin", "");
        (success["status"], success["exit_code"]) = (json!("success"), json!(0));
        app.report("/telemetry", &success).await;
        // Of another script: no part of the baseline.
        success["nsapp"] = json!("docker");
        (success["random_id"], success["execution_id"]) =
            (json!(format!("x-{number}")), json!(format!("x-{number}-1")));
        app.report("/telemetry", &success).await;
    }
    let one = app.get_json(&format!("/api/signatures/{}", id_of(&app, UNKNOWN_PACKAGE).await)).await;
    let differs = one["differs"].as_array().expect("a list");
    let rate = |rate: f64, numerator, denominator| json!({"rate": rate, "numerator": numerator, "denominator": denominator});
    let expected =
        json!({"facet": "arch", "value": "arm64", "share": rate(1.0, 12, 12), "baseline": rate(0.5, 12, 24)});
    assert!(differs.contains(&expected), "{differs:#?}");
    assert!(differs.iter().all(|row| row["facet"] == "arch"), "{differs:#?}");
    assert_eq!(
        (&one["sessions"], &one["exit_codes"]),
        (&json!(12), &json!([{"exit_code": 100, "count": 12}]))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_found_by_reason_and_by_system() {
    let app = spawn().await;
    app.report("/telemetry", &run("one", "jellyfin", UNKNOWN_PACKAGE)).await;
    let mut other = run("two", "docker", NOBODY_KNOWS);
    (other["exit_code"], other["arch"], other["pve_version"], other["method"]) =
        (json!(1), json!("arm64"), json!("8.4.1"), json!("advanced"));
    app.report("/telemetry", &other).await;
    let mut aborted = run("three", "docker", "");
    (aborted["status"], aborted["exit_code"]) = (json!("aborted"), json!(130));
    app.report("/telemetry", &aborted).await;
    let id = id_of(&app, UNKNOWN_PACKAGE).await;
    let signature = app.get_json(&format!("/api/signatures/{id}")).await;
    let (reason, blame) = (&signature["reason"]["id"], signature["blame"].as_str().expect("a word"));
    for (query, total) in [
        (format!("signature={id}"), 1),
        ("signature=0123456789abcdef".to_owned(), 0),
        (format!("reason={}", reason.as_str().expect("an id")), 1),
        ("category=package_not_found".to_owned(), 1),
        ("category=unknown".to_owned(), 1),
        ("category=user_abort".to_owned(), 1),
        ("category=dns".to_owned(), 0),
        (format!("blame={blame}"), 1),
        ("blame=user".to_owned(), 1),
        ("blame=user&category=package_not_found".to_owned(), 0),
        ("exit_code=100".to_owned(), 1),
        ("exit_code=130".to_owned(), 1),
        ("arch=arm64".to_owned(), 1),
        ("pve_version=8.4.1".to_owned(), 1),
        ("method=advanced&status=failed".to_owned(), 1),
        ("arch=amd64&app=jellyfin".to_owned(), 1),
    ] {
        let page = app.get_json(&format!("/api/records?{query}")).await;
        assert_eq!(
            (&page["total"], page["records"].as_array().map(Vec::len)),
            (&json!(total), Some(total)),
            "{query}"
        );
        let path = format!("/api/records?{query}&format=ndjson");
        let export = app.request(Method::GET, &path).send().await.expect("an answer").text().await;
        assert_eq!(export.expect("a text").lines().count(), total, "{query}");
    }
    let (status, unknown) = app.get("/api/reasons/nothing.known").await;
    assert_eq!((status, &unknown["error"]), (StatusCode::NOT_FOUND, &json!("unknown_reason")));
    let one = app.get_json(&format!("/api/reasons/{}", reason.as_str().expect("an id"))).await;
    assert_eq!((&one["count"], &one["sessions"]), (&json!(1), &json!(1)));
    assert_eq!(one["systems"], json!([{"os": "debian", "version": "13", "count": 1}]));
    assert_eq!(one["apps"], json!([{"app": "jellyfin", "count": 1}]));
    let reasons = app.get_json("/api/reasons").await;
    let ids: Vec<_> = reasons["reasons"].as_array().expect("a list").iter().map(|row| &row["id"]).collect();
    assert!(ids.len() > 100 && ids.contains(&reason), "{}", ids.len());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_older_rules_diagnosed_are_renewed() {
    let app = spawn().await;
    app.report("/telemetry", &run("one", "jellyfin", UNKNOWN_PACKAGE)).await;
    app.report("/telemetry", &run("two", "docker", NOBODY_KNOWS)).await;
    let before = lasting(listed(&app, "sort=created").await);
    // As rules would leave it that did not know the line, and thought otherwise of another.
    for statement in [
        "update setting set value = 'other rules' where name = 'rules'",
        "insert into signature (id, template) values (42, 'an older template')",
        "insert into signature (id, template, subject) values (43, 'Admin password: Tulpe77', 'Tulpe77')",
        "update execution set signature = 42, category = 'unknown' where app = 'jellyfin'",
        "update rollup_signature set signature = 42 where app = 'jellyfin'",
        "update rollup_exit_code set category = 'unknown' where app = 'jellyfin'",
        "update rollup_facet set detail = 'unknown' where facet = 'exit_code' and value = '100@3' and population in
             (select population from rollup_script where app = 'jellyfin')",
        "update signature set template = 'old words', blame = 'host' where template like '%grease%'",
        "insert into triage (signature, state, issue_url, since)
             values (42, 'known', 'https://github.com/example/app/issues/1', now())",
    ] {
        sql(&app, statement).await;
    }
    let mut connection = app.connection().await;
    let seen = recount::verify(&mut connection).await.expect("it runs");
    assert_eq!((seen.outdated, listed(&app, "").await.len()), (1, 2));
    assert!(renewal::renew(&mut connection, &mut Rebuilt::default()).await.expect("it runs"));
    let seen = recount::verify(&mut connection).await.expect("it runs");
    assert_eq!((seen.outdated, seen.mismatches.len()), (0, 0), "{:#?}", seen.mismatches);
    let decided = format!("/api/signatures/{}", id_of(&app, UNKNOWN_PACKAGE).await);
    assert_eq!(app.get_json(&decided).await["state"], "known", "the decision moves with the failures");
    sql(&app, "delete from triage").await;
    assert_eq!(lasting(listed(&app, "sort=created").await), before);
    let again = renewal::renew(&mut connection, &mut Rebuilt::default()).await;
    assert!(!again.expect("it runs"), "nothing is left to do");
    // No run has it any more that would be diagnosed again.
    let expired =
        "update signature set template = '' where id = 43 and template = 'Admin password: <secret>'";
    assert_eq!(sql(&app, expired).await, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_goes_on_where_it_failed() {
    let app = spawn().await;
    for id in ["one", "two", "three"] {
        app.report("/telemetry", &run(id, id, NOBODY_KNOWS)).await;
    }
    for statement in [
        "update execution set first_seen = first_seen - interval '2 days' where app = 'one'",
        "update execution set first_seen = first_seen - interval '1 day' where app = 'two'",
        "update setting set value = 'other rules' where name = 'rules'",
        "create function fail() returns trigger language plpgsql as
             $$ begin raise exception using errcode = 'lock_not_available'; end $$",
        "create trigger fail before insert on rollup_script for each row when (new.app = 'two')
             execute function fail()",
    ] {
        sql(&app, statement).await;
    }
    let mut connection = app.connection().await;
    let mut renewed = Rebuilt::default();
    renewal::renew(&mut connection, &mut renewed).await.expect_err("the second day is locked");
    assert_eq!(renewed.days, 1);
    sql(&app, "drop trigger fail on rollup_script").await;
    assert!(renewal::renew(&mut connection, &mut renewed).await.expect("it runs"));
    assert_eq!(renewed.days, 3);
    app.verify().await;
    app.stop().await;
}

/// Without what depends on the moment, in the order of ids.
fn lasting(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(|row| row["id"].to_string());
    rows
}
