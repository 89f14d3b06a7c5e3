//! The web page as a browser receives it: who gets HTML, which headers it has, and errors as pages.

use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::json;
use telemetry_server::config::Variables;

use crate::common::app::{READ_TOKEN, TestApp, spawn_app, spawn_app_set, unlimited};

/// What Chromium sends for a page.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

async fn get(app: &TestApp, path: &str, accept: &str) -> Response {
    app.request(Method::GET, path).header("accept", accept).send().await.expect("an answer")
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("a text"))
}

async fn page(app: &TestApp, path: &str) -> String {
    let response = get(app, path, BROWSER).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8", "{path}");
    response.text().await.expect("a text")
}

async fn fail(app: &TestApp, id: &str, error: &str) {
    let failed = json!({
        "random_id": id, "nsapp": "jellyfin", "type": "lxc", "status": "failed", "exit_code": 100, "error": error
    });
    app.report("/telemetry", &failed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_get_html_and_programs_json() {
    let app = spawn_app().await;
    for accept in ["*/*", "application/json", "", "application/json, text/html;q=0.9", "text/plain"] {
        let response = get(&app, "/", accept).await;
        assert_eq!(header(&response, "content-type"), "application/json", "{accept}");
        assert_eq!(header(&response, "vary"), "Accept, Authorization, Cookie", "{accept}");
    }
    for accept in [BROWSER, "text/html", "text/html, application/json;q=0.9"] {
        let response = get(&app, "/", accept).await;
        assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8", "{accept}");
        assert_eq!(header(&response, "vary"), "Accept, Authorization, Cookie", "{accept}");
        assert!(header(&response, "content-security-policy").starts_with("default-src 'self';"));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_two_clicks_away() {
    let app = spawn_app().await;
    let empty = page(&app, "/").await;
    assert!(empty.contains("No runs have been reported yet"), "{empty}");
    fail(&app, "a", "E: Unable to locate package ffmpeg7").await;
    let overview = page(&app, "/?days=7").await;
    assert!(overview.contains("0 of 1<") || overview.contains("Too few runs for a rate"), "{overview}");
    let (_, link) = overview.split_once("href=\"/failures/").expect("a link to the reason");
    let link = format!("/failures/{}", link.split('"').next().unwrap_or_default());
    assert!(link.ends_with("?days=7"), "links keep the filter: {link}");
    let failure = page(&app, &link).await;
    for text in ["A package does not exist: ffmpeg7", "jellyfin", "github.com/", "To be fixed by"] {
        assert!(failure.contains(text), "{text}: {failure}");
    }
    for tab in ["", "new", "rising", "blocked", "ignored"] {
        let list = page(&app, &format!("/failures?tab={tab}")).await;
        assert_eq!(list.contains("ffmpeg7"), matches!(tab, "" | "new"), "{tab}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_single_runs_are_for_maintainers() {
    let cache_seconds = Some("60".to_owned());
    let variables = Variables { protection: unlimited(), cache_seconds, ..Variables::default() };
    let app = spawn_app_set(variables).await;
    fail(&app, "a", "E: Unable to locate package ffmpeg7").await;
    let list = app.get_json("/api/signatures").await;
    let path = format!("/failures/{}", list["signatures"][0]["id"].as_str().expect("an id"));
    for _ in 0..2 {
        let line = "E: Unable to locate package ffmpeg7";
        assert!(!page(&app, &path).await.contains(line));
        let response =
            app.request(Method::GET, &path).bearer_auth(READ_TOKEN).send().await.expect("an answer");
        assert!(header(&response, "cache-control").starts_with("private"));
        let etag = header(&response, "etag").to_owned();
        assert!(response.text().await.expect("a text").contains(line));
        let again = app.request(Method::GET, &path).bearer_auth(READ_TOKEN).header("if-none-match", etag);
        let again = again.send().await.expect("an answer");
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(header(&again, "vary"), "Accept, Authorization, Cookie");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_pages_for_browsers_and_json_for_programs() {
    let app = spawn_app().await;
    for (path, status, text) in [
        ("/no-such-page", 404, "This page does not exist"),
        ("/failures/0000000000000001", 404, "This reason is not known"),
        ("/failures/x", 404, "This reason is not known"),
        ("/?days=x", 400, "`days` must be"),
        ("/failures?tab=x", 400, "`tab` must be"),
        ("/failures?blame=x&days=7", 400, "href=\"/failures?days=7\""),
        ("/static/style.css", 404, "This page does not exist"),
    ] {
        let response = get(&app, path, BROWSER).await;
        assert_eq!(response.status(), status, "{path}");
        let kind = header(&response, "content-type").to_owned();
        let body = response.text().await.expect("a text");
        if path.starts_with("/static") {
            assert_eq!(kind, "application/json");
            continue;
        }
        assert_eq!(kind, "text/html; charset=utf-8", "{path}");
        assert!(body.contains(text), "{path}: {body}");
        if path != "/?days=x" {
            let response = get(&app, path, "*/*").await;
            assert_eq!(
                (response.status().as_u16(), header(&response, "content-type")),
                (status, "application/json")
            );
            assert_eq!(header(&response, "vary"), "Accept, Authorization, Cookie", "{path}");
        }
    }
    let response = get(&app, "/api/dashboard?days=x", BROWSER).await;
    assert_eq!(header(&response, "content-type"), "application/json", "the API answers with JSON");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_paths_lead_to_their_successors_and_files_are_kept_for_ever() {
    let app = spawn_app().await;
    let client = Client::builder().redirect(Policy::none()).build().expect("a client");
    for (old, new) in [
        ("/dashboard?days=7", "/?days=7"),
        ("/error-analysis", "/failures"),
        ("/script-analysis?repo=all", "/scripts?repo=all"),
        ("/data", "/runs"),
    ] {
        let response = client.get(format!("http://{}{old}", app.address())).send().await.expect("an answer");
        assert_eq!((response.status().as_u16(), header(&response, "location")), (308, new));
    }
    let overview = page(&app, "/").await;
    let (_, path) = overview.split_once("rel=\"stylesheet\" href=\"").expect("a style sheet");
    let response = get(&app, path.split('"').next().unwrap_or_default(), "*/*").await;
    assert_eq!(
        (response.status(), header(&response, "content-type")),
        (StatusCode::OK, "text/css; charset=utf-8")
    );
    assert_eq!(header(&response, "cache-control"), "public, max-age=31536000, immutable");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_are_found_sorted_and_shown_one_by_one() {
    let app = spawn_app().await;
    assert!(page(&app, "/scripts").await.contains("No script ran in this period"));
    assert!(page(&app, "/popular").await.contains("No script ran in this period"));
    for number in 0..12 {
        fail(&app, &format!("failed-{number}"), "E: Unable to locate package ffmpeg7").await;
        let succeeded = json!({"random_id": format!("run-{number}"), "nsapp": "docker", "type": "lxc", "status": "success"});
        app.report("/telemetry", &succeeded).await;
        app.report(
            "/telemetry",
            &json!({"random_id": format!("second-{number}"), "nsapp": "docker", "status": "success"}),
        )
        .await;
    }
    let first = async |path: &str| {
        let html = page(&app, path).await;
        let rest = html.split_once("href=\"/scripts/").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
        rest.split(['"', '?']).next().unwrap_or_default().to_owned()
    };
    for (path, app) in [
        ("/scripts", "docker"),
        ("/scripts?tab=failures", "jellyfin"),
        ("/scripts?tab=rate", "jellyfin"),
        ("/scripts?tab=name", "docker"),
        ("/scripts?search=ELLY", "jellyfin"),
        ("/popular", "docker"),
    ] {
        assert_eq!(first(path).await, app, "{path}");
    }
    let found = page(&app, "/scripts?search=elly&days=7").await;
    assert!(
        found.contains("href=\"/scripts/jellyfin?days=7\"") && !found.contains("/scripts/docker"),
        "{found}"
    );
    assert!(
        found.contains("/api/scripts?days=7&amp;search=elly&amp;limit=100"),
        "the data of this table: {found}"
    );
    let none = page(&app, "/scripts?search=nothing").await;
    assert!(none.contains("No script with this text"), "{none}");

    let script = page(&app, "/scripts/Jellyfin?days=7").await;
    for text in [
        "100.0 %",
        ">12</data> of ",
        "A package does not exist: ffmpeg7",
        "/exit-codes/100?days=7",
        "Newest runs",
    ] {
        assert!(script.contains(text), "{text}: {script}");
    }
    assert!(page(&app, "/scripts/jellyfin?type=vm").await.contains("did not run in this period"));
    let response = get(&app, "/scripts/nothing", BROWSER).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(response.text().await.expect("a text").contains("Nothing is stored here"));
    assert_eq!(get(&app, "/scripts?tab=x", BROWSER).await.status(), StatusCode::BAD_REQUEST);
    app.stop().await;
}
