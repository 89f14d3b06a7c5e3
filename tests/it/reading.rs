//! Read answers: caching, tables and exports, time limits, the replica, and the description of the API.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::common::app::{Cluster, READ_TOKEN, TestApp, spawn_app, spawn_unlimited};
use crate::common::history::History;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use telemetry_server::config::Variables;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

async fn get(app: &TestApp, path: &str) -> Response {
    app.request(Method::GET, path).send().await.expect("an answer")
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("a text"))
}

fn start(id: &str, app: &str) -> Value {
    json!({"random_id": id, "nsapp": app, "type": "lxc", "status": "success"})
}

/// A server that caches answers for a minute.
async fn spawn_caching_app() -> (TestApp, std::sync::Arc<Cluster>) {
    let cluster = tokio::task::block_in_place(Cluster::shared);
    let options = cluster.database().await;
    let variables = Variables { cache_seconds: Some("60".to_owned()), ..Variables::default() };
    (spawn_unlimited(options, variables).await, cluster)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_cached_with_its_time() {
    let (app, _cluster) = spawn_caching_app().await;
    app.report("/telemetry", &start("a", "x")).await;
    let first = get(&app, "/api/dashboard?days=7").await;
    let etag = header(&first, "etag").to_owned();
    assert!(etag.starts_with('"') && etag.len() == 34, "{etag}");
    let cache_control = header(&first, "cache-control");
    let seconds = cache_control.strip_prefix("public, max-age=").and_then(|text| text.parse::<u64>().ok());
    assert!(seconds.is_some_and(|seconds| (1..=60).contains(&seconds)), "{cache_control}");
    let first: Value = first.json().await.expect("JSON");

    app.report("/telemetry", &start("b", "x")).await;
    // The same filter in other words.
    let again = app.get_json("/api/dashboard?repo=ProxmoxVE&days=7&slug=&unknown=1").await;
    assert_eq!(again, first);
    assert_eq!(app.get_json("/api/dashboard?days=8").await["total_installs"], 2);

    for (tags, status) in [(etag.as_str(), 304), ("\"x\", *", 304), ("\"x\"", 200)] {
        let request = app.request(Method::GET, "/api/dashboard?days=7").header("if-none-match", tags);
        let response = request.send().await.expect("an answer");
        assert_eq!((response.status().as_u16(), header(&response, "etag")), (status, etag.as_str()));
        assert_eq!(response.bytes().await.expect("a body").is_empty(), status == 304);
    }
    // Answers about the past last longer.
    let past = get(&app, "/api/dashboard?from=2026-01-01&to=2026-01-02").await;
    let seconds = header(&past, "cache-control").rsplit('=').next().and_then(|text| text.parse::<u64>().ok());
    assert!(seconds.is_some_and(|seconds| seconds > 3000), "{seconds:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_available_as_tables_without_formulas() {
    let app = spawn_app().await;
    let mut event = start("a", "x");
    event["status"] = json!("failed");
    event["exit_code"] = json!(1);
    event["error"] = json!("=cmd|' /C calc'!A0");
    app.report("/telemetry", &event).await;
    app.report("/telemetry", &start("b", "y")).await;

    let response = app.request(Method::GET, "/api/records?format=csv").bearer_auth(READ_TOKEN).send().await;
    let response = response.expect("an answer");
    assert_eq!(header(&response, "content-type"), "text/csv; charset=utf-8; header=present");
    assert_eq!(header(&response, "content-disposition"), "attachment; filename=\"records.csv\"");
    let csv = response.text().await.expect("a text");
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 3, "{csv}");
    assert!(lines[0].starts_with("app,type,status,outcome,exit_code,"), "{csv}");
    assert!(csv.contains(",'=cmd|' /C calc'!A0,") && !csv.contains(",=cmd"), "{csv}");

    let response = get(&app, "/api/dashboard?format=ndjson").await;
    assert_eq!(header(&response, "content-type"), "application/x-ndjson");
    let lines = response.text().await.expect("a text");
    assert_eq!(lines, "{\"app\":\"x\",\"count\":1}\n{\"app\":\"y\",\"count\":1}\n");
    for (path, first) in [
        ("/api/dashboard?format=csv&list=type_stats", "type,count"),
        ("/api/errors?format=csv", "app,type,total_count,"),
        ("/api/scripts?format=csv", "app,type,total,success,"),
        ("/data/json?format=csv", "id,ct_type,disk_size,"),
        ("/data/errors?format=csv", "error,count"),
    ] {
        let csv = get(&app, path).await.text().await.expect("a text");
        assert!(csv.starts_with(first), "{path}: {csv}");
    }
    assert_eq!(get(&app, "/api/repo-slugs?format=csv").await.text().await.expect("a text"), "");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_aggregate_has_tables_and_an_entity_tag() {
    let (app, _cluster) = spawn_caching_app().await;
    let mut event = start("a", "x");
    (event["status"], event["exit_code"], event["error"]) =
        (json!("failed"), json!(1), json!("No space left on device"));
    event["runtime_source"] = json!("local");
    event["core_count"] = json!(2);
    app.report("/telemetry", &event).await;
    let signatures = app.get_json("/api/signatures").await;
    let one = format!("/api/signatures/{}", signatures["signatures"][0]["id"].as_str().expect("an id"));
    for (path, list, names) in [
        ("/api/signatures", "", "id,template,reason"),
        ("/api/reasons", "", "id,title,category,blame,hint"),
        ("/api/reasons/disk.no-space", "", "id,subject,state,issue_url,count"),
        (&one, "&list=differs", ""),
        (&one, "", "date,failed"),
        (&one, "&list=apps", "app,count"),
        ("/api/scripts/x", "", "date,total,success,failed"),
        ("/api/scripts/x", "&list=cores", "value,count,failure_rate"),
        ("/api/popular", "", "app,type,count,"),
        ("/api/exit-codes/1/runs", "", "app,type,count"),
        ("/api/exit-codes/1/runs", "&list=daily_stats", "date,failed,"),
        ("/api/scripts/x", "&list=exit_codes", "exit_code,outcome,description,"),
        ("/api/timeseries", "", "group,at,value,numerator,denominator"),
        ("/api/runtime", "", "source,ref,count,"),
        ("/api/sessions", "", ""),
        ("/api/regressions", "", ""),
    ] {
        let csv = get(&app, &format!("{path}?format=csv{list}")).await;
        assert_eq!(header(&csv, "content-type"), "text/csv; charset=utf-8; header=present", "{path}");
        let csv = csv.text().await.expect("a text");
        assert!(csv.starts_with(names) && csv.is_empty() == names.is_empty(), "{path}{list}: {csv}");
        let ndjson = get(&app, &format!("{path}?format=ndjson{list}")).await.text().await.expect("a text");
        assert_eq!(ndjson.lines().count(), csv.lines().count().saturating_sub(1), "{path}{list}");
        let (status, refused) = app.get(&format!("{path}?format=csv&list=nothing")).await;
        assert_eq!((status.as_u16(), &refused["field"]), (400, &json!("list")), "{path}");
        let etag = header(&get(&app, path).await, "etag").to_owned();
        let again = app.request(Method::GET, path).header("if-none-match", &etag).send().await;
        assert_eq!(again.expect("an answer").status(), StatusCode::NOT_MODIFIED, "{path}");
    }
    let rate = get(&app, "/api/timeseries?days=1&metric=failure_rate&format=ndjson").await;
    let rate: Value = serde_json::from_str(&rate.text().await.expect("a text")).expect("JSON");
    assert_eq!(
        (&rate["value"], &rate["numerator"], &rate["denominator"]),
        (&Value::Null, &json!(1), &json!(1))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_all_pages_and_one_header() {
    let (app, history) = History::spawn(2500).await;
    let expected = history.runs.iter().filter(|run| run.facts.app.get().is_some()).count();
    let text = get(&app, "/api/records?repo=all&format=ndjson&limit=5").await.text().await.expect("a text");
    assert!(expected > 2000 && text.lines().count() == expected, "{expected}");
    let csv = get(&app, "/api/records?repo=all&format=csv").await.text().await.expect("a text");
    assert_eq!(csv.matches("app,type,status").count(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_of_lists_that_are_not_valid_are_named() {
    let app = spawn_app().await;
    for (path, field) in [
        ("/api/records?page=0", "page"),
        ("/api/records?page=x", "page"),
        ("/api/records?limit=101", "limit"),
        ("/api/records?limit=0", "limit"),
        ("/api/records?sort=exit_code", "sort"),
        ("/api/records?status=exploded", "status"),
        ("/api/records?cursor=x", "cursor"),
        ("/api/records?format=xml", "format"),
        ("/api/records?sort=app&page=9999999", "page"),
        ("/api/records?signature=x", "signature"),
        ("/api/records?reason=nothing.known", "reason"),
        ("/api/records?category=x", "category"),
        ("/api/records?blame=me", "blame"),
        ("/api/records?exit_code=256", "exit_code"),
        ("/api/signatures?reason=x", "reason"),
        ("/api/signatures?category=x", "category"),
        ("/api/signatures?blame=x", "blame"),
        ("/api/signatures?state=closed", "state"),
        ("/api/signatures?sort=name", "sort"),
        ("/api/dashboard?format=csv&list=secrets", "list"),
        ("/api/errors?days=x", "days"),
        ("/api/scripts?from=2026-02-30", "from"),
        ("/api/scripts?limit=0", "limit"),
        ("/api/scripts?limit=1001", "limit"),
        ("/api/scripts?search=%00", "search"),
        ("/api/scripts?sort=size", "sort"),
        ("/api/popular?days=x", "days"),
        ("/api/exit-codes/256/runs", "code"),
        ("/api/repo-slugs?repo=mine", "repo"),
        ("/data/json?limit=1001", "limit"),
        ("/data/nsapp", "nsapp"),
        ("/data/status?status=", "status"),
        ("/data/os?os_version=12", "os_type"),
        ("/data/date?start_date=yesterday", "start_date"),
        ("/data/date?start_date=2026-02-02&end_date=2026-02-01", "start_date"),
        ("/data/summary?type=docker", "type"),
    ] {
        let (status, body) = app.get(path).await;
        assert_eq!((status, &body["error"]), (StatusCode::BAD_REQUEST, &json!("bad_parameter")), "{path}");
        assert_eq!(body["field"], field, "{path}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_takes_too_long_is_cancelled() {
    let cluster = tokio::task::block_in_place(Cluster::shared);
    let options = cluster.database().await;
    let variables = Variables { read_seconds: Some("1".to_owned()), ..Variables::default() };
    let app = spawn_unlimited(options.clone(), variables).await;
    let mut connection = PgConnection::connect_with(&options).await.expect("it runs");
    let mut lock = connection.begin().await.expect("it runs");
    lock.execute("lock table rollup_script in access exclusive mode").await.expect("it is free");
    let response = get(&app, "/api/scripts").await;
    assert_eq!((response.status(), header(&response, "retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "2"));
    assert_eq!(response.json::<Value>().await.expect("JSON")["error"], "query_timeout");
    lock.rollback().await.expect("it runs");
    assert_eq!(get(&app, "/api/scripts").await.status(), StatusCode::OK, "errors are not cached");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_go_to_the_replica() {
    let cluster = tokio::task::block_in_place(Cluster::shared);
    let (main, replica) = (cluster.database().await, cluster.database().await);
    let other = spawn_unlimited(replica.clone(), Variables::default()).await;
    other.report("/telemetry", &start("a", "of-the-replica")).await;
    let socket = replica.get_socket().expect("a socket").to_string_lossy().replace('/', "%2F");
    let (user, name) = (replica.get_username(), replica.get_database().expect("a name"));
    let url = format!("postgres://{user}@{socket}/{name}");
    let variables = Variables { read_database_url: url.parse().ok(), ..Variables::default() };
    let app = spawn_unlimited(main, variables).await;
    app.report("/telemetry", &start("b", "of-the-main-one")).await;
    let shown = app.get_json("/api/dashboard").await;
    assert_eq!(shown["top_apps"], json!([{"app": "of-the-replica", "count": 1}]));
    assert_eq!(app.executions().await, 1);
    let up = async || {
        let text = app.request(Method::GET, "/metrics").send().await.expect("an answer").text().await;
        let text = text.expect("a text");
        ["primary", "replica"].map(|database| {
            let line = format!("telemetry_database_up{{database=\"{database}\"}} ");
            text.lines().find_map(|found| found.strip_prefix(&line)).map(str::to_owned)
        })
    };
    let one = || Some("1".to_owned());
    assert_eq!(up().await, [one(), one()]);
    other.stop().await;
    let away = format!("drop database \"{name}\" with (force)");
    sqlx::query(AssertSqlSafe(away)).execute(app.pool()).await.expect("it runs");
    let begun = Instant::now();
    loop {
        let [primary, replica] = up().await;
        assert_eq!(primary, one(), "only the replica is unavailable");
        if replica.as_deref() == Some("0") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the outage was not noticed in time");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_is_described_with_its_responses() {
    let app = spawn_app().await;
    app.report("/telemetry", &start("a", "x")).await;
    let api = app.get_json("/openapi.json").await;
    let paths = api["paths"].as_object().expect("an object");
    for path in paths.keys().filter(|path| paths[*path].get("get").is_some()) {
        let described = &paths[path]["get"];
        let statuses: BTreeSet<_> =
            described["responses"].as_object().expect("an object").keys().map(String::as_str).collect();
        let is_unknown = path == "/api/signatures/{id}";
        let id = match path.as_str() {
            "/api/signatures/{id}" => "0123456789abcdef",
            "/api/reasons/{id}" => "disk.no-space",
            _ => "a",
        };
        let url = path.replace("{id}", id).replace("{code}", "1").replace("{app}", "x");
        let query = match path.as_str() {
            "/data/nsapp" => "?nsapp=x",
            "/data/status" => "?status=success",
            "/data/os" => "?os_type=debian",
            _ => "",
        };
        let expected = if is_unknown { StatusCode::NOT_FOUND } else { StatusCode::OK };
        assert_eq!(get(&app, &format!("{url}{query}")).await.status(), expected, "{path}");
        for odd in ["?days=x", "?format=x", "?limit=x", "?generation=9", "?status=&nsapp=%00&os_type=%ff"] {
            let status = get(&app, &format!("{url}{odd}")).await.status();
            assert!(statuses.contains(status.as_str()), "{path}{odd}: {status} is not described");
        }
        for parameter in described["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{path}: {parameter}");
        }
        for odd in [
            "slug=%00",
            "platform=%00",
            "app=%00",
            "search=%00",
            "os=%00",
            "os_version=%00",
            "nsapp=%00&os_type=%00",
        ] {
            let status = get(&app, &format!("{url}?{odd}")).await.status();
            assert!(status.is_success() || status.is_client_error(), "{path}?{odd}: {status}");
        }
        let post = app.request(Method::POST, &url).send().await.expect("an answer").status();
        assert_eq!(post == StatusCode::METHOD_NOT_ALLOWED, paths[path].get("post").is_none(), "{path}");
    }
    let index = app.get_json("/").await;
    for named in index["endpoints"].as_object().expect("an object").keys() {
        let (method, path) = named.split_once(' ').expect("a method and a path");
        let is_described = paths.get(path).is_some_and(|methods| !methods[method.to_lowercase()].is_null());
        assert!(is_described || path == "/openapi.json" || path.ends_with("..."), "{named}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_description_is_self_contained() {
    let app = spawn_app().await;
    let page = get(&app, "/docs").await;
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    let page = page.text().await.expect("a text");
    for (path, kind) in [
        ("/docs/swagger-ui.css", "text/css"),
        ("/docs/swagger-ui-bundle.js", "text/javascript"),
        ("/docs/init.js", "text/javascript"),
    ] {
        assert!(page.contains(&format!("\"{path}\"")), "{page}");
        let response = get(&app, path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert!(header(&response, "content-type").starts_with(kind), "{path}");
        assert!(header(&response, "content-security-policy").starts_with("default-src 'self';"), "{path}");
    }
    assert!(!page.contains("<style") && !page.contains("style=") && !page.contains("onclick"), "{page}");
    assert!(!page.contains("//") && page.matches("<script").count() == 2, "{page}");
    for path in ["/docs/swagger-initializer.js", "/docs/index.html", "/docs/..%2finit.js"] {
        assert_eq!(get(&app, path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    app.stop().await;
}
