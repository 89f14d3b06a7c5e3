//! `backup` and `restore`: beside a running server, into another database, and what they refuse.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::common::DataDir;
use crate::common::app::Cluster;
use crate::common::http;
use crate::common::load::{Load, assert_stored, fresh_starts, recorded};
use crate::common::server::{Finished, Server, run};
use crate::process::{execute, external_database, url};
use crate::upgrade::{ROWS, first_release};

/// A data folder, and a file in it.
struct Place {
    data: DataDir,
    folder: String,
    file: PathBuf,
}

impl Place {
    fn new() -> Self {
        let data = DataDir::new();
        let folder = data.path().to_string_lossy().into_owned();
        let file = data.path().with_file_name("backup");
        Self { data, folder, file }
    }

    /// Runs a command with this file on the cluster in this folder.
    fn run(&self, command: &str, file: &Path, more: &[&str]) -> Finished {
        let file = file.to_string_lossy();
        run(&[&[command, &*file], more].concat(), &[("DATA_DIR", &self.folder)])
    }
}

#[track_caller]
fn succeeds(ended: &Finished) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[track_caller]
fn fails(ended: &Finished, reason: &str) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(reason), "{reason}: {ended:?}");
}

fn on(url: &str, arguments: &[&str]) -> Finished {
    run(arguments, &[("DATABASE_URL", url)])
}

fn post(server: &Server, id: &str) {
    let body = format!(r#"{{"random_id":"{id}","nsapp":"jellyfin","type":"lxc","status":"success"}}"#);
    assert_eq!(http::post(server.address, "/telemetry", body.as_bytes()).expect("an answer").status, 200);
}

fn knows(server: &Server, id: &str) -> bool {
    http::get(server.address, &format!("/api/runs/{id}")).expect("an answer").status == 200
}

#[test]
fn a_backup_beside_a_running_server_has_every_run_that_was_answered() {
    let (one, two) = (Place::new(), Place::new());
    let server = Server::start(&one.data);
    let load = Load::start(server.address, &recorded(), 4);
    load.wait_for(300);
    let answered = load.finish();
    let load = Load::start(server.address, &fresh_starts("backup"), 4);
    load.wait_for(50);
    succeeds(&one.run("backup", &one.file, &[]));
    load.wait_for(50);
    assert_eq!(fs::metadata(&one.file).expect("it is there").permissions().mode() & 0o777, 0o600);
    fails(&one.run("restore", &one.file, &["--force"]), "in use by another telemetry-server");
    drop(load.finish());
    drop(server);

    let restored = two.run("restore", &one.file, &[]);
    succeeds(&restored);
    assert!(restored.stdout.contains(": 0 differences"), "{restored:?}");
    // With the key, or no run would be found by its id.
    let server = Server::start(&two.data);
    assert_stored(server.address, &answered);
    post(&server, "later");
    drop(server);

    fails(&two.run("restore", &one.file, &[]), "--force");
    succeeds(&two.run("restore", &one.file, &["--force"]));
    let server = Server::start(&two.data);
    assert!(!knows(&server, "later"));
    assert_stored(server.address, &answered);
}

#[test]
fn a_damaged_or_foreign_file_leaves_the_database_as_it_is() {
    let place = Place::new();
    let server = Server::start(&place.data);
    post(&server, "kept");
    drop(server);
    succeeds(&place.run("backup", &place.file, &[]));
    let whole = fs::read(&place.file).expect("it is there");
    let damaged = place.file.with_extension("damaged");
    for content in [&whole[..whole.len() - 200], &whole[..100], b"a text"] {
        fs::write(&damaged, content).expect("it is ours");
        fails(&place.run("restore", &damaged, &["--force"]), "pg_restore");
    }
    let nowhere = place.file.with_file_name("nowhere").join("backup");
    fails(&place.run("restore", &nowhere, &["--force"]), "cannot open");
    fails(&place.run("backup", &nowhere, &[]), "cannot create");
    let server = Server::start(&place.data);
    assert!(knows(&server, "kept"));
}

#[test]
fn one_line_moves_a_database_to_another_server_and_back() {
    let (one, back) = (Place::new(), Place::new());
    let (_cluster, options, url) = external_database();
    let server = Server::start(&one.data);
    post(&server, "moved");
    drop(server);
    let file = one.file.to_string_lossy();

    succeeds(&one.run("backup", &one.file, &[]));
    succeeds(&one.run("restore", &one.file, &["--database-url", &url]));
    let server = Server::start_with(&[("DATABASE_URL", &url)]);
    assert!(knows(&server, "moved"));
    post(&server, "second");
    fails(&on(&url, &["restore", &file, "--force"]), "stop all servers first");
    succeeds(&on(&url, &["backup", &file]));
    drop(server);

    succeeds(&back.run("restore", &one.file, &[]));
    let server = Server::start(&back.data);
    assert!(knows(&server, "moved") && knows(&server, "second"));
    drop(server);

    execute(&options, "insert into _sqlx_migrations select 999999, '', now(), true, '', 0");
    succeeds(&on(&url, &["backup", &file]));
    fails(&back.run("restore", &one.file, &["--force"]), "999999");
    assert!(knows(&Server::start(&back.data), "second"), "nothing was deleted");
}

#[test]
fn a_backup_of_an_older_version_is_migrated() {
    let place = Place::new();
    let cluster = Cluster::shared();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let options = runtime.block_on(first_release(&cluster));
    let file = place.file.to_string_lossy();
    succeeds(&on(&url(&options), &["backup", &file]));
    let restored = place.run("restore", &place.file, &[]);
    succeeds(&restored);
    assert!(restored.stdout.contains(&format!("{ROWS} executions")), "{restored:?}");
    drop(Server::start(&place.data));
}

#[test]
fn tables_of_something_else_are_never_deleted() {
    let place = Place::new();
    drop(Server::start(&place.data));
    succeeds(&place.run("backup", &place.file, &[]));
    let (_cluster, options, url) = external_database();
    execute(&options, "create table other as select 1 as kept");
    let file = place.file.to_string_lossy();
    fails(&on(&url, &["restore", &file, "--force"]), "not of this server");
    assert_eq!(execute(&options, "update other set kept = 1"), 1);
}

#[test]
fn a_key_that_is_not_in_the_database_must_be_kept_beside_the_backup() {
    const KEY: (&str, &str) = ("ID_KEY", "a key of the operator");
    let (one, two) = (Place::new(), Place::new());
    let server = Server::start_with(&[("DATA_DIR", &one.folder), KEY]);
    post(&server, "kept");
    drop(server);
    let written = one.run("backup", &one.file, &[]);
    succeeds(&written);
    assert!(written.stdout.contains("keep ID_KEY"), "{written:?}");
    fails(&two.run("restore", &one.file, &[]), "set ID_KEY to its former value");
    succeeds(&two.run("restore", &one.file, &["--force", "--id-key", KEY.1]));
    assert!(knows(&Server::start_with(&[("DATA_DIR", &two.folder), KEY]), "kept"));
}
