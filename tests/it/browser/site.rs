//! A server with invented runs, in which one planted failure is to be found, and its pages as a browser gets them.

use std::collections::BTreeSet;

use chrono::Utc;
use reqwest::header::{ACCEPT, COOKIE};
use reqwest::{Method, Response, StatusCode};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use telemetry_seed::{Plan, seed};
use telemetry_server::config::Variables;
use telemetry_server::config::outgoing::OutgoingVariables;
use telemetry_server::config::protection::ProtectionVariables;
use telemetry_server::store::database::migrate;

use crate::common::app::{TestApp, spawn_app_filled, spawn_app_set, unlimited};

pub(super) const ADMIN_TOKEN: &str = "correct-horse-battery";
/// The title of the planted failure.
pub(super) const PLANTED: &str = "A package does not exist: ffmpeg7";
/// Days ago on which it begins.
pub(super) const PLANTED_DAYS: u32 = 5;
const DAYS: u32 = 60;
const EXECUTIONS: usize = 8_000;

/// Starts a server with invented runs of 60 days. Names and templates are public from so many sessions on.
pub(super) async fn open_site(rare_sessions: &str) -> TestApp {
    spawn_app_filled(variables(rare_sessions), invent).await
}

/// Starts a server without any run.
pub(super) async fn open_empty_site() -> TestApp {
    spawn_app_set(variables("1")).await
}

fn variables(rare_sessions: &str) -> Variables {
    let outgoing = OutgoingVariables {
        github_repository: Some("owner/name".to_owned()),
        ..OutgoingVariables::default()
    };
    let protection = ProtectionVariables {
        admin_token: ADMIN_TOKEN.parse().ok(),
        rare_sessions: Some(rare_sessions.to_owned()),
        ..unlimited()
    };
    Variables { protection, outgoing, ..Variables::default() }
}

async fn invent(options: &PgConnectOptions) {
    let pool = PgPool::connect_with(options.clone()).await.expect("it runs");
    let mut connection = pool.acquire().await.expect("it runs");
    migrate::migrate(&mut connection).await.expect("it is empty");
    drop(connection);
    let plant = format!(
        "app=jellyfin,os=debian,from={PLANTED_DAYS},rate=0.9,exit_code=100,error=E: Unable to locate package ffmpeg7"
    );
    let plants = vec![plant.parse().expect("a plant")];
    let plan = Plan { executions: EXECUTIONS, days: DAYS, seed: 16, until: Utc::now(), plants };
    seed(&pool, &plan, |_| ()).await.expect("it is written");
    pool.close().await;
}

/// The response to a browser, which may have a cookie.
pub(super) async fn response(app: &TestApp, path: &str, cookie: &str) -> Response {
    let request = app.request(Method::GET, path).header(ACCEPT, "text/html,*/*;q=0.8").header(COOKIE, cookie);
    request.send().await.expect("a response")
}

/// A page, which must exist.
pub(super) async fn html(app: &TestApp, path: &str, cookie: &str) -> String {
    let response = response(app, path, cookie).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    let kind = response.headers()["content-type"].to_str().expect("a text").to_owned();
    assert!(kind.starts_with("text/html"), "{path}: {kind}");
    response.text().await.expect("a text")
}

/// Some addresses, and one of each kind of page that links from there lead to. Pages are of the same kind if their
/// paths differ only in a name.
pub(super) async fn addresses(app: &TestApp, starts: &[&str], cookie: &str) -> Vec<String> {
    let mut found: Vec<String> = starts.iter().map(|start| (*start).to_owned()).collect();
    let mut kinds: BTreeSet<_> = found.iter().map(|address| kind(address)).collect();
    let mut next = 0;
    while let Some(address) = found.get(next) {
        let links = links(&html(app, address, cookie).await);
        found.extend(links.into_iter().filter(|link| kinds.insert(kind(link))));
        next += 1;
    }
    found
}

/// The links of a page to other pages of the server.
pub(super) fn links(html: &str) -> Vec<String> {
    let links = html.split("<a ").skip(1).filter_map(|rest| rest.split_once('>')?.0.split_once("href=\""));
    let links = links.filter_map(|(_, rest)| Some(rest.split_once('"')?.0.replace("&amp;", "&")));
    let links = links.map(|link| link.split('#').next().unwrap_or_default().to_owned());
    let is_page = |link: &String| {
        link.starts_with('/') && !["/api/", "/docs"].iter().any(|other| link.starts_with(other))
    };
    links.filter(is_page).collect()
}

fn kind(address: &str) -> String {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let mut parts = path.split('/').skip(1);
    let tab = query.split('&').find(|pair| pair.starts_with("tab=")).unwrap_or_default();
    format!("{}/{} {tab}", parts.next().unwrap_or_default(), parts.count())
}
