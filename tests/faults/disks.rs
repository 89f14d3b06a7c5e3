//! Disks that run full: that of PostgreSQL, and that of the spool. A disk is a small file system in
//! memory; where mounting is not allowed the tests say so and do nothing.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use telemetry_protocol::Status;
use telemetry_server::store::database::embedded::Settings;

use crate::common::server::{run, until};
use crate::common::{DataDir, http};
use crate::postgres::Postgres;
use crate::stage::{CLIENTS, Story, beside_others, metric, server, settle};
use crate::traffic::{Manner, Traffic, body, targets};

/// A file system of a fixed size.
struct Disk {
    path: PathBuf,
    _folder: DataDir,
}

impl Disk {
    /// `None` where mounting is not allowed.
    fn mount(name: &str, megabytes: u32) -> Option<Self> {
        let folder = DataDir::new();
        let path = folder.path();
        fs::create_dir(&path).expect("it is new");
        let options = format!("size={megabytes}m,mode=711");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            fs::set_permissions(&path, Permissions::from_mode(0o711)).expect("it is ours");
            return Some(Self { path, _folder: folder });
        }
        let _ = writeln!(std::io::stdout(), "FAULT {name}: SKIPPED, mounting a tmpfs is not allowed here");
        None
    }

    /// Leaves no room.
    fn fill(&self) {
        let ballast = OpenOptions::new().create(true).append(true).open(self.path.join("ballast"));
        let mut ballast = ballast.expect("it is ours");
        for chunk in [1 << 20, 4096, 1] {
            while ballast.write_all(&vec![1; chunk]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.path.join("ballast")).expect("it is there");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.path).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{} stays mounted", self.path.display());
    }
}

#[test]
fn the_disk_of_postgres_is_full() {
    let _turn = beside_others();
    fill_data("data disk full", 1, 300);
}

#[test]
#[ignore = "takes minutes: make faults"]
fn full_04_the_disk_of_postgres_is_full() {
    let _turn = beside_others();
    fill_data("04 data disk full", 3, 4000);
}

fn fill_data(name: &'static str, times: usize, events: usize) {
    let Some(disk) = Disk::mount(name, 400) else { return };
    let settings = Settings { data_dir: disk.path.join("data"), ..DataDir::new().settings() };
    let postgres = Postgres::start_in(settings);
    let running = server(&[("DATABASE_URL", &postgres.url())]);
    let mut story = Story::new(name);
    let traffic = Traffic::start(&targets(&[running.address]), CLIENTS, Manner::GivesUp);
    for _ in 0..times {
        traffic.wait_for(events);
        disk.fill();
        until("events are spooled", || metric(running.address, "telemetry_spooling") == Some(1.0));
        traffic.wait_for(events);
        disk.make_room();
        let begun = Instant::now();
        settle(&[&running]);
        story.recovered(begun);
    }
    traffic.wait_for(events);
    story.tell(traffic.finish());
    settle(&[&running]);
    story.watch(&running);
    assert_eq!(story.ledger().failed.len(), 0, "{:?}", story.ledger().failed);
    story.reckon(&postgres.stored(), &run(&["verify"], &[("DATABASE_URL", &postgres.url())]));
    drop(running);
    drop(postgres);
}

#[test]
fn the_disk_of_the_spool_is_full() {
    let _turn = beside_others();
    fill_spool("spool disk full", 1);
}

#[test]
#[ignore = "takes minutes: make faults"]
fn full_05_the_disk_of_the_spool_is_full() {
    let _turn = beside_others();
    fill_spool("05 spool disk full", 3);
}

fn fill_spool(name: &'static str, times: usize) {
    let Some(disk) = Disk::mount(name, 16) else { return };
    let mut postgres = Postgres::start();
    let url = postgres.url();
    let running = server(&[("DATABASE_URL", &url), ("SPOOL_DIR", &disk.path.to_string_lossy())]);
    let mut story = Story::new(name);
    let traffic = Traffic::start(&targets(&[running.address]), CLIENTS, Manner::GivesUp);
    for _ in 0..times {
        traffic.wait_for(200);
        postgres.stop();
        until("events are spooled", || metric(running.address, "telemetry_spool_entries") > Some(20.0));
        disk.fill();
        traffic.wait_for_refusals(100);
        assert_refused(running.address);
        // Room alone is enough to go on.
        disk.make_room();
        traffic.wait_for(200);
        disk.fill();
        traffic.wait_for_refusals(100);
        // And so is the database alone.
        postgres.start_again();
        let begun = Instant::now();
        settle(&[&running]);
        story.recovered(begun);
        traffic.wait_for(200);
        disk.make_room();
    }
    story.tell(traffic.finish());
    settle(&[&running]);
    story.watch(&running);
    let refused =
        story.ledger().failures("503 spool_full") + story.ledger().failures("503 database_unavailable");
    assert!(refused >= 200, "{:?}", story.ledger().failed);
    assert_eq!(story.ledger().failed.values().sum::<usize>(), refused, "{:?}", story.ledger().failed);
    story.reckon(&postgres.stored(), &run(&["verify"], &[("DATABASE_URL", &url)]));
    drop(running);
}

/// A client is told to come back, and an operator why.
fn assert_refused(address: std::net::SocketAddr) {
    let mut connection = http::open(address).expect("it listens");
    let body = body("refused", Status::Installing);
    let request = [http::head("POST", "/telemetry", &[], body.len()), body].concat();
    connection.write_all(request.as_bytes()).expect("it listens");
    let mut answer = Vec::new();
    std::io::Read::read_to_end(&mut connection, &mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(answer.starts_with("http/1.1 503") && answer.contains("retry-after: "), "{answer}");
    let ready = http::get(address, "/readyz").expect("an answer");
    assert_eq!(ready.status, 503);
    assert!(ready.json()["reason"].as_str().is_some_and(|reason| reason.contains("spool")));
}
