//! Text that anybody can send is shown as text.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::chromium::Chromium;
use super::site::{ADMIN_TOKEN, addresses, open_empty_site};
use crate::common::app::TestApp;

/// A text that is harmless, and those that are compared with it.
const HARMLESS: &str = "harmless";
const HOSTILE: [&str; 6] = [
    "');alert(1)//",
    "\"><svg onload=alert(1)><img src=x onerror=alert(1)>",
    "</script></style></title><script>alert(1)</script>",
    "\u{202e}\u{2066}right to left\u{200f}",
    "javascript:alert(1)",
    "",
];

/// Reports failed runs with this text in every field that takes a text.
async fn report(app: &TestApp, text: &str) {
    for number in 0..12 {
        let mut event = json!({
            "random_id": format!("session-{number}"), "execution_id": format!("run-{number}"), "payload_version": 3,
            "type": "lxc", "status": if number < 9 { "failed" } else { "success" }, "exit_code": 100,
            "runtime_source": "remote", "failed_line": 12, "repo_source": "external",
        });
        for field in [
            "nsapp",
            "os_type",
            "os_version",
            "pve_version",
            "method",
            "error_category",
            "failed_command",
            "cpu_vendor",
            "cpu_model",
            "gpu_vendor",
            "gpu_model",
            "gpu_passthrough",
            "ram_speed",
            "arch",
            "platform",
            "kernel_version",
            "app_version",
            "repo_slug",
            "template_kind",
            "runtime_ref",
        ] {
            event[field] = json!(text);
        }
        event["error"] = json!(format!("error: {text}"));
        // Half of the runs have a name that the API accepts whatever the text is.
        if number % 2 == 0 || text.is_empty() {
            event["nsapp"] = json!("docker");
        }
        let response = app.post("/telemetry", event.to_string()).await;
        assert!(response.status().is_success() || response.status() == 400, "{}", response.status());
    }
}

/// The elements and attributes of a page that could run something: each as `element attribute`.
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

/// Opens every page that shows runs with this text, as the public and as an administrator.
async fn visit(text: &str) -> BTreeSet<String> {
    let app = open_empty_site().await;
    report(&app, text).await;
    let browser = Chromium::start(&app.url).await;
    let everything = "days=0&repo=all";
    let mut pages: Vec<String> = vec![];
    for list in [format!("/api/scripts?{everything}"), format!("/api/signatures?{everything}")] {
        let data = app.get_json(&list).await;
        let rows =
            data.as_object().expect("an object").values().find_map(Value::as_array).expect("a list").clone();
        for row in rows {
            let (folder, name) =
                if list.contains("scripts") { ("scripts", &row["app"]) } else { ("failures", &row["id"]) };
            let name = name.as_str().expect("a text");
            let name: String = reqwest::Url::parse("http://x")
                .map(|mut url| {
                    url.path_segments_mut().expect("it has a path").push(name);
                    url.path().to_owned()
                })
                .expect("a URL");
            pages.push(format!("/{folder}{name}?{everything}"));
        }
    }
    let start = format!("/?{everything}");
    pages.extend(addresses(&app, &[&start], "").await);
    let query: String = form(text);
    pages.extend(["/", "/failures", "/nothing"].map(|page| format!("{page}?slug={query}&platform={query}")));
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
            let said: Vec<_> = said.iter().filter(|line| !line.contains("status of 4")).collect();
            assert!(said.is_empty(), "the console of {page}: {said:#?}");
            assert!(requested.iter().all(|url| url.starts_with(&app.url)), "{page} requests {requested:?}");
        }
    }
    browser.close().await;
    app.stop().await;
    words
}

/// A text as a value in a query.
fn form(text: &str) -> String {
    let mut url = reqwest::Url::parse("http://x").expect("a URL");
    url.query_pairs_mut().append_pair("", text);
    url.query().expect("it was set")[1..].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_clients_add_no_element_and_no_attribute_to_any_page() {
    let known = visit(HARMLESS).await;
    let long = "<b>10,000 characters</b>".repeat(420);
    for text in HOSTILE.into_iter().chain([long.as_str()]) {
        let words = visit(text).await;
        let added: Vec<_> = words.difference(&known).collect();
        assert!(added.is_empty(), "{text:.60} adds {added:?}");
    }
}
