//! The database user of Grafana: it reads every view that is made for it, with true numbers, and nothing
//! else. No view has an id, or a text that came from a host.

use crate::common::app::{TestApp, spawn_app};
use crate::common::grafana::grafana;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Row};

const SECRET: &str = "xyzzy-what-only-the-host-knows";

async fn server_with_runs() -> TestApp {
    let app = spawn_app().await;
    let run = |id: &str, status: &str, more: Value| {
        let mut event = json!({
            "random_id": id, "execution_id": format!("{id}-1"), "payload_version": 3, "type": "lxc",
            "nsapp": "jellyfin", "status": status, "os_type": "debian", "os_version": "13",
            "pve_version": "9.0.3", "method": "default", "cpu_model": SECRET, "kernel_version": SECRET,
            "arch": "amd64", "install_duration": 100
        });
        event.as_object_mut().expect("one").extend(more.as_object().expect("one").clone());
        event
    };
    let error = format!("{SECRET}\nE: Unable to locate package x");
    for event in [
        run("a", "success", json!({})),
        run("b", "success", json!({"install_duration": 400})),
        run(
            "c",
            "failed",
            json!({"exit_code": 100, "error": error, "failed_command": "apt-get install -y x"}),
        ),
        // The code was told by an event that is not the end: it explains nothing.
        run("d", "installing", json!({"exit_code": 77})),
        run("d", "failed", json!({"exit_code": null, "error": "E: Unable to locate package y"})),
        run("e", "installing", json!({})),
        json!({"random_id": "f", "status": "failed", "execution_id": "f-1"}),
    ] {
        app.report("/telemetry", &event).await;
    }
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_reads_the_views_and_nothing_else() {
    let app = server_with_runs().await;
    let mut grafana = grafana(app.pool()).await;
    let objects = sqlx::query(
        "select format('%I.%I', nspname, relname) as name, nspname = 'grafana' as is_ours, relkind = 'v' as is_view
         from pg_class join pg_namespace on pg_namespace.oid = relnamespace
         where relkind in ('r', 'v', 'm', 'p', 'f', 'S') and nspname in ('public', 'grafana')",
    );
    let objects = objects.fetch_all(app.pool()).await.expect("it runs");
    assert!(objects.len() > 20, "{}", objects.len());
    for object in objects {
        let (name, is_ours) = (object.get::<String, _>("name"), object.get::<bool, _>("is_ours"));
        let read = AssertSqlSafe(format!("select * from {name} limit 1"));
        let read = sqlx::query(read).fetch_all(&mut grafana).await;
        if is_ours {
            assert!(object.get::<bool, _>("is_view"), "{name} is no view");
            let rows = read.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(!rows.is_empty(), "{name} is empty");
        } else {
            assert_denied(&name, read);
        }
    }
    for change in [
        "update grafana.facets set runs = 0",
        "insert into grafana.scripts (repository) values ('a')",
        "delete from public.execution",
        "create table public.mine (a integer)",
        "create table grafana.mine (a integer)",
        "create temporary table mine (a integer)",
        "create schema mine",
        "select pg_read_file('/etc/passwd')",
        "copy (select 1) to program 'true'",
        "set role telemetry",
        "select lo_import('/etc/passwd')",
    ] {
        let begin = sqlx::raw_sql("begin read write").execute(&mut grafana).await;
        begin.expect("the user can unset it");
        assert_denied(change, sqlx::raw_sql(AssertSqlSafe(change)).execute(&mut grafana).await);
        sqlx::raw_sql("rollback").execute(&mut grafana).await.expect("it runs");
    }
    grafana.close().await.expect("it runs");
    app.stop().await;
}

/// 42501: insufficient privilege. A view over two tables cannot be written by anybody: 55000.
fn assert_denied<T>(what: &str, result: sqlx::Result<T>) {
    let error = result.err().unwrap_or_else(|| panic!("{what} is allowed"));
    let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
    assert!(matches!(code.as_deref(), Some("42501" | "55000")), "{what}: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_views_tell_true_numbers_without_ids_and_texts() {
    let app = server_with_runs().await;
    let mut grafana = grafana(app.pool()).await;
    let mut ask = async |query: &'static str| -> Value {
        let query = AssertSqlSafe(format!("select coalesce(jsonb_agg(to_jsonb(x)), '[]') from ({query}) x"));
        sqlx::query_scalar(query).fetch_one(&mut grafana).await.unwrap_or_else(|error| panic!("{error}"))
    };
    let runs =
        "select outcome, sum(runs)::int as runs from runs where script = 'jellyfin' group by 1 order by 1";
    assert_eq!(
        ask(runs).await,
        json!([{"outcome": "failed", "runs": 2}, {"outcome": "running", "runs": 1}, {"outcome": "success", "runs": 2}])
    );
    assert_eq!(ask("select sum(runs)::int as runs from hours").await, json!([{"runs": 5}]));
    let codes = "select exit_code, title, category, runs from exit_codes order by exit_code";
    let codes = ask(codes).await;
    assert_eq!(codes[0]["exit_code"], 100);
    assert!(codes[0]["title"].as_str().is_some_and(|title| title.contains("APT")), "{codes}");
    assert_eq!(
        [&codes[1]["exit_code"], &codes[1]["title"]],
        [&Value::Null, &json!("No exit code was reported")]
    );
    let recent = ask("select * from recent_runs order by outcome, exit_code").await;
    let shown: Vec<_> = recent.as_array().expect("a list").iter().collect();
    assert_eq!(shown.len(), 5);
    let failed: Vec<_> = shown.iter().filter(|run| run["outcome"] == "failed").collect();
    assert_eq!([&failed[0]["exit_code"], &failed[1]["exit_code"]], [&json!(100), &Value::Null]);
    assert!(failed.iter().all(|run| run["template"].is_string() && run["signature"].is_string()), "{recent}");
    let quantiles = ask("select p50, p95, runs from duration_quantiles").await;
    let near =
        |value: &Value, seconds: f64| (value.as_f64().expect("a number") / seconds - 1.0).abs() < 0.046;
    assert!(near(&quantiles[0]["p50"], 100.0) && near(&quantiles[0]["p95"], 400.0), "{quantiles}");
    assert_eq!(ask("select script, runs from scripts").await, json!([{"script": "jellyfin", "runs": 5}]));

    let views =
        "select table_name::text as name from information_schema.views where table_schema = 'grafana'";
    let keys: Vec<String> = sqlx::query_scalar(
        "select run_key::text from execution union select session_key::text from execution
         where session_key is not null",
    )
    .fetch_all(app.pool())
    .await
    .expect("it runs");
    for view in ask(views).await.as_array().expect("a list") {
        let name = view["name"].as_str().expect("a name");
        let all = AssertSqlSafe(format!("select jsonb_agg(to_jsonb(x))::text from {name} as x"));
        let all: Option<String> = sqlx::query_scalar(all).fetch_one(&mut grafana).await.expect("it runs");
        let all = all.unwrap_or_default();
        assert!(!all.contains(SECRET), "{name} tells a text of the host");
        for key in &keys {
            assert!(!all.contains(key), "{name} tells a key");
        }
    }
    grafana.close().await.expect("it runs");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_views_know_the_hours_after_which_a_run_is_unfinished_and_the_whole_catalogue() {
    let app = server_with_runs().await;
    let mut grafana = grafana(app.pool()).await;
    sqlx::query(
        "update rollup_script set open_hour = open_hour - interval '26 hours' where outcome = 'open'",
    )
    .execute(app.pool())
    .await
    .expect("it runs");
    let unfinished = "select sum(runs)::bigint from runs where outcome = 'unfinished'";
    let unfinished: i64 = sqlx::query_scalar(unfinished).fetch_one(&mut grafana).await.expect("it runs");
    assert_eq!(unfinished, 1);
    let generations = [
        telemetry_protocol::Generation::One,
        telemetry_protocol::Generation::Two,
        telemetry_protocol::Generation::Three,
    ];
    let entries: usize = generations
        .into_iter()
        .map(|generation| telemetry_protocol::exit_code::entries(generation).count())
        .sum();
    let stored: i64 = sqlx::query_scalar("select count(*) from exit_code_meaning")
        .fetch_one(app.pool())
        .await
        .expect("it runs");
    assert_eq!(usize::try_from(stored).ok(), Some(entries));
    grafana.close().await.expect("it runs");
    app.stop().await;
}
