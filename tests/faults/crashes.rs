//! Processes that die: the server, PostgreSQL under it, and PostgreSQL for a while.

use std::time::{Duration, Instant};

use crate::common::DataDir;
use crate::common::server::{run, until};
use crate::postgres::Postgres;
use crate::stage::{CLIENTS, Story, beside_others, metric, random, server, settle};
use crate::traffic::{Manner, Traffic, targets};

#[test]
fn the_server_is_killed_under_load() {
    let _turn = beside_others();
    kill_the_server("server killed", 2, 400);
}

#[test]
#[ignore = "takes minutes: make faults"]
fn full_01_the_server_is_killed_twenty_times() {
    let _turn = beside_others();
    kill_the_server("01 server killed 20 times", 20, 1500);
}

/// PostgreSQL is away now and then, so that there is something in the spool when the server dies.
fn kill_the_server(name: &'static str, kills: usize, spread: usize) {
    let mut postgres = Postgres::start();
    let folder = DataDir::new();
    let (url, spool) = (postgres.url(), folder.path().to_string_lossy().into_owned());
    let start = || server(&[("DATABASE_URL", &url), ("SPOOL_DIR", &spool)]);
    let mut story = Story::new(name);
    for round in 0..kills {
        let begun = Instant::now();
        let running = start();
        if round > 0 {
            settle(&[&running]);
            story.recovered(begun);
        }
        let traffic = Traffic::start(&targets(&[running.address]), CLIENTS, Manner::GivesUp);
        traffic.wait_for(100 + random(spread));
        let is_away = round % 3 == 0;
        if is_away {
            postgres.stop();
            let waiting = || metric(running.address, "telemetry_spool_entries");
            until("events are spooled", || waiting() > Some(0.0));
            traffic.wait_for(random(spread));
        }
        story.watch(&running);
        running.kill();
        traffic.wait_for_refusals(CLIENTS);
        story.tell(traffic.finish());
        if is_away {
            postgres.start_again();
        }
    }
    let running = start();
    settle(&[&running]);
    story.watch(&running);
    assert!(story.spooled() > 0.0, "something was spooled");
    story.reckon(&postgres.stored(), &run(&["verify"], &[("DATABASE_URL", &url)]));
}

pub(crate) fn kill_postmaster(data: &DataDir) {
    use nix::sys::signal::{Signal, kill};
    let file = std::fs::read_to_string(data.path().join("postgres/postmaster.pid")).expect("it runs");
    let pid = file.lines().next().and_then(|line| line.parse().ok()).expect("a process id");
    kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).expect("it runs");
}

#[test]
fn postgres_is_killed_under_load() {
    let _turn = beside_others();
    kill_postgres("PostgreSQL killed", 1, 400);
}

#[test]
#[ignore = "takes minutes: make faults"]
fn full_02_postgres_is_killed_ten_times() {
    let _turn = beside_others();
    kill_postgres("02 PostgreSQL killed 10 times", 10, 1500);
}

fn kill_postgres(name: &'static str, kills: usize, spread: usize) {
    let postgres = Postgres::start();
    let running = server(&[("DATABASE_URL", &postgres.url())]);
    let mut story = Story::new(name);
    let traffic = Traffic::start(&targets(&[running.address]), CLIENTS, Manner::GivesUp);
    for _ in 0..kills {
        traffic.wait_for(100 + random(spread));
        let begun = Instant::now();
        postgres.kill();
        // By now the clients have met it.
        traffic.wait_for(2 * CLIENTS);
        settle(&[&running]);
        story.recovered(begun);
    }
    traffic.wait_for(200);
    story.tell(traffic.finish());
    settle(&[&running]);
    story.watch(&running);
    assert_eq!(story.ledger().failed.len(), 0, "{:?}", story.ledger().failed);
    story.reckon(&postgres.stored(), &run(&["verify"], &[("DATABASE_URL", &postgres.url())]));
}

#[test]
fn postgres_is_stopped_for_a_while() {
    let _turn = beside_others();
    stop_postgres("PostgreSQL stopped", Duration::from_secs(2));
}

#[test]
#[ignore = "takes minutes: make faults"]
fn full_03_postgres_is_stopped_for_a_minute() {
    let _turn = beside_others();
    stop_postgres("03 PostgreSQL stopped for 60 s", Duration::from_secs(60));
}

fn stop_postgres(name: &'static str, absence: Duration) {
    let mut postgres = Postgres::start();
    let folder = DataDir::new();
    let spool = folder.path().to_string_lossy().into_owned();
    let url = postgres.url();
    let start = || server(&[("DATABASE_URL", &url), ("SPOOL_DIR", &spool)]);
    let mut running = start();
    let mut story = Story::new(name);
    let traffic = Traffic::start(&targets(&[running.address]), CLIENTS, Manner::GivesUp);
    traffic.wait_for(300);
    let gone = Instant::now();
    postgres.stop();
    until("events are spooled", || metric(running.address, "telemetry_spooling") == Some(1.0));
    while gone.elapsed() < absence {
        traffic.wait_for(100);
    }
    postgres.start_again();
    let begun = Instant::now();
    settle(&[&running]);
    story.recovered(begun);
    traffic.wait_for(300);

    // A stop in an outage keeps what waits; the next start drains it.
    postgres.stop();
    until("events are spooled", || metric(running.address, "telemetry_spooling") == Some(1.0));
    traffic.wait_for(300);
    story.tell(traffic.finish());
    story.watch(&running);
    assert!(metric(running.address, "telemetry_spool_entries").is_some_and(|entries| entries > 0.0));
    running.signal(nix::sys::signal::Signal::SIGTERM);
    let ended = running.wait(Duration::from_secs(20)).and_then(|status| status.code());
    assert_eq!(ended, Some(0), "{}", running.stderr());
    postgres.start_again();
    let begun = Instant::now();
    let running = start();
    settle(&[&running]);
    story.recovered(begun);
    story.watch(&running);
    assert_eq!(story.ledger().failed.len(), 0, "{:?}", story.ledger().failed);
    assert!(story.spooled() > 100.0, "{} events were spooled", story.spooled());
    story.reckon(&postgres.stored(), &run(&["verify"], &[("DATABASE_URL", &url)]));
}
