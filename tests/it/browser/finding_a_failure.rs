//! From the overview to the reason of a failure, and on to an issue.

use chrono::{Days, Utc};

use super::chromium::Chromium;
use super::site::{PLANTED, PLANTED_DAYS, open_site};

/// The planted failure under "What broke lately".
const REASON: &str = "section[aria-labelledby=broke] tbody a.reason";
const ISSUE: &str = "a.button[href^='https://github.com/owner/name/issues/new']";

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_script_is_one_click_from_its_reason_and_two_from_an_issue() {
    let app = open_site("1").await;
    let browser = Chromium::start(&app.url).await;
    let by_keyboard = [false, true];
    for by_keyboard in by_keyboard {
        let follow = async |selector: &str| {
            if by_keyboard { browser.enter(selector).await } else { browser.click(selector).await }
        };
        browser.open("/").await;
        let broke = browser.text("section[aria-labelledby=broke] tbody tr").await;
        for part in ["jellyfin", PLANTED] {
            assert!(broke.contains(part), "{part} is not in {broke}");
        }
        follow(REASON).await;
        browser.until("location.pathname.startsWith('/failures/')").await;
        assert_eq!(browser.text("h1").await, PLANTED);
        let page = browser.text("main").await;
        let since = Utc::now().date_naive() - Days::new(PLANTED_DAYS.into());
        for part in ["jellyfin", "debian", &since.to_string(), "What to do", "100"] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        browser.assert_quiet("the page of the reason").await;
        follow(ISSUE).await;
        browser.until("location.hostname !== '127.0.0.1'").await;
        let (_, requested) = browser.said_and_requested().await;
        let issue =
            requested.iter().find(|url| url.starts_with("https://github.com/")).expect("it is opened");
        for part in ["owner/name/issues/new?", "title=jellyfin", "ffmpeg7", "body="] {
            assert!(issue.contains(part), "{part} is not in {issue}");
        }
    }
    browser.close().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_move_to_the_search_and_between_periods() {
    let app = open_site("1").await;
    let browser = Chromium::start(&app.url).await;
    browser.open("/?days=7").await;
    browser.press('/').await;
    browser.until("document.activeElement.id === 'search'").await;
    browser.open("/?days=7").await;
    browser.press(fantoccini::key::Key::Right.into()).await;
    browser.until("location.search === '?days=30'").await;
    browser.press(fantoccini::key::Key::Left.into()).await;
    browser.until("location.search === '?days=7'").await;
    browser.close().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_theme_and_the_order_of_a_table_can_be_changed() {
    let app = open_site("1").await;
    let browser = Chromium::start(&app.url).await;
    browser.open("/").await;
    let background = "getComputedStyle(document.body).backgroundColor";
    let light = browser.run(&format!("return {background}"), serde_json::json!([])).await;
    browser.click("header button[title*='dark theme']").await;
    browser.until(&format!("{background} !== '{}'", light.as_str().expect("a colour"))).await;
    // It is remembered.
    browser.open("/failures").await;
    browser.until("document.documentElement.dataset.theme === 'dark'").await;

    let runs = "[...document.querySelectorAll('main tbody tr')].map(row => Number([...row.querySelectorAll('td.number data')][0].value))";
    let head = "th.number button";
    browser.click(head).await;
    browser.until(&format!("{runs}.every((value, at, all) => at === 0 || all[at - 1] >= value)")).await;
    browser.click(head).await;
    browser.until(&format!("{runs}.every((value, at, all) => at === 0 || all[at - 1] <= value)")).await;
    browser.assert_quiet("a sorted table").await;
    browser.close().await;
    app.stop().await;
}
