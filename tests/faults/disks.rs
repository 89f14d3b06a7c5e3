//! Full disks: PostgreSQL's and the spool's. A disk is a small tmpfs; where mounting is not allowed the
//! tests say so and do nothing.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use telemetry_protocol::Status;
use telemetry_server::store::database::embedded::Settings;

use crate::common::server::until;
use crate::common::{DataDir, http};
use crate::postgres::Postgres;
use crate::scenario::{Scenario, metric, scale, server, wait_until_spooling};
use crate::traffic::{Traffic, body};

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

    /// Fills it to the last byte.
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
fn the_disk_of_postgres_fills_up() {
    let times = scale(1, 3);
    let events = scale(300, 4000);
    let mut scenario = Scenario::new("data disk full");
    let Some(disk) = Disk::mount("data disk full", 400) else { return };
    let settings = Settings { data_dir: disk.path.join("data"), ..DataDir::new().settings() };
    let postgres = Postgres::start_in(settings);
    let running = server(&[("DATABASE_URL", &postgres.url())]);
    let traffic = Traffic::to(&running);
    for _ in 0..times {
        traffic.wait_for(events);
        disk.fill();
        wait_until_spooling(&running);
        traffic.wait_for(events);
        disk.make_room();
        scenario.wait_for_recovery(Instant::now(), &[&running]);
    }
    traffic.wait_for(events);
    scenario.finish(traffic, &[&running]);
    scenario.assert_all_answered();
    scenario.assert_nothing_lost(&postgres.stored(), &postgres.verify());
    drop(running);
    drop(postgres);
}

#[test]
fn the_disk_of_the_spool_fills_up() {
    let times = scale(1, 3);
    let mut scenario = Scenario::new("spool disk full");
    let Some(disk) = Disk::mount("spool disk full", 16) else { return };
    let mut postgres = Postgres::start();
    let url = postgres.url();
    let running = server(&[("DATABASE_URL", &url), ("SPOOL_DIR", &disk.path.to_string_lossy())]);
    let traffic = Traffic::to(&running);
    for _ in 0..times {
        traffic.wait_for(200);
        postgres.stop();
        until("events are spooled", || metric(running.address, "telemetry_spool_entries") > Some(20.0));
        disk.fill();
        traffic.wait_for_refusals(100);
        assert_refused(running.address);
        // Free space alone is enough to accept events again.
        disk.make_room();
        traffic.wait_for(200);
        disk.fill();
        traffic.wait_for_refusals(100);
        // So is the database alone.
        postgres.start_again();
        scenario.wait_for_recovery(Instant::now(), &[&running]);
        traffic.wait_for(200);
        disk.make_room();
    }
    scenario.finish(traffic, &[&running]);
    let refused =
        scenario.ledger().failures("503 spool_full") + scenario.ledger().failures("503 database_unavailable");
    assert!(refused >= 200, "{:?}", scenario.ledger().failed);
    assert_eq!(scenario.ledger().failed.values().sum::<usize>(), refused, "{:?}", scenario.ledger().failed);
    scenario.assert_nothing_lost(&postgres.stored(), &postgres.verify());
    drop(running);
}

/// The client gets a `Retry-After`, and `/readyz` gives the reason.
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
