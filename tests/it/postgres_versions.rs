//! Versions of PostgreSQL: tests of the storage on each of them, and upgrades of the embedded cluster.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::DataDir;
use crate::common::deployment::{pg_bin, postgres_version};
use crate::common::load::{Load, Sent, assert_stored, fresh_starts, recorded};
use crate::common::server::{Server, run};
use telemetry_server::store::database::embedded::{Embedded, Settings};

/// Tests of what depends on PostgreSQL most: commits, erasing, retention, every aggregate, migrations.
const STORAGE: [&str; 5] = [
    "process::nothing_answered_is_lost_when_the_server_is_killed",
    "keeping::nothing_of_an_erased_run_is_left_in_any_table",
    "keeping::a_start_deletes_what_is_too_old_and_every_count_stays",
    "insight::the_answers_about_a_period",
    "upgrade::events_are_written_during_every_migration",
];

#[test]
fn the_storage_works_on_every_supported_version() {
    for folder in [13, 15, 17, 18].into_iter().filter_map(postgres_version) {
        let mut tests = Command::new(std::env::current_exe().expect("this program"));
        let done = tests.arg("--exact").args(STORAGE).env("PG_BIN", &folder).output().expect("it starts");
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{}: {said}", folder.display());
        assert!(said.contains(&format!("{} passed", STORAGE.len())), "{said}");
    }
}

/// A server on the newest version in PATH, or in `PG_BIN`.
fn start(data: &DataDir, variables: &[(&str, &str)]) -> Server {
    let folder = data.path();
    Server::start_with(&[&[("DATA_DIR", &*folder.to_string_lossy())], variables].concat())
}

/// Fills a new cluster of the version in `folder`.
fn fill(data: &DataDir, folder: &Path) -> Vec<Sent> {
    let server = start(data, &[("PG_BIN", &folder.to_string_lossy())]);
    let load = Load::start(server.address, &recorded(), 4);
    load.wait_for(200);
    load.finish()
}

fn version(cluster: &Path) -> String {
    fs::read_to_string(cluster.join("PG_VERSION")).expect("it is a cluster").trim().to_owned()
}

/// The clusters in a data folder, and other remains.
fn clusters(data: &DataDir) -> Vec<String> {
    let entries = fs::read_dir(data.path()).expect("it is there").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("postgres")).collect();
    names.sort();
    names
}

fn assert_verified(data: &DataDir, variables: &[(&str, &str)]) {
    let folder = data.path();
    let ended = run(&["verify"], &[&[("DATA_DIR", &*folder.to_string_lossy())], variables].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains(": 0 differences") && !ended.stdout.starts_with("0 "), "{ended:?}");
}

/// PATH with another folder in it.
fn path_with(folder: &Path) -> String {
    format!("{}:{}", std::env::var("PATH").expect("it is set"), folder.display())
}

#[test]
fn an_older_cluster_is_copied_where_pg_upgrade_cannot_run() {
    let Some(oldest) = postgres_version(13) else { return };
    let data = DataDir::new();
    let answered = fill(&data, &oldest);
    let path = path_with(&oldest);
    let server = start(&data, &[("PATH", &path)]);
    assert!(server.stderr().contains("copying the database"), "{}", server.stderr());
    assert_stored(server.address, &answered);
    drop(server);
    assert_ne!(version(&data.path().join("postgres")), "13");
    assert_eq!(clusters(&data), ["postgres", "postgres-13-old"]);
    assert_eq!(version(&data.path().join("postgres-13-old")), "13");
    assert_verified(&data, &[]);

    // As the documentation says how to go back.
    fs::rename(data.path().join("postgres"), data.path().join("postgres-newer")).expect("it is ours");
    fs::rename(data.path().join("postgres-13-old"), data.path().join("postgres")).expect("it is ours");
    let server = start(&data, &[("PG_BIN", &oldest.to_string_lossy())]);
    assert_stored(server.address, &answered);
}

#[test]
fn pg_upgrade_upgrades_a_cluster_also_after_a_crash() {
    let Some(newest) = postgres_version(18) else { return };
    let data = DataDir::new();
    let before = pg_bin();
    let major = major(&before);
    let answered = fill(&data, &before);
    let server = start(&data, &[]);
    let load = Load::start(server.address, &fresh_starts("upgrade"), 2);
    load.wait_for(50);
    // PostgreSQL has not written a checkpoint, and may still run.
    server.kill();
    drop(load.run_out());

    let newest = newest.to_string_lossy().into_owned();
    let server = start(&data, &[("PG_BIN", &newest)]);
    assert!(server.stderr().contains("running pg_upgrade"), "{}", server.stderr());
    assert_stored(server.address, &answered);
    drop(server);
    assert_eq!(version(&data.path().join("postgres")), "18");
    assert_eq!(clusters(&data), ["postgres".to_owned(), format!("postgres-{major}-old")]);
    assert_verified(&data, &[("PG_BIN", &newest)]);
}

#[test]
fn the_old_version_keeps_running_if_an_upgrade_fails() {
    // These builds have neither pg_upgrade nor pg_dump.
    let Some(newer) = postgres_version(17) else { return };
    let (data, before) = (DataDir::new(), pg_bin());
    if major(&before) >= 17 {
        return;
    }
    let answered = fill(&data, &before);
    let server = start(&data, &[("PG_BIN", &newer.to_string_lossy())]);
    assert!(server.stderr().contains("cannot upgrade PostgreSQL"), "{}", server.stderr());
    assert_stored(server.address, &answered);
    assert_eq!(version(&data.path().join("postgres")), major(&before).to_string());
    drop(server);
    assert_eq!(clusters(&data), ["postgres"]);
}

#[test]
fn a_cluster_whose_programs_are_missing_is_refused_with_what_to_install() {
    let Some(newest) = postgres_version(18) else { return };
    let data = DataDir::new();
    drop(fill(&data, &newest));
    let folder = data.path();
    let ended = run(&["verify"], &[("DATA_DIR", &folder.to_string_lossy())]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("apt install postgresql-18"), "{ended:?}");
}

#[test]
fn an_interrupted_exchange_of_clusters_is_completed() {
    let data = DataDir::new();
    let settings = Settings { data_dir: data.path(), pg_bin: Some(pg_bin()) };
    let start = || Embedded::start(&settings).expect("it starts");
    drop(start());
    let (cluster, upgraded) = (data.path().join("postgres"), data.path().join("postgres.upgraded"));
    let mark = |folder: &Path| folder.join("mark");

    // The old cluster has been moved, the new one has not.
    fs::write(mark(&cluster), "").expect("it is ours");
    fs::rename(&cluster, &upgraded).expect("it is ours");
    drop(start());
    assert!(mark(&cluster).exists() && !upgraded.exists());

    // Neither has been moved. The old one may have been used since.
    fs::create_dir(&upgraded).expect("it is ours");
    drop(start());
    assert!(mark(&cluster).exists() && !upgraded.exists());
}

/// The version of the programs in a folder.
fn major(folder: &Path) -> u32 {
    let output = Command::new(folder.join("postgres")).arg("--version").output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = said.split_whitespace().nth(2).and_then(|number| number.split('.').next());
    number.and_then(|number| number.parse().ok()).expect("a version")
}
