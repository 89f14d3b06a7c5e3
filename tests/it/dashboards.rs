//! Every query of every dashboard runs: against the database, as Grafana's user, with invented executions; and
//! against a real Prometheus that scrapes a real server. Each returns data, in the columns that its panel
//! names. There is no Grafana here: that the files are dashboards is checked by what Grafana needs of them, and
//! by the types that it publishes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::common::app::{TestApp, spawn_app_set, unlimited};
use crate::common::dashboard::{Dashboard, Expansion, dashboards, list};
use crate::common::grafana::grafana;
use crate::common::prometheus::Prometheus;
use chrono::{SecondsFormat, TimeDelta, Utc};
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Column, Connection, PgConnection, Row, TypeInfo};
use telemetry_seed::{Plan, seed};
use telemetry_server::config::Variables;

const SOURCES: [&str; 2] = ["telemetry-prometheus", "telemetry-postgres"];
/// The colours of Okabe and Ito, which people with any colour vision tell apart, and a grey.
const PALETTE: [&str; 8] =
    ["#009E73", "#D55E00", "#E69F00", "#CC79A7", "#56B4E9", "#0072B2", "#F0E442", "#999999"];
/// The script with a planted failure.
const PLANTED: &str = "app=jellyfin,from=1,rate=0.9,exit_code=100,error=E: Unable to locate package ffmpeg7";
/// Longest wait for Prometheus.
const PATIENCE: Duration = Duration::from_secs(120);

fn text<'a>(value: &'a Value, what: &str) -> &'a str {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or_else(|| panic!("{what} is no text: {value}"))
}

#[test]
fn every_file_is_a_dashboard() {
    let all = dashboards();
    let uids: BTreeSet<_> = all.iter().map(|dashboard| text(&dashboard.json["uid"], "uid")).collect();
    assert_eq!(uids.len(), all.len(), "each has a uid of its own");
    assert_eq!(all.len(), 4);
    for Dashboard { file, json } in &all {
        for key in ["title", "description"] {
            text(&json[key], key);
        }
        assert!(json["schemaVersion"].is_u64() && json["time"]["from"].is_string(), "{file}");
        let panels = list(&json["panels"]);
        let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
        assert_eq!(ids.len(), panels.len(), "{file}: each panel has an id of its own");
        let mut taken = BTreeMap::new();
        for panel in panels {
            let title = text(&panel["title"], "title");
            let [x, y, w, h] =
                ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().expect("a place"));
            assert!(w > 0 && h > 0 && x + w <= 24, "{file}: {title} is outside");
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert_eq!(taken.insert(cell, title), None, "{file}: {title} covers another panel");
            }
        }
    }
}

#[test]
fn every_panel_has_a_description_a_unit_and_distinguishable_colours() {
    for dashboard in dashboards() {
        for panel in dashboard.panels() {
            let (file, title) = (&dashboard.file, text(&panel["title"], "title"));
            let description = text(&panel["description"], title);
            assert!(description.len() > 15 && description.ends_with('.'), "{file}: {title}: {description}");
            let kind = text(&panel["type"], "type");
            assert!(
                ["stat", "timeseries", "table", "bargauge", "barchart"].contains(&kind),
                "{file}: {kind}"
            );
            let defaults = &panel["fieldConfig"]["defaults"];
            text(&defaults["unit"], title);
            assert!(!list(&defaults["thresholds"]["steps"]).is_empty(), "{file}: {title} has no thresholds");
            for target in list(&panel["targets"]) {
                let uid = text(&target["datasource"]["uid"], title);
                assert!(SOURCES.contains(&uid), "{file}: {title}: {uid}");
            }
            let refs: BTreeSet<_> =
                list(&panel["targets"]).iter().map(|target| &target["refId"]).map(Value::to_string).collect();
            assert!(!refs.is_empty() && refs.len() == list(&panel["targets"]).len(), "{file}: {title}");
        }
        let mut colours = BTreeSet::new();
        each_text(&dashboard.json, &mut |key, value| {
            if matches!(key, "color" | "fixedColor") {
                colours.insert(value.to_owned());
            }
        });
        assert!(colours.iter().all(|colour| PALETTE.contains(&colour.as_str())), "{colours:?}");
    }
}

#[test]
fn every_link_leads_to_a_dashboard_with_variables_that_it_has() {
    let all = dashboards();
    let mut followed = 0;
    for dashboard in &all {
        each_text(&dashboard.json, &mut |key, url| {
            let Some(target) = url.strip_prefix("/d/").filter(|_| key == "url") else { return };
            let (uid, query) = target.split_once('?').unwrap_or((target, ""));
            let to = all.iter().find(|other| other.json["uid"] == uid);
            let to = to.unwrap_or_else(|| panic!("{}: no dashboard {uid}", dashboard.file));
            let has =
                |of: &Dashboard, name: &str| of.variables().iter().any(|variable| variable["name"] == name);
            for part in query.split('&') {
                let set = part.strip_prefix("var-").and_then(|part| part.split('=').next());
                let kept = part.strip_prefix("${").and_then(|part| part.strip_suffix(":queryparam}"));
                assert!(set.is_none_or(|name| has(to, name)), "{}: {url}", dashboard.file);
                assert!(kept.is_none_or(|name| has(dashboard, name)), "{}: {url}", dashboard.file);
            }
            followed += 1;
        });
    }
    assert!(followed > 10, "{followed}");
}

/// Calls `seen` with every text and the key under which it stands.
fn each_text(value: &Value, seen: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if let Value::String(text) = value {
                    seen(key, text);
                }
                each_text(value, seen);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each_text(item, seen)),
        _ => {}
    }
}

/// A server with ten days of invented runs.
async fn seeded() -> TestApp {
    // A folder, so that there is a disk to measure; the database is that of the test.
    let data_dir = Some(std::env::temp_dir().display().to_string());
    let app = spawn_app_set(Variables { data_dir, protection: unlimited(), ..Variables::default() }).await;
    let plants = vec![PLANTED.parse().expect("a plant")];
    let plan = Plan { executions: 12_000, days: 10, seed: 7, until: Utc::now(), plants };
    seed(app.pool(), &plan, |_| {}).await.expect("it runs");
    app
}

/// The values of the variables, each by its own query.
async fn expansion(dashboard: &Dashboard, database: &mut PgConnection) -> Expansion {
    let now = Utc::now();
    let time = |time: chrono::DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut expansion =
        Expansion { variables: BTreeMap::new(), from: time(now - TimeDelta::days(9)), to: time(now) };
    for variable in dashboard.variables() {
        let name = text(&variable["name"], "name").to_owned();
        text(&variable["description"], &name);
        let values = if variable["type"] == "query" {
            let query = AssertSqlSafe(expansion.sql(text(&variable["query"], &name)));
            let values: Vec<String> =
                sqlx::query_scalar(query).fetch_all(&mut *database).await.expect("it runs");
            assert!(!values.is_empty(), "{name} has values");
            values
        } else {
            vec![String::new()]
        };
        let values = if name == "script" { vec!["jellyfin".to_owned()] } else { values };
        expansion.variables.insert(name, values);
    }
    expansion
}

/// The fields that a panel names in its settings.
fn named_fields(panel: &Value) -> Vec<&str> {
    let overrides = list(&panel["fieldConfig"]["overrides"]).iter();
    let mut fields: Vec<_> = overrides.map(|field| text(&field["matcher"]["options"], "a field")).collect();
    fields.extend(panel["options"]["xField"].as_str());
    fields
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_database_returns_what_its_panel_shows() {
    let app = seeded().await;
    let mut database = grafana(app.pool()).await;
    let mut columns = BTreeMap::new();
    for dashboard in dashboards() {
        let expansion = expansion(&dashboard, &mut database).await;
        for panel in dashboard.panels() {
            let title = text(&panel["title"], "title");
            for target in list(&panel["targets"]) {
                let Some(query) = target["rawSql"].as_str() else { continue };
                // A sum of nothing is null, and so would be a rate of 0.
                let numerators = query.split("::double precision").collect::<Vec<_>>();
                for pair in numerators.windows(2).filter(|pair| pair[1].trim_start().starts_with("/ nullif"))
                {
                    let counted = pair[0].rsplit('\n').next().is_some_and(|line| line.contains("count("));
                    assert!(pair[0].ends_with(", 0)") || counted, "{title}: {}", pair[0]);
                }
                let query = expansion.sql(query);
                let rows = sqlx::query(AssertSqlSafe(query.as_str())).fetch_all(&mut database).await;
                let rows = rows.unwrap_or_else(|error| panic!("{title}: {error}\n{query}"));
                let row = rows.first().unwrap_or_else(|| panic!("{title} shows nothing:\n{query}"));
                let found: Vec<_> =
                    row.columns().iter().map(|column| (column.name(), column.type_info().name())).collect();
                let mut names: BTreeSet<_> = found.iter().map(|(name, _)| (*name).to_owned()).collect();
                if target["format"] == "time_series" {
                    assert_eq!(found[0], ("time", "TIMESTAMPTZ"), "{title}");
                    assert!(
                        found.iter().any(|(_, kind)| matches!(*kind, "FLOAT8" | "INT8")),
                        "{title}: {found:?}"
                    );
                    if names.contains("metric") {
                        names.extend(rows.iter().map(|row| row.get::<String, _>("metric")));
                    }
                }
                let known = ["success", "failed", "blocked", "aborted", "running", "unfinished", "open"];
                for field in named_fields(panel) {
                    let may_be_missing = names.contains("metric") && known.contains(&field);
                    assert!(names.contains(field) || may_be_missing, "{title} has no {field}: {names:?}");
                }
                columns.insert(
                    format!("{}: {title}", dashboard.file),
                    json!(found.iter().map(|(name, kind)| format!("{name} {kind}")).collect::<Vec<_>>()),
                );
            }
        }
    }
    assert!(columns.len() > 20, "{}", columns.len());
    assert_json_snapshot!("dashboard_columns", columns);
    the_planted_failure_is_found(&mut database).await;
    database.close().await.expect("it runs");
    app.stop().await;
}

/// What a maintainer does: the overview says what got worse (a panel of Prometheus), one click on it says why.
async fn the_planted_failure_is_found(database: &mut PgConnection) {
    let all = dashboards();
    let mut ask = async |file: &str, title: &str, columns: &[&str]| -> Vec<String> {
        let dashboard = all.iter().find(|dashboard| dashboard.file == file).expect("it is there");
        let expansion = expansion(dashboard, database).await;
        let panel = dashboard.panels().find(|panel| panel["title"] == title).expect("it is there");
        let query = expansion.sql(panel["targets"][0]["rawSql"].as_str().expect("a query"));
        let columns: Vec<_> = columns.iter().map(|column| format!("{column}::text")).collect();
        let first = format!("select {} from ({query}) as panel limit 1", columns.join(" || '|' || "));
        sqlx::query_scalar(AssertSqlSafe(first)).fetch_all(&mut *database).await.expect("it runs")
    };
    let reason = ask("script.json", "Failures", &["template"]).await;
    assert!(reason[0].contains("ffmpeg7"), "{reason:?}");
    assert_eq!(ask("script.json", "Exit codes", &["exit_code", "category"]).await, ["100|dependency"]);
    let reason = ask("failures.json", "New since yesterday", &["template"]).await;
    assert!(!reason[0].is_empty());
}

/// The tables that are made of metrics: each field that a panel names is a label, or the renamed value of a query.
/// Returns what the last one shows.
async fn tables_of_prometheus(prometheus: &Prometheus, database: &mut PgConnection) -> Vec<Value> {
    let mut shown = Vec::new();
    for dashboard in dashboards() {
        let expansion = expansion(&dashboard, database).await;
        for panel in dashboard.panels().filter(|panel| panel["type"] == "table") {
            let targets = list(&panel["targets"]);
            let Some(query) = targets[0]["expr"].as_str() else { continue };
            let title = text(&panel["title"], "title");
            shown = prometheus.query(&expansion.promql(query)).await.unwrap_or_default();
            let labels = shown[0]["metric"].as_object().expect("labels");
            let mut fields: BTreeSet<_> = labels.keys().map(String::as_str).collect();
            let mut organized =
                list(&panel["transformations"]).iter().filter(|step| step["id"] == "organize");
            let renamed = &organized.next().expect("names for the values")["options"]["renameByName"];
            for target in targets {
                assert!(target["format"] == "table" && target["instant"] == true, "{title}");
                let value = format!("Value #{}", text(&target["refId"], title));
                fields.insert(text(&renamed[&value], title));
            }
            for field in named_fields(panel) {
                assert!(fields.contains(field), "{title} has no {field}: {fields:?}");
            }
        }
    }
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_prometheus_returns_what_its_panel_shows() {
    let app = seeded().await;
    let mut database = grafana(app.pool()).await;
    let prometheus = Prometheus::start(&app.address().to_string());
    let mut pending = Vec::new();
    for dashboard in dashboards() {
        let expansion = expansion(&dashboard, &mut database).await;
        for panel in dashboard.panels() {
            for target in list(&panel["targets"]) {
                let Some(query) = target["expr"].as_str() else { continue };
                let legend = target["legendFormat"].as_str().unwrap_or_default();
                let labels: Vec<_> = legend
                    .split("{{")
                    .skip(1)
                    .filter_map(|part| Some(part.split_once("}}")?.0.trim().to_owned()))
                    .collect();
                let title = format!("{}: {}", dashboard.file, text(&panel["title"], "title"));
                pending.push((title, expansion.promql(query), labels));
            }
        }
    }
    assert!(pending.len() > 25, "{}", pending.len());
    let begun = Instant::now();
    let mut number = 0;
    // Rates need traffic of every kind; it goes on until every panel has something to show.
    while !pending.is_empty() {
        assert!(begun.elapsed() < PATIENCE, "no data: {pending:#?}");
        number += 1;
        let run = json!({"random_id": format!("run-{number}"), "nsapp": "jellyfin", "type": "lxc", "status": "success"});
        app.report("/telemetry", &run).await;
        app.post("/telemetry", format!(r#"{{"random_id":"broken-{number}","nsapp":x}}"#)).await;
        app.post("/telemetry", "").await;
        let mut rest = Vec::new();
        for (title, query, labels) in pending {
            let samples = prometheus.query(&query).await.unwrap_or_default();
            let is_number = |sample: &Value| {
                sample["value"][1]
                    .as_str()
                    .and_then(|value| value.parse::<f64>().ok())
                    .is_some_and(f64::is_finite)
            };
            if !samples.is_empty() && samples.iter().any(is_number) {
                for label in &labels {
                    let has = samples.iter().all(|sample| sample["metric"][label].is_string());
                    assert!(has, "{title}: no label {label} in {samples:?}");
                }
            } else {
                rest.push((title, query, labels));
            }
        }
        pending = rest;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let worse = tables_of_prometheus(&prometheus, &mut database).await;
    let named = worse.iter().any(|sample| sample["metric"]["script"] == "jellyfin");
    assert!(named, "the planted failure is what got worse: {worse:?}");
    let alert = r#"telemetry:script_regressed:ratio{script="jellyfin", period="after"} > 0.5"#;
    let regressed = prometheus.query(alert).await.unwrap_or_default();
    assert!(!regressed.is_empty(), "the planted failure is seen by the alert");
    let shown = app.get_json("/api/regressions").await;
    let api: BTreeSet<_> =
        list(&shown["regressions"]).iter().map(|found| text(&found["app"], "app")).collect();
    let ours = |sample: &&Value| sample["metric"]["repository"] == "ProxmoxVE";
    let panel: BTreeSet<_> =
        worse.iter().filter(ours).map(|sample| text(&sample["metric"]["script"], "script")).collect();
    assert_eq!(panel, api, "the panel and the API tell the same");
    drop(prometheus);
    database.close().await.expect("it runs");
    app.stop().await;
}
