//! Text that anybody can send is shown as text.

use std::collections::BTreeSet;

use serde_json::json;

use super::chromium::Chromium;
use super::site::{ADMIN_TOKEN, addresses, html, links, open_empty_site};
use crate::common::app::TestApp;

/// The fields that take any text.
const FIELDS: &str = "nsapp os_type os_version pve_version method error_category failed_command cpu_vendor cpu_model \
    gpu_vendor gpu_model gpu_passthrough ram_speed arch platform kernel_version app_version repo_slug template_kind \
    runtime_ref";
const HOSTILE: [&str; 6] = [
    "');alert(1)//",
    "\"><svg onload=alert(1)><img src=x onerror=alert(1)>",
    "</script></style></title><script>alert(1)</script>",
    "\u{202e}\u{2066}right to left\u{200f}",
    "javascript:alert(1)",
    "",
];

/// Reports runs with each text in every field that takes one.
async fn report(app: &TestApp, texts: &[&str]) {
    for (number, text) in texts.iter().enumerate() {
        for status in ["failed", "aborted", "success"] {
            let session = format!("session-{number}-{status}");
            let mut event = json!({
                "random_id": session, "execution_id": session, "payload_version": 3, "type": "lxc", "status": status,
                "exit_code": 100, "runtime_source": "remote", "failed_line": 12, "repo_source": "external",
                "error": format!("error: {text}"),
            });
            for field in FIELDS.split_whitespace() {
                event[field] = json!(text);
            }
            let status = app.post("/telemetry", event.to_string()).await.status();
            assert!(status == 200 || status == 400, "{status}");
        }
    }
}

/// The elements of a page, and their attributes as `element attribute`.
async fn vocabulary(browser: &Chromium) -> BTreeSet<String> {
    let words = browser
        .run(
            "return [...document.querySelectorAll('*')].flatMap(e =>
                 [e.localName, ...[...e.attributes].map(a => `${e.localName} ${a.name}`)])",
            json!([]),
        )
        .await;
    serde_json::from_value(words).expect("a list of texts")
}

/// Opens every page that shows runs with these texts, as the public and as an administrator, and returns the elements
/// and attributes.
async fn visit(texts: &[&str]) -> BTreeSet<String> {
    let app = open_empty_site().await;
    report(&app, texts).await;
    let browser = Chromium::start(&app.url).await;
    let mut pages = addresses(&app, &["/?days=0&repo=all", "/runs?repo=all"], "").await;
    for list in ["/runs?repo=all", "/failures?days=0&repo=all", "/scripts?days=0&repo=all"] {
        pages.extend(links(&html(&app, list, "").await));
    }
    for text in texts {
        let query = encoded(text);
        pages.extend(["/", "/failures", "/scripts", "/runs"].map(|page| {
            format!("{page}?days=0&repo=all&slug={query}&platform={query}&search={query}&app={query}")
        }));
    }
    let pages: BTreeSet<_> = pages.into_iter().collect();
    let mut words = BTreeSet::new();
    for signed_in in [false, true] {
        if signed_in {
            browser.open("/sign-in").await;
            browser.fill("#token", ADMIN_TOKEN).await;
            browser.click("form[action='/sign-in'] button").await;
            browser.until("location.pathname === '/'").await;
        }
        for page in &pages {
            browser.open(page).await;
            words.extend(vocabulary(&browser).await);
            let (said, requested) = browser.said_and_requested().await;
            // The console reports pages that do not exist.
            let said: Vec<_> = said.iter().filter(|line| !line.contains("status of 4")).collect();
            assert!(said.is_empty(), "the console of {page}: {said:#?}");
            assert!(requested.iter().all(|url| url.starts_with(&app.url)), "{page} requests {requested:?}");
        }
    }
    // A dialog would block the last command.
    for text in texts {
        browser.open("/my-run").await;
        browser.fill("#id", &format!("{text}x").replace(char::is_control, "")).await;
        browser.click("form[action='/my-run'] button").await;
        browser.until("document.querySelector('h1')").await;
        words.extend(vocabulary(&browser).await);
    }
    browser.close().await;
    app.stop().await;
    words
}

/// A text as a value in a query.
fn encoded(text: &str) -> String {
    let mut url = reqwest::Url::parse("http://x").expect("a URL");
    url.query_pairs_mut().append_pair("", text);
    url.query().expect("it was set")[1..].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_clients_add_no_element_and_no_attribute_to_any_page() {
    let long = "<b>10,000 characters</b>".repeat(420);
    let hostile: Vec<_> = HOSTILE.into_iter().chain([long.as_str()]).collect();
    // As many runs, because some rates are only shown from ten runs on.
    let known = visit(&vec!["harmless"; hostile.len()]).await;
    let added: Vec<_> = visit(&hostile).await.difference(&known).cloned().collect();
    assert!(added.is_empty(), "{added:?}");
}
