//! `/runs`, `/reasons`, `/exit-codes` and `/about`: what they show to whom, and where their links lead.

use std::collections::BTreeSet;

use crate::common::app::{READ_TOKEN, TestApp, spawn_app_set, unlimited};
use crate::common::visitor::Visitor;
use reqwest::StatusCode;
use serde_json::{Value, json};
use telemetry_server::config::Variables;
use telemetry_server::config::protection::ProtectionVariables;

/// Part of every text that only maintainers see.
const MARK: &str = "x7qz";

async fn spawn(rare_sessions: &str) -> TestApp {
    let protection = ProtectionVariables { rare_sessions: Some(rare_sessions.to_owned()), ..unlimited() };
    spawn_app_set(Variables { protection, ..Variables::default() }).await
}

fn failure(session: &str) -> Value {
    json!({
        "random_id": session, "execution_id": format!("{session}-1"), "payload_version": 3, "type": "lxc",
        "nsapp": "jellyfin", "status": "failed", "exit_code": 100, "repo_source": "ProxmoxVE",
        "os_type": "debian", "os_version": "13", "pve_version": "9.0.3", "method": "default",
        "error": format!("E: Unable to locate package {MARK}-ffmpeg"), "failed_command": format!("install {MARK}"),
        "cpu_model": format!("cpu {MARK}"), "kernel_version": format!("6.8-{MARK}"),
    })
}

/// The addresses of links on a page that start with `start`.
fn links(page: &str, start: &str) -> Vec<String> {
    let links = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    links.map(|link| link.replace("&amp;", "&")).filter(|link| link.starts_with(start)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_sees_no_text_of_a_single_run_and_a_maintainer_does() {
    let app = spawn("5").await;
    for session in ["one", "two", "three", "four", "five"] {
        let mut event = failure(session);
        event["error"] = json!("E: Unable to locate package common");
        app.report("/telemetry", &event).await;
    }
    let mut rare = failure("rare");
    rare["nsapp"] = json!(format!("app-{MARK}"));
    app.report("/telemetry", &rare).await;
    app.learn_names().await;
    let public = Visitor::of(&app);
    let maintainer = Visitor::signed_in(&app, READ_TOKEN).await;
    let runs: Vec<_> = links(&maintainer.page("/runs").await, "/runs/");
    assert_eq!(runs.len(), 6, "{runs:?}");
    let lists = ["/runs", "/runs?status=failed", "/reasons", "/reasons/apt.package-not-found", "/exit-codes"];
    let lists = lists.into_iter().chain(["/exit-codes/100", "/about"]).map(str::to_owned);
    let mut seen = BTreeSet::new();
    for path in lists.chain(runs.iter().cloned()) {
        let page = public.page(&path).await;
        assert!(!page.contains(MARK), "{path}: {page}");
        if maintainer.page(&path).await.contains(MARK) {
            seen.insert(path);
        }
    }
    assert!(runs.iter().all(|run| seen.contains(run)), "{seen:?}");
    assert!(seen.contains("/runs"), "{seen:?}");
    let filtered = public.page(&format!("/runs?app=app-{MARK}")).await;
    assert!(filtered.contains("No run matches"), "a rare name selects nothing");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_cell_filters_and_pages_follow_each_other() {
    let app = spawn("1").await;
    for number in 0..120 {
        let mut event = failure(&format!("session-{number}"));
        if number % 4 == 0 {
            event["nsapp"] = json!("immich");
            event["exit_code"] = json!(1);
        }
        app.report("/telemetry", &event).await;
    }
    let visitor = Visitor::of(&app);
    let (mut path, mut runs, mut pages) = ("/runs".to_owned(), Vec::new(), 0);
    loop {
        let page = visitor.page(&path).await;
        assert!(page.contains("120</data> runs"), "{page}");
        runs.extend(links(&page, "/runs/"));
        pages += 1;
        match links(&page, "/runs?").into_iter().find(|link| link.contains("cursor=")) {
            Some(next) => path = next,
            None => break,
        }
    }
    let distinct: BTreeSet<_> = runs.iter().collect();
    assert_eq!((pages, runs.len(), distinct.len()), (3, 120, 120));

    let page = visitor.page("/runs?days=7").await;
    for (link, expected) in
        [("/runs?days=7&app=immich", 30), ("/runs?days=7&exit_code=100", 90), ("/runs?days=7&os=debian", 120)]
    {
        assert!(links(&page, link).contains(&link.to_owned()), "{link}");
        let page = visitor.page(link).await;
        assert!(page.contains(&format!("{expected}</data> runs")), "{link}: {page}");
        let api = links(&page, "/api/records").into_iter().next().expect("the export");
        assert_eq!(app.get_json(&api).await["total"], expected, "{api}");
    }
    assert_eq!(visitor.get("/runs?exit_code=x").await.status(), StatusCode::BAD_REQUEST);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_run_is_no_id_and_does_not_open_it() {
    let app = spawn("1").await;
    app.report("/telemetry", &failure("one")).await;
    let visitor = Visitor::of(&app);
    let run = links(&visitor.page("/runs").await, "/runs/").into_iter().next().expect("a run");
    let key = run.trim_start_matches("/runs/");
    assert!(visitor.page(&run).await.contains("A run of jellyfin"));
    assert_eq!(app.get(&format!("/api/runs/{key}")).await.0, StatusCode::NOT_FOUND);
    let erased = visitor.post("/my-run/erase", &[("id", key), ("confirmed", "yes")]).await;
    assert_eq!(erased.status(), StatusCode::OK);
    assert_eq!(app.executions().await, 1);
    for path in ["/runs/one", "/runs/one-1", "/runs/00000000000000000000000000000007"] {
        assert_eq!(visitor.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    // Nor does the id of the session, whose keyed hash is no key of a run.
    let erased = visitor.post("/my-run/erase", &[("id", "one"), ("confirmed", "yes")]).await;
    assert_eq!((erased.status(), app.executions().await), (StatusCode::OK, 0));
    assert_eq!(visitor.get(&run).await.status(), StatusCode::NOT_FOUND);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogues_say_what_to_do_and_where_it_occurs() {
    let app = spawn("1").await;
    app.report("/telemetry", &failure("one")).await;
    let visitor = Visitor::of(&app);
    let reasons = visitor.page("/reasons").await;
    let found = links(&reasons, "/reasons/");
    assert_eq!(found, ["/reasons/apt.package-not-found"], "only what occurs");
    let page = visitor.page(&found[0]).await;
    assert!(page.contains("What to do") && !links(&page, "/scripts/jellyfin").is_empty(), "{page}");
    assert!(links(&visitor.page("/reasons?tool=npm").await, "/reasons/").len() > 5);
    assert!(links(&visitor.page("/reasons?search=name+resolution").await, "/reasons/").len() > 1);
    assert_eq!(visitor.get("/reasons/none").await.status(), StatusCode::NOT_FOUND);

    let codes = visitor.page("/exit-codes").await;
    assert_eq!(links(&codes, "/exit-codes/").first().map(String::as_str), Some("/exit-codes/100"));
    let page = visitor.page("/exit-codes/231").await;
    assert!(page.contains("What older clients mean by it"), "{page}");
    assert_eq!(links(&page, "/runs?exit_code=231").len(), 1);
    let page = visitor.page("/exit-codes/100").await;
    assert!(page.contains("1 run of 1 script ended with this code"), "{page}");
    assert_eq!(links(&page, "/scripts/jellyfin").len(), 1);
    assert_eq!(visitor.get("/exit-codes/256").await.status(), StatusCode::NOT_FOUND);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_about_page_names_the_settings_of_this_server() {
    let protection = ProtectionVariables { rare_sessions: Some("7".to_owned()), ..unlimited() };
    let (retention_days, unfinished_hours) = (Some("90".to_owned()), Some("36".to_owned()));
    let variables = Variables { protection, retention_days, unfinished_hours, ..Variables::default() };
    let app = spawn_app_set(variables).await;
    let page = Visitor::of(&app).page("/about").await;
    for text in
        ["deleted 90 days after", "at least 7 sessions", "for 36 hours", "failed_command", "DIAGNOSTICS=no"]
    {
        assert!(page.contains(text), "{text}: {page}");
    }
    app.stop().await;
}
