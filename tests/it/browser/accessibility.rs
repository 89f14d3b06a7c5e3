//! Everybody can use every page: in both themes, on a phone, with a screen reader.

use std::path::Path;

use serde_json::{Value, json};

use super::chromium::{Chromium, LOOKS};
use super::site::{addresses, open_empty_site, open_site};

/// Runs axe on the open page and returns its findings.
async fn findings(browser: &Chromium, axe: &str) -> Vec<String> {
    if browser.run("return typeof axe", json!([])).await == "undefined" {
        browser.run(axe, json!([])).await;
    }
    let found = browser
        .run_async(
            "axe.run(document, { resultTypes: ['violations'] }).then(result => result.violations.flatMap(rule => \
             rule.nodes.map(node => `${rule.id}: ${node.target.join(' ')}: ${node.failureSummary}`)))",
        )
        .await;
    match found {
        Value::Array(found) => {
            found.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
        }
        other => panic!("axe failed: {other}"),
    }
}

/// The findings on some pages, in every look.
async fn look_at(browser: &Chromium, pages: &[String], found: &mut Vec<String>) {
    let axe = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page/node_modules/axe-core/axe.min.js");
    let axe = std::fs::read_to_string(axe).expect("scripts/setup test installs axe-core");
    for page in pages {
        browser.open(page).await;
        for look in LOOKS {
            browser.show(look).await;
            let name = format!("{page} at {} in the {} theme", look.width, look.theme);
            let too_wide = browser
                .run(
                    "const limit = document.documentElement.clientWidth;
                     if (document.documentElement.scrollWidth <= limit) return [];
                     return [...document.querySelectorAll('body *')]
                         .filter(e => e.getBoundingClientRect().right > limit + 0.5 && !e.closest('.scroll'))
                         .map(e => `${e.tagName}.${e.className.baseVal ?? e.className}`).slice(0, 5);",
                    json!([]),
                )
                .await;
            if too_wide.as_array().is_none_or(|list| !list.is_empty()) {
                found.push(format!("{name}: wider than the window: {too_wide}"));
            }
            found.extend(
                findings(browser, &axe).await.into_iter().map(|finding| format!("{name}: {finding}")),
            );
        }
        browser.assert_quiet(page).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_passes_axe_in_both_themes_and_fits_a_phone() {
    let app = open_site("1").await;
    let browser = Chromium::start(&app.url).await;
    let pages = addresses(&app, &["/"], "").await;
    for expected in [
        "/",
        "/failures",
        "/scripts",
        "/scripts/jellyfin",
        "/popular",
        "/runs",
        "/reasons",
        "/exit-codes",
        "/my-run",
        "/about",
        "/sign-in",
    ] {
        assert!(pages.iter().any(|page| page == expected), "{expected} is not among {pages:?}");
    }
    let mut found = Vec::new();
    look_at(&browser, &pages, &mut found).await;
    browser.close().await;
    app.stop().await;
    let app = open_empty_site().await;
    let browser = Chromium::start(&app.url).await;
    let pages = addresses(&app, &["/"], "").await;
    look_at(&browser, &pages, &mut found).await;
    browser.close().await;
    app.stop().await;
    assert!(found.is_empty(), "{} findings: {found:#?}", found.len());
}
