//! Sessions: what they show, when they end, and forms that only an administrator can send.

use crate::common::app::{Cluster, READ_TOKEN, TestApp, spawn, spawn_app_with, unlimited};
use crate::common::visitor::Visitor;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use telemetry_server::config::Variables;
use telemetry_server::config::protection::ProtectionVariables;
use telemetry_server::ingest::identity::IdKey;

const ADMIN_TOKEN: &str = "correct-horse-battery";
const RECORDS: &str = "/api/records?days=0&repo=all";
/// A text that only maintainers see.
const TEXT: &str = "Unable to locate package x7qz-ffmpeg";

async fn spawn_app() -> TestApp {
    spawn_app_with(protection(ADMIN_TOKEN)).await
}

fn protection(admin_token: &str) -> ProtectionVariables {
    ProtectionVariables { admin_token: admin_token.parse().ok(), ..unlimited() }
}

async fn report_failure(app: &TestApp) {
    let event = json!({
        "random_id": "session", "execution_id": "run", "payload_version": 3, "type": "lxc", "nsapp": "jellyfin",
        "status": "failed", "exit_code": 100, "repo_source": "ProxmoxVE", "error": format!("E: {TEXT}"),
    });
    app.report("/telemetry", &event).await;
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("a text"))
}

/// The value of the hidden field `form_token` of a page.
fn form_token(page: &str) -> &str {
    let (_, rest) = page.split_once(r#"name="form_token" value=""#).expect("the form");
    rest.split('"').next().expect("a value")
}

async fn signature(app: &TestApp) -> String {
    let signatures = app.get_all("/api/signatures").await;
    signatures["signatures"][0]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_sees_what_its_token_shows_and_no_other_origin_reads_it() {
    let app = spawn_app().await;
    report_failure(&app).await;
    let public = Visitor::of(&app);
    let response = public.get(RECORDS).await;
    assert_eq!(header(&response, "access-control-allow-origin"), "*");
    assert!(!response.text().await.expect("a text").contains(TEXT));
    for token in [READ_TOKEN, ADMIN_TOKEN] {
        let visitor = Visitor::signed_in(&app, token).await;
        let response = visitor.get(RECORDS).await;
        assert_eq!(header(&response, "access-control-allow-origin"), "");
        assert_eq!(header(&response, "access-control-allow-credentials"), "");
        assert_eq!(header(&response, "vary"), "Authorization, Cookie");
        assert_eq!(header(&response, "set-cookie"), "");
        assert!(response.text().await.expect("a text").contains(TEXT));
        // The cookie opens what the token opens.
        let status = if token == ADMIN_TOKEN { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        assert_eq!(visitor.get("/admin/status").await.status(), status);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_closed_to_scripts_and_other_sites_and_secure_behind_tls() {
    let app = spawn_app().await;
    let visitor = Visitor::of(&app);
    let response = visitor.post("/sign-in", &[("token", READ_TOKEN)]).await;
    assert_eq!((response.status(), header(&response, "location")), (StatusCode::SEE_OTHER, "/"));
    assert_eq!(header(&response, "cache-control"), "no-store");
    let cookie = header(&response, "set-cookie");
    let attributes: Vec<_> = cookie.split("; ").skip(1).collect();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(attributes.contains(&attribute), "{attribute}: {attributes:?}");
    }
    assert!(!cookie.contains("Secure") && !cookie.contains(READ_TOKEN));
    let forwarded = [("x-forwarded-proto", "https")];
    let response = visitor.post_with("/sign-in", &[("token", READ_TOKEN)], &forwarded).await;
    assert!(header(&response, "set-cookie").contains("; Secure"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_or_expired_cookie_is_the_public_view_and_is_removed() {
    let cluster = tokio::task::block_in_place(Cluster::shared);
    let id_key = "the-key-of-the-run-ids";
    let variables = Variables {
        protection: protection(ADMIN_TOKEN),
        id_key: id_key.parse().ok(),
        ..Variables::default()
    };
    let app = spawn(cluster.database().await, variables).await;
    report_failure(&app).await;
    let signed = |content: &str| {
        let token = READ_TOKEN.parse().expect("a text");
        format!("{content}-{}", IdKey::new(id_key.as_bytes()).sign(&token, &format!("session {content}")))
    };
    let mut visitor = Visitor::signed_in(&app, READ_TOKEN).await;
    let cookie = visitor.cookie.clone().expect("a cookie");
    let (name, value) = cookie.split_once('=').expect("a value");
    let until = |seconds: u32| signed(&format!("reader-{seconds}-0"));
    for (value, is_valid) in [
        (value.to_owned(), true),
        (until(u32::MAX), true),
        (until(1_700_000_000), false),
        (until(u32::MAX).replace("reader", "administrator"), false),
        (signed("administrator-4000000000-0"), false),
        (format!("{value}0"), false),
        (value.replace("reader", "administrator"), false),
        (String::new(), false),
        ("x".repeat(10_000), false),
    ] {
        visitor.cookie = Some(format!("{name}={value}"));
        let response = visitor.get(RECORDS).await;
        assert_eq!(response.status(), StatusCode::OK);
        let removal = header(&response, "set-cookie").to_owned();
        assert_eq!(
            removal.contains("telemetry_session=;") && removal.contains("Max-Age=0"),
            !is_valid,
            "{value}"
        );
        assert_eq!(header(&response, "access-control-allow-origin") == "*", !is_valid);
        assert_eq!(response.text().await.expect("a text").contains(TEXT), is_valid, "{value}");
        assert_ne!(visitor.get("/admin/status").await.status(), StatusCode::OK);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_token_ends_the_sessions_of_the_old_one() {
    let app = spawn_app().await;
    report_failure(&app).await;
    let visitor = Visitor::signed_in(&app, ADMIN_TOKEN).await;
    let options = app.pool().connect_options().as_ref().clone();
    let sees_text = async |admin_token: &str| {
        let variables = Variables { protection: protection(admin_token), ..Variables::default() };
        let other = spawn(options.clone(), variables).await;
        let mut same = Visitor::of(&other);
        same.cookie.clone_from(&visitor.cookie);
        let sees_text = same.get(RECORDS).await.text().await.expect("a text").contains(TEXT);
        other.stop().await;
        sees_text
    };
    assert!(sees_text(ADMIN_TOKEN).await, "another instance accepts the session");
    assert!(!sees_text("another-token-of-an-admin").await);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tokens_are_counted_and_limited_and_beyond_that_the_right_one_is_refused() {
    let app = spawn_app().await;
    let visitor = Visitor::of(&app);
    for _ in 0..20 {
        assert_eq!(visitor.post("/sign-in", &[("token", READ_TOKEN)]).await.status(), StatusCode::SEE_OTHER);
    }
    for token in ["", "wrong", "correct-horse-batterY", &ADMIN_TOKEN[1..], "é"] {
        let response = visitor.post("/sign-in", &[("token", token)]).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(header(&response, "set-cookie"), "");
        let page = response.text().await.expect("a text");
        assert!(page.contains("This token is not right") && !page.contains("batterY"), "{page}");
    }
    let response = visitor.post("/sign-in", &[("token", ADMIN_TOKEN)]).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(header(&response, "set-cookie"), "");
    let metrics = app.request(Method::GET, "/metrics").send().await.expect("an answer");
    let metrics = metrics.text().await.expect("a text");
    assert!(metrics.contains("\ntelemetry_read_denied_total 5\n"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_session_of_the_browser_and_needs_its_cookie() {
    let app = spawn_app().await;
    let mut visitor = Visitor::signed_in(&app, READ_TOKEN).await;
    assert!(visitor.page("/sign-in").await.contains("Sign out"));
    let response = visitor.post("/sign-out", &[]).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert!(header(&response, "set-cookie").contains("Max-Age=0"));
    // A form of another site comes without the cookie.
    visitor.cookie = None;
    assert_eq!(header(&visitor.post("/sign-out", &[]).await, "set-cookie"), "");
    assert_eq!(visitor.get("/sign-out").await.status(), StatusCode::METHOD_NOT_ALLOWED);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_sets_the_state_on_the_page_and_nobody_else_can() {
    let app = spawn_app().await;
    report_failure(&app).await;
    let id = signature(&app).await;
    let (page, path) = (format!("/failures/{id}?days=7"), format!("/failures/{id}/state?days=7"));
    let administrator = Visitor::signed_in(&app, ADMIN_TOKEN).await;
    let own = administrator.page(&page).await;
    let token = form_token(&own);
    let state = async || app.get_all(&format!("/api/signatures/{id}")).await;
    let decision = |token| {
        let issue = "https://github.com/owner/name/issues/1";
        [("form_token", token), ("state", "known"), ("issue_url", issue), ("note", " ask me@example.org ")]
    };
    let reader = Visitor::signed_in(&app, READ_TOKEN).await;
    let public = Visitor::of(&app);
    for (visitor, status) in [(&public, StatusCode::UNAUTHORIZED), (&reader, StatusCode::FORBIDDEN)] {
        assert!(!visitor.page(&page).await.contains("form_token"));
        assert_eq!(visitor.post(&path, &decision(token)).await.status(), status);
    }
    let other = Visitor::signed_in(&app, ADMIN_TOKEN).await;
    let foreign = other.page(&page).await;
    for token in ["", "0", form_token(&foreign)] {
        assert_eq!(administrator.post(&path, &decision(token)).await.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(administrator.post(&path, &decision(token)[1..]).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(state().await["state"], "open");

    let response = administrator.post(&path, &decision(token)).await;
    assert_eq!((response.status(), header(&response, "location")), (StatusCode::SEE_OTHER, page.as_str()));
    let stored: Value = state().await;
    assert_eq!((&stored["state"], &stored["issue_url"]), (&json!("known"), &json!(decision("")[2].1)));
    assert!(!stored["note"].as_str().expect("a note").contains("me@example.org"), "{stored}");
    assert!(administrator.page(&page).await.contains(decision("")[2].1));

    for (field, value) in [("state", "regressed"), ("issue_url", "javascript:alert(1)"), ("note", "a\0b")] {
        let mut fields = decision(token);
        fields.iter_mut().filter(|(name, _)| *name == field).for_each(|(_, sent)| *sent = value);
        assert_eq!(administrator.post(&path, &fields).await.status(), StatusCode::BAD_REQUEST, "{field}");
    }
    let unknown = administrator.post("/failures/00000000000000ff/state", &decision(token)).await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    app.stop().await;
}
