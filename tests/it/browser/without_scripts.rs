//! Everything works without JavaScript, and an address is all that a view needs.

use serde_json::json;

use super::chromium::Chromium;
use super::site::{ADMIN_TOKEN, PLANTED, open_site};

#[tokio::test(flavor = "multi_thread")]
async fn filters_are_set_and_removed_and_stay_in_every_link_without_scripts() {
    let app = open_site("1").await;
    for with_scripts in [false, true] {
        let browser = Chromium::start(&app.url).await;
        if !with_scripts {
            browser.disable_scripts().await;
        }
        browser.open("/").await;
        assert_eq!(browser.count("header .switches button").await > 0, with_scripts);
        browser.click(".periods a[href*='days=7']").await;
        assert_eq!(browser.path().await, "/?days=7");
        browser.click(".filter details summary").await;
        browser.click(".filter select[name=type] option[value=lxc]").await;
        browser.click(".filter form button").await;
        browser.until("location.search.includes('type=lxc')").await;
        let filtered = browser.path().await;
        assert!(filtered.contains("days=7"), "{filtered}");
        browser.click("section[aria-labelledby=broke] tbody a.reason").await;
        browser.until("location.pathname.startsWith('/failures/')").await;
        let reason = browser.path().await;
        assert!(reason.contains("days=7") && reason.contains("type=lxc"), "{reason}");
        assert_eq!(browser.text("h1").await, PLANTED);
        assert!(browser.text("main").await.contains("debian"));
        browser.back().await;
        assert_eq!(browser.path().await, filtered);
        browser.forward().await;
        assert_eq!(browser.path().await, reason);
        browser.click(".chips a[href]").await;
        browser.until("!location.search.includes('type=lxc')").await;
        browser.click("figure.chart details summary").await;
        assert!(browser.text("figure.chart details table").await.contains("so far"));
        browser.close().await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_triage_and_erasing_work_without_scripts() {
    let app = open_site("1").await;
    let browser = Chromium::start(&app.url).await;
    browser.disable_scripts().await;

    browser.open("/").await;
    browser.click("a[href^='/sign-in']").await;
    browser.fill("#token", ADMIN_TOKEN).await;
    browser.click("form[action='/sign-in'] button").await;
    browser.until("document.querySelector('form[action=\"/sign-out\"]')").await;

    browser.open("/").await;
    browser.click("section[aria-labelledby=broke] tbody a.reason").await;
    browser.until("location.pathname.startsWith('/failures/')").await;
    let reason = browser.path().await;
    browser.click("details.decide summary").await;
    browser.click("form[action*='/state'] input[value=known]").await;
    let issue = "https://github.com/owner/name/issues/7";
    browser.fill("#issue_url", issue).await;
    browser.click("form[action*='/state'] button").await;
    browser.until(&format!("document.querySelector('main a.button[href=\"{issue}\"]')")).await;
    assert_eq!(browser.path().await, reason);
    let signature = app.get_json(&reason.replacen("/failures/", "/api/signatures/", 1)).await;
    assert_eq!((&signature["state"], &signature["issue_url"]), (&json!("known"), &json!(issue)));

    let id = "12345678-1234-1234-1234-123456789abc";
    let run = json!({ "random_id": id, "nsapp": "jellyfin", "type": "lxc", "status": "success", "cpu_model": "Z80" });
    app.report("/telemetry", &run).await;
    browser.open("/my-run").await;
    browser.fill("#id", id).await;
    browser.click("form[action='/my-run'] button").await;
    browser.until("document.querySelector('main').innerText.includes('Z80')").await;
    assert!(!browser.path().await.contains(id));
    browser.click("form[action='/my-run/erase'] button").await;
    browser.until("document.querySelector('input[name=confirmed]')").await;
    browser.click("form[action='/my-run/erase'] button").await;
    browser.until("document.querySelector('h1').innerText === 'Erased'").await;
    assert_eq!(app.get(&format!("/api/runs/{id}")).await.0, 404);

    browser.open("/my-run").await;
    browser.fill("#id", id).await;
    browser.click("form[action='/my-run'] button").await;
    browser.until("document.querySelector('h1').innerText.startsWith('Nothing')").await;
    browser.close().await;
    app.stop().await;
}
