//! Every number on a page equals that in the JSON to which the page links.

use serde_json::{Value, json};

use super::chromium::Chromium;
use super::site::open_site;
use crate::common::app::TestApp;

const TABLES: &str = include_str!("tables.js");
/// Filters that pages and the API have in common.
const FILTERS: [&str; 8] = [
    "",
    "days=7",
    "days=1&repo=all",
    "days=60&type=lxc",
    "repo=ProxmoxVED",
    "type=vm",
    "platform=pve",
    "days=0&repo=external",
];

/// All numbers in a JSON value.
fn numbers(value: &Value, found: &mut Vec<f64>) {
    match value {
        Value::Number(number) => found.extend(number.as_f64()),
        Value::Array(items) => {
            found.push(items.len() as f64);
            items.iter().for_each(|item| numbers(item, found));
        }
        Value::Object(fields) => fields.values().for_each(|field| numbers(field, found)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn has(numbers: &[f64], wanted: f64) -> bool {
    numbers.iter().any(|number| (number - wanted).abs() < 1e-9)
}

/// The first number of a row that an item of a list lacks.
fn missing(row: &Value, item: &Value) -> Option<f64> {
    let mut known = Vec::new();
    numbers(item, &mut known);
    let shown = row["numbers"].as_array().expect("a list").iter().filter_map(Value::as_f64);
    shown.into_iter().find(|number| !has(&known, *number))
}

/// Compares the tables of a page with their data. Returns the number of tables.
async fn compare(app: &TestApp, browser: &Chromium, page: &str) -> usize {
    browser.open(page).await;
    let shown = browser.run(TABLES, json!([])).await;
    assert_eq!(shown["unassigned"], 0, "{page} has a table without data");
    let tables = shown["tables"].as_array().expect("a list");
    for table in tables {
        let path = table["json"].as_str().expect("a text");
        let data = app.get_json(path).await;
        let rows = table["rows"].as_array().expect("a list");
        if table["list"].is_null() {
            let is_daily = table["isDaily"] == true;
            for row in rows.iter().filter(|_| is_daily) {
                let mut known = vec![0.0];
                numbers(&data, &mut known);
                let wrong = row["numbers"].as_array().expect("a list").iter().filter_map(Value::as_f64);
                let wrong: Vec<_> = wrong.filter(|number| !has(&known, *number)).collect();
                assert!(wrong.is_empty(), "{page}: {wrong:?} of {} are not in {path}", row["text"]);
            }
            continue;
        }
        let list = table["list"].as_str().expect("the name of a list");
        let items = data[list].as_array().unwrap_or_else(|| panic!("{path} has no list {list}"));
        // Rows are in the order of the list, of which a page may leave items out.
        let mut rest = items.iter();
        for row in rows {
            let is_found = rest.any(|item| missing(row, item).is_none());
            assert!(is_found, "{page}: {} is not in {list} of {path}", row["text"]);
        }
    }
    let path = page.split('?').next();
    let api = match (path, shown["json"].as_str()) {
        (Some("/"), _) => page.replacen('/', "/api/dashboard", 1),
        (_, Some(json)) => json.to_owned(),
        (_, None) => return tables.len(),
    };
    let mut known = Vec::new();
    numbers(&app.get_json(&api).await, &mut known);
    for number in shown["lead"].as_array().expect("a list") {
        let text = number.as_str().expect("a text");
        let value: f64 = text.parse().expect("a number");
        // A percentage is rounded, and the change against the period before is in points.
        let is_known =
            has(&known, value) || known.iter().any(|share| format!("{:.1}", share * 100.0) == text);
        let has_change = path.is_some_and(|path| path == "/" || path.starts_with("/scripts/"));
        let is_change = has_change && text.contains('.');
        assert!(is_known || is_change, "{page}: {text} is not in {api}");
    }
    tables.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_on_a_page_is_in_its_json() {
    let app = open_site("1").await;
    let browser = Chromium::start(&app.url).await;
    let all = app.get_json("/api/signatures").await;
    let mut pages =
        ["/", "/failures", "/scripts", "/scripts/jellyfin", "/popular", "/runs"].map(str::to_owned).to_vec();
    for position in [0, 1] {
        pages.push(format!("/failures/{}", all["signatures"][position]["id"].as_str().expect("a text")));
    }
    pages.extend(["new", "rising", "blocked", "ignored"].map(|tab| format!("/failures?tab={tab}")));
    let mut tables = 0;
    for filter in FILTERS {
        for page in &pages {
            let mark = if page.contains('?') { '&' } else { '?' };
            let page = if filter.is_empty() { page.clone() } else { format!("{page}{mark}{filter}") };
            tables += compare(&app, &browser, &page).await;
        }
    }
    assert!(tables >= 100, "{tables}");
    browser.close().await;
    app.stop().await;
}
