//! Every figure has one definition: all endpoints report the same number for the same runs, and it equals
//! a count of those runs.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::app::{TestApp, spawn_app_with, unlimited};
use crate::common::history::{Filter, History, outcome};
use reqwest::Method;
use serde_json::{Value, json};
use telemetry_protocol::reason::Blame;
use telemetry_server::config::protection::ProtectionVariables;
use telemetry_server::ingest::execution::Execution;

/// Adds up one field over the objects of a list.
fn sum(list: &Value, field: &str) -> i64 {
    let items = list.as_array().unwrap_or_else(|| panic!("a list for {field}: {list}"));
    items.iter().map(|item| item[field].as_i64().expect("a number")).sum()
}

fn counts(runs: &[&Execution]) -> BTreeMap<&'static str, i64> {
    let all = ["success", "failed", "blocked", "aborted", "installing", "unfinished"];
    let mut counts = BTreeMap::from(all.map(|outcome| (outcome, 0)));
    for run in runs {
        *counts.entry(outcome(run)).or_default() += 1;
    }
    counts
}

fn query(filter: &Filter<'_>) -> String {
    let mut parts = vec![match filter.days {
        Some((from, to)) => format!("from={from}&to={to}"),
        None => "days=0".to_owned(),
    }];
    parts.push(format!("repo={}", filter.repo.unwrap_or("all")));
    let more = [("type", filter.kind), ("slug", filter.slug), ("platform", filter.platform)];
    parts.extend(more.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={value}"))));
    parts.join("&")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_counts_the_same_runs() {
    // Most applications and some systems have fewer runs than that, and each run is a session.
    let protection = ProtectionVariables { rare_sessions: Some("130".to_owned()), ..unlimited() };
    let app = spawn_app_with(protection).await;
    let history = History::write(&mut app.connection().await, 700).await;
    app.verify().await;
    app.learn_names().await;
    let public = app.get_json("/api/dashboard?days=0&repo=all").await;
    let apps: Vec<_> = public["top_apps"].as_array().expect("a list").iter().map(|row| &row["app"]).collect();
    assert_eq!(apps, ["(rare)", "docker"]);
    let mut compared = 0;
    for days in [None, Some((history.day(1), history.last)), Some((history.day(5), history.day(2)))] {
        for repo in [None, Some("ProxmoxVE"), Some("ProxmoxVED"), Some("external")] {
            for kind in [None, Some("lxc"), Some("vm"), Some("pve")] {
                for slug in [None, Some("me/fork")] {
                    for platform in [None, Some("incus")] {
                        let filter = Filter { days, repo, kind, slug, platform };
                        compare(&app, &history, &filter, true).await;
                        if platform.is_none() && slug.is_none() {
                            compare(&app, &history, &filter, false).await;
                        }
                        compared += 1;
                    }
                }
            }
        }
    }
    assert_eq!(compared, 3 * 4 * 4 * 2 * 2);
    app.stop().await;
}

/// The side that has to act, for a run that ended badly.
fn blame_of(run: &Execution) -> Option<Blame> {
    match outcome(run) {
        "aborted" => Some(Blame::User),
        "failed" | "blocked" => Some(run.diagnosis().map(|diagnosis| diagnosis.blame).unwrap_or_default()),
        _ => None,
    }
}

async fn compare(app: &TestApp, history: &History, filter: &Filter<'_>, sees_all: bool) {
    let runs = history.meant(filter, true);
    let (total, by_outcome) = (runs.len() as i64, counts(&runs));
    let bad = by_outcome["failed"] + by_outcome["blocked"] + by_outcome["aborted"];
    let query = query(filter);
    let get = async |path: &str| {
        let path = format!("{path}?{query}");
        if sees_all { app.get_all(&path).await } else { app.get_json(&path).await }
    };

    let get_with = async |path: &str, more: &str| {
        let path = format!("{path}?{query}&{more}");
        if sees_all { app.get_all(&path).await } else { app.get_json(&path).await }
    };

    let dashboard = get("/api/dashboard").await;
    assert_eq!(dashboard["total_installs"], total, "{query}");
    let all_time = history.meant(&Filter { days: None, ..*filter }, true).len();
    assert_eq!(dashboard["total_all_time"], all_time, "{query}");
    assert_eq!(dashboard["unattributed_count"], history.meant(filter, false).len(), "{query}");
    for (outcome, count) in &by_outcome {
        assert_eq!(dashboard[format!("{outcome}_count")], *count, "{outcome} of {query}");
    }
    for list in ["type_stats", "top_apps"] {
        assert_eq!(sum(&dashboard[list], "count"), total, "{list} of {query}");
    }
    for outcome in ["success", "failed"] {
        assert_eq!(sum(&dashboard["daily_stats"], outcome), by_outcome[outcome], "{query}");
    }
    let versions = runs.iter().filter(|run| run.facts.pve_version.get().is_some()).count();
    assert_eq!(sum(&dashboard["pve_versions"], "count"), versions as i64, "{query}");
    assert_eq!(sum(&dashboard["error_categories"], "count"), bad, "{query}");
    assert_eq!(dashboard["success"]["numerator"], by_outcome["success"], "{query}");
    let finished = by_outcome["success"] + by_outcome["failed"];
    assert_eq!(dashboard["success"]["denominator"], finished, "{query}");
    assert_eq!(dashboard["success"]["rate"].is_null(), finished < 10, "{query}");
    assert_eq!(sum(&dashboard["failed_apps"], "failed_count"), by_outcome["failed"], "{query}");
    let shown = dashboard["recent_records"].as_array().map(Vec::len);
    assert_eq!(shown, Some(runs.len().min(20)), "{query}");

    let scripts = get("/api/scripts").await;
    assert_eq!(scripts["total_installs"], total, "{query}");
    let fields = ["total", "success", "failed", "blocked", "aborted", "installing", "unfinished"];
    for field in fields {
        let expected = if field == "total" { total } else { by_outcome[field] };
        assert_eq!(sum(&scripts["top_scripts"], field), expected, "{field} of {query}");
    }
    let known: BTreeSet<_> = runs.iter().map(|run| (run.facts.app.get(), run.facts.kind.get())).collect();
    assert_eq!(scripts["total_scripts"], known.len(), "{query}");

    // These take longer, so some filters do without.
    if filter.kind.is_none() || sees_all && filter.slug.is_none() && filter.platform.is_none() {
        let listed = get_with("/api/scripts", "search=docker&limit=1000").await;
        let found = runs.iter().filter(|run| run.facts.app.get().is_some_and(|app| app == "docker")).count();
        assert_eq!(sum(&listed["top_scripts"], "total"), found as i64, "{query}");
        assert_eq!(listed["total_installs"], total, "{query}");

        let script = get("/api/scripts/docker").await;
        let docker: Vec<_> = runs
            .iter()
            .filter(|run| run.facts.app.get().is_some_and(|app| app == "docker"))
            .copied()
            .collect();
        let by = counts(&docker);
        for (field, expected) in [
            ("total", docker.len() as i64),
            ("success", by["success"]),
            ("failed", by["failed"]),
            ("blocked", by["blocked"]),
            ("aborted", by["aborted"]),
            ("open", by["installing"] + by["unfinished"]),
        ] {
            assert_eq!(sum(&script["daily_stats"], field), expected, "{field} of {query}");
        }
        let rates = get_with("/api/scripts", "sort=failure_rate&limit=1000").await;
        let rates: Vec<_> = rates["top_scripts"].as_array().expect("a list").iter().collect();
        assert_eq!(rates.len(), scripts["top_scripts"].as_array().expect("a list").len(), "{query}");
        assert!(
            rates
                .iter()
                .map(|row| row["failure"]["rate"].as_f64().unwrap_or(-1.0))
                .is_sorted_by(|a, b| a >= b),
            "{query}"
        );

        compare_sizes(&dashboard, &script, &runs, &query);
        compare_with_before(&dashboard, &get("/api/popular").await, history, filter, sees_all);
        for code in [1, 130] {
            let is_bad = |run: &&&Execution| matches!(outcome(run), "failed" | "blocked" | "aborted");
            let with: Vec<_> =
                runs.iter().filter(is_bad).filter(|run| run.exit_code() == Some(code)).copied().collect();
            let answer = get(&format!("/api/exit-codes/{code}/runs")).await;
            let (count, by) = (with.len() as i64, counts(&with));
            assert_eq!(
                (&answer["count"], &answer["share"]["denominator"]),
                (&json!(count), &json!(bad)),
                "{query}"
            );
            assert_eq!(sum(&answer["scripts"], "count"), count, "{code} of {query}");
            assert_eq!(sum(&answer["meanings"], "count"), count, "{code} of {query}");
            let known: BTreeSet<_> =
                with.iter().map(|run| (run.facts.app.get(), run.facts.kind.get())).collect();
            assert_eq!(answer["unique_scripts"], known.len(), "{code} of {query}");
            for outcome in ["failed", "blocked", "aborted"] {
                assert_eq!(answer[outcome], by[outcome], "{code} of {query}");
                assert_eq!(sum(&answer["daily_stats"], outcome), by[outcome], "{code} of {query}");
            }
        }
    }

    let errors = get("/api/errors").await;
    assert_eq!(errors["total_installs"], total, "{query}");
    assert_eq!(errors["total_errors"], by_outcome["failed"], "{query}");
    assert_eq!(errors["stuck_installing"], by_outcome["unfinished"], "{query}");
    assert_eq!(sum(&errors["app_errors"], "failed_count"), by_outcome["failed"], "{query}");
    for (list, field, expected) in [
        ("error_timeline", "failed", by_outcome["failed"]),
        ("error_timeline", "aborted", by_outcome["aborted"]),
        ("exit_code_stats", "count", bad),
        ("category_stats", "count", bad),
        ("reason_stats", "count", bad),
        ("blame_stats", "count", bad),
    ] {
        assert_eq!(sum(&errors[list], field), expected, "{list} of {query}");
    }

    let slugs = runs.iter().filter(|run| run.facts.repo_slug.get().is_some()).count() as i64;
    assert_eq!(sum(&get("/api/repo-slugs").await["repo_slugs"], "count"), slugs, "{query}");
    assert_eq!(sum(&dashboard["repo_slugs"], "count"), slugs, "{query}");

    let summary = get("/data/summary").await;
    assert_eq!(summary["total_entries"], total, "{query}");
    assert_eq!(summary["status_count"], json!(by_outcome), "{query}");
    let by_app: i64 =
        summary["nsapp_count"].as_object().expect("an object").values().filter_map(Value::as_i64).sum();
    assert_eq!(by_app, total, "{query}");

    let records = get("/api/records").await;
    assert_eq!((&records["total"], &records["total_is_exact"]), (&json!(total), &json!(true)), "{query}");
    for (outcome, count) in &by_outcome {
        let records = app.get_json(&format!("/api/records?{query}&limit=100&status={outcome}")).await;
        assert_eq!(records["total"], *count, "{outcome} of {query}");
        let shown = records["records"].as_array().map(Vec::len);
        assert_eq!(shown, Some((*count).min(100) as usize), "{outcome} of {query}");
    }
    for blame in Blame::ALL {
        let blamed = runs.iter().filter(|run| blame_of(run) == Some(*blame)).count();
        let records = get_with("/api/records", &format!("blame={}", blame.as_str())).await;
        assert_eq!(records["total"], blamed, "{blame:?} of {query}");
        let stats = errors["blame_stats"].as_array().expect("a list").iter();
        let counted = stats.filter(|row| row["blame"] == blame.as_str()).map(|row| row["count"].as_u64());
        assert_eq!(counted.flatten().sum::<u64>(), blamed as u64, "{blame:?} of {query}");
    }
    let listed = get_with("/api/signatures", "state=all&limit=200").await;
    let signed = |run: &&&Execution| run.signature.is_some() && outcome(run) == "failed";
    assert_eq!(sum(&listed["signatures"], "count"), runs.iter().filter(signed).count() as i64, "{query}");
    for row in listed["signatures"].as_array().expect("a list") {
        let count = row["count"].as_i64();
        assert_eq!(Some(sum(&row["daily"], "count")), count, "days of {query}");
        assert_eq!(Some(sum(&row["exit_codes"], "count")), count, "exit codes of {query}");
        assert_eq!(row["sessions"].as_i64(), count, "each run is a session; {query}");
    }
    let signatures =
        runs.iter().filter(|run| run.signature.is_some() && matches!(outcome(run), "failed" | "blocked"));
    let signatures = signatures.count() as i64;
    assert_eq!(sum(&get("/data/errors").await["error_counts"], "count"), signatures, "{query}");
    assert_eq!(sum(&dashboard["error_analysis"], "count"), signatures, "{query}");
}

/// A list of the dashboard, its key, the size that it classifies, and some classes with their bounds.
type Classes =
    (&'static str, &'static str, fn(&Execution) -> Option<i32>, &'static [(&'static str, i32, i32)]);

/// Compares the distributions of sizes with a count of the runs.
fn compare_sizes(dashboard: &Value, docker: &Value, runs: &[&Execution], query: &str) {
    let of_docker: Vec<_> =
        runs.iter().filter(|run| run.facts.app.get().is_some_and(|app| app == "docker")).copied().collect();
    let classes: [Classes; 4] = [
        (
            "core_stats",
            "cores",
            |run| run.facts.core_count.get().copied(),
            &[("1", 1, 1), ("3-4", 3, 4), ("17+", 17, i32::MAX)],
        ),
        (
            "ram_stats",
            "ram",
            |run| run.facts.ram_size.get().copied(),
            &[("0-512", 0, 512), ("1025-2048", 1025, 2048), ("32769+", 32769, i32::MAX)],
        ),
        (
            "disk_stats",
            "disk",
            |run| run.facts.disk_size.get().copied(),
            &[("0", 0, 0), ("5-8", 5, 8), ("65+", 65, i32::MAX)],
        ),
        (
            "privilege_stats",
            "privilege",
            |run| run.facts.ct_type.get().copied().filter(|number| *number < 2),
            &[("privileged", 0, 0), ("unprivileged", 1, 1)],
        ),
    ];
    let row = |list: &Value, name: &str, value: &str| {
        let rows = list.as_array().expect("a list").iter();
        rows.filter(|row| row[name] == value).map(|row| row["count"].as_u64().expect("a number")).sum::<u64>()
    };
    for (stats, name, fact, values) in classes {
        for (list, runs, name_of_value) in
            [(&dashboard[stats], runs, name), (&docker[name], &of_docker, "value")]
        {
            let told = runs.iter().filter(|run| fact(run).is_some()).count();
            assert_eq!(sum(list, "count"), told as i64, "{name} of {query}");
            for (label, first, last) in values {
                let meant =
                    runs.iter().filter(|run| fact(run).is_some_and(|size| (*first..=*last).contains(&size)));
                assert_eq!(
                    row(list, name_of_value, label),
                    meant.count() as u64,
                    "{name} {label} of {query}"
                );
            }
        }
        let rates: Vec<_> =
            docker[name].as_array().expect("a list").iter().map(|row| row["failure_rate"].clone()).collect();
        let failed = of_docker.iter().filter(|run| fact(run).is_some() && outcome(run) == "failed").count();
        assert_eq!(sum(&json!(rates), "numerator"), failed as i64, "{name} of {query}");
    }
    let versions = of_docker.iter().filter(|run| run.facts.app_version.get().is_some()).count();
    assert_eq!(sum(&docker["app_versions"], "count"), versions as i64, "{query}");
}

/// Compares what is said about the period before with a count of its runs.
fn compare_with_before(
    dashboard: &Value,
    popular: &Value,
    history: &History,
    filter: &Filter<'_>,
    sees_all: bool,
) {
    let query = query(filter);
    let runs = history.meant(filter, true);
    assert_eq!(popular["total_installs"], runs.len(), "{query}");
    let by_script = |runs: &[&Execution]| {
        let mut scripts = BTreeMap::<_, i64>::new();
        for run in runs {
            let kind = run.facts.kind.get().map_or("", |kind| kind.as_str()).to_owned();
            *scripts.entry((run.facts.app.get().expect("an app").as_str().to_owned(), kind)).or_default() +=
                1;
        }
        scripts
    };
    let now = by_script(&runs);
    assert_eq!(popular["total_scripts"], now.len(), "{query}");
    let Some((from, to)) = filter.days else {
        assert_eq!((&dashboard["previous"], &popular["previous_from"]), (&Value::Null, &Value::Null));
        assert_eq!((&popular["new"], &popular["rising"]), (&json!([]), &json!([])));
        return;
    };
    let length = chrono::Days::new((to - from).num_days() as u64 + 1);
    let days = Some((from - length, from - chrono::Days::new(1)));
    let before = history.meant(&Filter { days, ..*filter }, true);
    let by_outcome = counts(&before);
    assert_eq!(dashboard["previous"]["from"], json!(from - length), "{query}");
    assert_eq!(dashboard["previous"]["total_installs"], before.len(), "{query}");
    assert_eq!(dashboard["previous"]["success"]["numerator"], by_outcome["success"], "{query}");
    for outcome in ["success", "failed", "blocked", "aborted"] {
        assert_eq!(dashboard["previous"][format!("{outcome}_count")], by_outcome[outcome], "{query}");
    }
    assert_eq!(popular["total_installs_before"], before.len(), "{query}");
    if !sees_all {
        let apps = popular["most_used"].as_array().expect("a list").iter().map(|row| &row["app"]);
        assert!(apps.into_iter().all(|app| app == "docker"), "{query}");
        return;
    }
    let before = by_script(&before);
    let was = |script: &(String, String)| before.get(script).copied().unwrap_or_default();
    let ever = by_script(
        &history
            .meant(&Filter { days: None, ..*filter }, true)
            .into_iter()
            .filter(|run| run.first_seen.date_naive() < from)
            .collect::<Vec<_>>(),
    );
    let names = |list: &str| -> Vec<_> {
        let rows = popular[list].as_array().expect("a list").iter();
        rows.map(|row| {
            let text = |field: &str| row[field].as_str().expect("a text").to_owned();
            let script = (text("app"), text("type"));
            assert_eq!(
                (&row["count"], &row["count_before"]),
                (&json!(now[&script]), &json!(was(&script))),
                "{query}"
            );
            script
        })
        .collect()
    };
    let sorted = |order: &dyn Fn(&(String, String)) -> f64, chosen: &dyn Fn(&(String, String)) -> bool| {
        let mut scripts: Vec<_> = now.keys().filter(|script| chosen(script)).cloned().collect();
        scripts.sort_by(|a, b| order(a).total_cmp(&order(b)).then_with(|| a.cmp(b)));
        scripts
    };
    let runs = |script: &(String, String)| now[script] as f64;
    assert_eq!(names("most_used"), sorted(&|script| -runs(script), &|_| true), "{query}");
    assert_eq!(names("least_used"), sorted(&runs, &|_| true), "{query}");
    let is_new = |script: &(String, String)| !ever.contains_key(script);
    assert_eq!(names("new"), sorted(&|script| -runs(script), &is_new), "{query}");
    let growth = |script: &(String, String)| {
        -(runs(script) - was(script) as f64) / (runs(script) + was(script) as f64).sqrt()
    };
    let grew = |script: &(String, String)| !is_new(script) && now[script] >= 10 && now[script] > was(script);
    assert_eq!(names("rising"), sorted(&growth, &grew), "{query}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_cursors_and_exports_list_every_record_once() {
    let (app, history) = History::spawn(400).await;
    for more in [
        "",
        "&status=failed",
        "&app=docker",
        "&search=e",
        "&os=chainguard",
        "&os=debian&os_version=13",
        "&app=docker&os=debian",
        "&status=unfinished&os=ubuntu",
        "&type=vm&platform=incus",
        "&app=nothing",
        "&search=nothing",
    ] {
        for sort in ["-created", "created", "app", "-app"] {
            let path = format!("/api/records?days=0&repo=all&limit=7&sort={sort}{more}");
            let first = app.get_json(&path).await;
            let total = first["total"].as_i64().expect("a number");
            let (mut by_page, mut by_cursor) = (Vec::new(), Vec::new());
            for number in 1..=first["total_pages"].as_i64().expect("a number") {
                let page = app.get_json(&format!("{path}&page={number}")).await;
                by_page.extend(page["records"].as_array().expect("a list").clone());
            }
            let mut page = first;
            loop {
                by_cursor.extend(page["records"].as_array().expect("a list").clone());
                let Some(cursor) = page["next_cursor"].as_str() else { break };
                page = app.get_json(&format!("{path}&cursor={cursor}")).await;
                assert_eq!((&page["page"], &page["total"]), (&Value::Null, &json!(total)), "{path}");
            }
            assert_eq!(by_page.len() as i64, total, "{path}");
            assert_eq!(by_page, by_cursor, "{path}");
            let response = app.request(Method::GET, &format!("{path}&format=ndjson")).send().await;
            let lines = response.expect("an answer").text().await.expect("a text");
            let exported: Vec<Value> =
                lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
            assert_eq!(exported, by_cursor, "{path}");
            let sorted_by = |record: &Value| match sort.trim_start_matches('-') {
                "app" => format!("{}{}", record["app"], record["created"]),
                _ => record["created"].to_string(),
            };
            let sorted: Vec<_> = by_page.iter().map(sorted_by).collect();
            let is_sorted =
                if sort.starts_with('-') { sorted.is_sorted_by(|a, b| a >= b) } else { sorted.is_sorted() };
            assert!(is_sorted, "{path}");
        }
    }
    let all = app.get_json("/api/records?days=0&repo=all&limit=1").await;
    let meant = history.runs.iter().filter(|run| run.facts.app.get().is_some());
    assert_eq!(all["total"], meant.count());
    let docker = app.get_json("/api/records?days=0&repo=all&app=docker&os=debian&limit=1").await;
    let is = |fact: Option<&String>, word: &str| fact.is_some_and(|text| text.as_str() == word);
    let meant = history
        .runs
        .iter()
        .filter(|run| is(run.facts.app.get(), "docker") && is(run.facts.os_type.get(), "debian"));
    assert_eq!(docker["total"], meant.count());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_paths_of_2025_link_to_the_next_page_and_show_no_id() {
    let (app, history) = History::spawn(60).await;
    let expected = history.runs.iter().filter(|run| run.facts.app.get().is_some()).count();
    let mut path = "/data/json?repo=all&limit=7".to_owned();
    let mut ids = BTreeSet::new();
    loop {
        let response = app.request(Method::GET, &path).send().await.expect("an answer");
        let link = response.headers().get("link").map(|link| link.to_str().expect("a text").to_owned());
        for entry in response.json::<Vec<Value>>().await.expect("a list") {
            assert_eq!(entry["random_id"], "");
            assert!(ids.insert(entry["id"].as_str().expect("a text").to_owned()), "an entry is listed twice");
        }
        let Some(link) = link else { break };
        assert!(link.ends_with("; rel=\"next\""), "{link}");
        path = link[1..link.find('>').expect("a URL")].to_owned();
    }
    assert_eq!(ids.len(), expected);
    for run in &history.runs {
        assert!(!ids.contains(&run.key.0.simple().to_string()), "a stored key is published");
    }
    let (from, to) = (history.day(4), history.day(2));
    for (path, count) in [
        ("/data/nsapp?nsapp=docker&repo=all".to_owned(), "docker"),
        (format!("/data/date?start_date={from}&end_date={to}&repo=all"), ""),
    ] {
        let entries = app.get_json(&path).await;
        let meant = history.runs.iter().filter(|run| {
            let app = run.facts.app.get().map_or("", |app| app.as_str());
            let day = run.first_seen.date_naive();
            !app.is_empty() && if count.is_empty() { (from..=to).contains(&day) } else { app == count }
        });
        assert_eq!(entries.as_array().map(Vec::len), Some(meant.count()), "{path}");
    }
    assert_eq!(app.get_json("/data/paginated?repo=all").await.as_array().map(Vec::len), Some(10));
    app.stop().await;
}
