//! The seed never mixes invented executions with reported ones by accident.

use chrono::Utc;
use reqwest::Method;
use telemetry_seed::target_check::{Refusal, admit};
use telemetry_seed::{Plan, seed};

use crate::common::app::{TestApp, spawn_app};

async fn report(app: &TestApp) {
    let body = r#"{"random_id":"reported-1","nsapp":"jellyfin","type":"lxc","status":"success"}"#;
    let response = app.request(Method::POST, "/telemetry").body(body).send().await.expect("a response");
    assert_eq!(response.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_reported_executions_is_refused() {
    let app = spawn_app().await;
    report(&app).await;
    for _ in 0..2 {
        let refused = admit(&mut app.connection().await).await;
        assert!(matches!(refused, Err(Refusal::Reported)), "{refused:?}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seeded_database_can_be_seeded_again() {
    let app = spawn_app().await;
    admit(&mut app.connection().await).await.expect("an empty database");
    let plan = Plan { executions: 20, days: 2, seed: 1, until: Utc::now(), plants: Vec::new() };
    seed(app.pool(), &plan, |_| ()).await.expect("it is written");
    report(&app).await;
    admit(&mut app.connection().await).await.expect("a seeded database");
    app.verify().await;
    app.stop().await;
}
