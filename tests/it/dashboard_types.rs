//! The dashboards fit the types that Grafana publishes (npm, `@grafana/schema`), as far as these go: they know
//! panels, their options and fields, not the queries of data sources.

use std::path::Path;
use std::process::Command;

use crate::common::dashboard::{dashboards, list};
use serde_json::{Value, json};

/// What the compiler says of dashboards as assigned to the types of `@grafana/schema`; empty if they fit.
fn misfits(dashboards: &[(String, Value)]) -> String {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards/schema");
    assert!(own.join("node_modules").exists(), "scripts/setup test installs what this test needs");
    let folder = tempfile::tempdir().expect("a folder");
    let schema = folder.path().join("schema");
    std::fs::create_dir(&schema).expect("it is empty");
    for file in ["assign.mjs", "json.ts", "package.json", "tsconfig.json"] {
        std::fs::copy(own.join(file), schema.join(file)).expect("it is there");
    }
    std::os::unix::fs::symlink(own.join("node_modules"), schema.join("node_modules")).expect("it is empty");
    for (file, json) in dashboards {
        std::fs::write(folder.path().join(file), json.to_string()).expect("it is empty");
    }
    let run = |program: &str, arguments: &[&str]| {
        let output =
            Command::new(program).args(arguments).current_dir(&schema).output().expect("it is there");
        let said = [output.stdout, output.stderr].concat();
        if output.status.success() { String::new() } else { String::from_utf8_lossy(&said).into_owned() }
    };
    let said = run("node", &["assign.mjs"]);
    if said.is_empty() { run("node", &["node_modules/typescript/bin/tsc", "--project", "."]) } else { said }
}

#[test]
fn every_dashboard_fits_the_types_that_grafana_publishes() {
    let all: Vec<_> = dashboards().into_iter().map(|dashboard| (dashboard.file, dashboard.json)).collect();
    assert_eq!(misfits(&all), "");
}

#[test]
fn a_field_that_grafana_does_not_know_is_noticed() {
    let overview =
        dashboards().into_iter().find(|dashboard| dashboard.file == "overview.json").expect("it is there");
    let at = |kind: &str| {
        let place = list(&overview.json["panels"]).iter().position(|panel| panel["type"] == kind);
        place.expect("there is one")
    };
    let (stat, table) = (at("stat"), at("table"));
    for (pointer, key, value) in [
        (String::new(), "schemaVersoin", json!(39)),
        (format!("/panels/{stat}"), "titel", json!("Runs")),
        (format!("/panels/{stat}/options"), "colorMode", json!("rainbow")),
        (format!("/panels/{table}/options"), "showHeader", json!("yes")),
        (format!("/panels/{table}/fieldConfig/defaults"), "units", json!("s")),
        (format!("/panels/{table}/fieldConfig/defaults/custom"), "cellHeigth", json!(3)),
        (format!("/panels/{stat}/gridPos"), "w", json!("3")),
    ] {
        let mut wrong = overview.json.clone();
        wrong.pointer_mut(&pointer).expect("it is there")[key] = value;
        let said = misfits(&[("overview.json".to_owned(), wrong)]);
        assert!(said.contains("error TS") && said.lines().count() == 1, "{pointer}/{key}: {said}");
    }
}
