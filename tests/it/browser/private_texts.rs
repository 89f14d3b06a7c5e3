//! The texts of a single run are for maintainers who are signed in.

use serde_json::json;

use super::chromium::Chromium;
use super::site::{ADMIN_TOKEN, addresses, open_site, response};
use crate::common::app::{READ_TOKEN, TestApp};

/// Occurs only in the texts of one run.
const MARK: &str = "quokka";

async fn report(app: &TestApp) {
    let event = json!({
        "random_id": "one-run", "execution_id": "one-run-1", "payload_version": 3, "type": "lxc", "nsapp": "jellyfin",
        "status": "failed", "exit_code": 100, "os_type": "debian", "os_version": "12", "pve_version": "9.0.3",
        "error": format!("E: Unable to locate package {MARK}"),
        "failed_command": format!("apt-get install {MARK}"), "cpu_model": format!("{MARK} 9000"),
        "app_version": format!("1.0-{MARK}"), "repo_source": "ProxmoxVE",
    });
    app.report("/telemetry", &event).await;
}

/// The pages that show the text of the run.
async fn shown(app: &TestApp, cookie: &str) -> Vec<String> {
    let mut pages = addresses(app, &["/", "/runs?app=jellyfin&status=failed&days=1"], cookie).await;
    for signature in app.get_all("/api/signatures?days=1").await["signatures"].as_array().expect("a list") {
        pages.push(format!("/failures/{}?days=1", signature["id"].as_str().expect("a text")));
    }
    let mut found = Vec::new();
    for page in pages {
        // The page of a rare failure does not exist for the public.
        if response(app, &page, cookie).await.text().await.expect("a text").contains(MARK) {
            found.push(page);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_single_runs_appear_only_to_those_who_signed_in() {
    let app = open_site("5").await;
    report(&app).await;
    let browser = Chromium::start(&app.url).await;
    assert_eq!(shown(&app, "").await, Vec::<String>::new());
    for token in [READ_TOKEN, ADMIN_TOKEN] {
        browser.open("/sign-in").await;
        browser.fill("#token", "a wrong token").await;
        browser.click("form[action='/sign-in'] button").await;
        browser.until("document.querySelector('[role=alert]')").await;
        browser.fill("#token", token).await;
        browser.click("form[action='/sign-in'] button").await;
        browser.until("location.pathname === '/'").await;
        // Scripts of the page cannot read the cookie.
        assert_eq!(browser.run("return document.cookie", json!([])).await, "");
        let cookies = browser.devtools("Network.getCookies", json!({})).await;
        let cookie = &cookies["cookies"][0];
        assert_eq!((&cookie["httpOnly"], &cookie["sameSite"]), (&json!(true), &json!("Strict")), "{cookie}");
        let [name, value] = ["name", "value"].map(|part| cookie[part].as_str().expect("a text").to_owned());

        let seen = shown(&app, &format!("{name}={value}")).await;
        assert!(seen.iter().any(|page| page.starts_with("/failures/")), "{seen:?}");
        assert!(seen.iter().any(|page| page.starts_with("/runs")), "{seen:?}");
        // A cookie with another character at any place, or with another role, is worth nothing.
        let mut forged: Vec<_> = (0..value.len())
            .map(|at| {
                let other = if value.as_bytes()[at] == b'a' { "b" } else { "a" };
                format!("{}{other}{}", &value[..at], &value[at + 1..])
            })
            .collect();
        forged.push(value.replace("reader", "administrator"));
        forged.push(value.replace("administrator", "reader"));
        for forged in forged.iter().filter(|forged| **forged != value) {
            let page =
                response(&app, &seen[0], &format!("{name}={forged}")).await.text().await.expect("a text");
            assert!(!page.contains(MARK), "{forged}");
        }

        browser.open("/").await;
        browser.click("form[action='/sign-out'] button").await;
        browser.until("document.querySelector('a[href=\"/sign-in\"]')").await;
        browser.open(&seen[0]).await;
        assert!(!browser.text("body").await.contains(MARK));
    }
    browser.close().await;
    app.stop().await;
}
