//! The guarantees of the write path when the database refuses events or is configured differently.

use std::sync::Arc;

use crate::common::app::{Cluster, spawn_app_on};
use futures_util::future::join_all;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use telemetry_server::store::database::outage::Outage;
use telemetry_server::store::database::pools::{WriteTimeouts, delete_pool, write_pool};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_database_refuses_does_not_affect_others() {
    let cluster = tokio::task::block_in_place(Cluster::shared);
    let app = spawn_app_on(cluster.database().await).await;
    let refuse = "alter table execution add check (app <> 'poison')";
    sqlx::query(refuse).execute(app.pool()).await.expect("it runs");

    let apps: Vec<_> = (0..64).map(|run| if run % 29 == 13 { "poison" } else { "jellyfin" }).collect();
    let posts = apps.iter().enumerate().map(|(run, name)| {
        let event =
            json!({"random_id": format!("r-{run}"), "nsapp": name, "type": "lxc", "status": "success"});
        app.post("/telemetry", event.to_string())
    });
    let answers: Vec<_> = join_all(posts).await.iter().map(|answer| answer.status().as_u16()).collect();

    let expected: Vec<_> = apps.iter().map(|name| if *name == "poison" { 503 } else { 200 }).collect();
    assert_eq!(answers, expected);
    assert_eq!(app.executions().await, expected.iter().filter(|status| **status == 200).count() as i64);
    app.verify().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_rebuilds_rollups_of_another_definition() {
    let cluster = tokio::task::block_in_place(Cluster::shared);
    let options = cluster.database().await;
    let app = spawn_app_on(options.clone()).await;
    for run in 0..5 {
        let event =
            json!({"random_id": format!("r-{run}"), "nsapp": "jellyfin", "type": "lxc", "status": "failed"});
        app.report("/telemetry", &event).await;
    }
    app.stop().await;

    let mut connection = PgConnection::connect_with(&options).await.expect("it runs");
    let of_another = "delete from rollup_script; update rollup_facet set runs = runs + 1;
        update setting set value = 'of another' where name = 'rollup_definition'";
    sqlx::raw_sql(of_another).execute(&mut connection).await.expect("it runs");
    let app = spawn_app_on(options).await;
    app.verify().await;
    let dashboard = app.get_json("/api/dashboard?days=1").await;
    assert_eq!(dashboard["total_installs"], 5, "{dashboard}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_waits_for_the_disk_even_if_the_database_has_another_default() {
    let cluster = tokio::task::block_in_place(Cluster::shared);
    let options = cluster.database().await;
    let mut connection = PgConnection::connect_with(&options).await.expect("it runs");
    let careless = format!(
        "alter database \"{}\" set synchronous_commit = off",
        options.get_database().expect("it has a name")
    );
    sqlx::raw_sql(AssertSqlSafe(careless)).execute(&mut connection).await.expect("it runs");

    let (timeouts, outage) = (WriteTimeouts::WITH_SPOOL, Arc::<Outage>::default());
    for pool in [write_pool(&options, 1, timeouts, &outage), delete_pool(&options, &outage)] {
        let shown = sqlx::query_scalar("show synchronous_commit").fetch_one(&pool);
        let shown: String = shown.await.expect("it runs");
        assert_eq!(shown, "on");
        pool.close().await;
    }
}
