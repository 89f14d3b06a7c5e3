//! Processes that die: the server, PostgreSQL under it, and PostgreSQL for a while.

use std::time::{Duration, Instant};

use crate::common::DataDir;
use crate::common::server::until;
use crate::postgres::Postgres;
use crate::scenario::{Scenario, metric, random, scale, server, wait_until_drained, wait_until_spooling};
use crate::traffic::{CLIENTS, Traffic};

/// PostgreSQL is away now and then, so that the spool holds events when the server dies.
#[test]
fn the_server_is_killed_under_load() {
    let kills = scale(2, 20);
    let spread = scale(400, 1500);
    let mut scenario = Scenario::new("server killed");
    let mut postgres = Postgres::start();
    let folder = DataDir::new();
    let (url, spool) = (postgres.url(), folder.path().to_string_lossy().into_owned());
    let start = || server(&[("DATABASE_URL", &url), ("SPOOL_DIR", &spool)]);
    for round in 0..kills {
        let begun = Instant::now();
        let running = start();
        if round > 0 {
            scenario.wait_for_recovery(begun, &[&running]);
        }
        let traffic = Traffic::to(&running);
        traffic.wait_for(100 + random(spread));
        let is_away = round % 3 == 0;
        if is_away {
            postgres.stop();
            let waiting = || metric(running.address, "telemetry_spool_entries");
            until("events are spooled", || waiting() > Some(0.0));
            traffic.wait_for(random(spread));
        }
        scenario.sample(&running);
        running.kill();
        traffic.wait_for_refusals(CLIENTS);
        scenario.add(traffic.finish());
        if is_away {
            postgres.start_again();
        }
    }
    let running = start();
    wait_until_drained(&[&running]);
    scenario.sample(&running);
    assert!(scenario.spooled() > 0.0, "something was spooled");
    scenario.assert_nothing_lost(&postgres.stored(), &postgres.verify());
}

pub(crate) fn kill_postmaster(data: &DataDir) {
    use nix::sys::signal::{Signal, kill};
    let file = std::fs::read_to_string(data.path().join("postgres/postmaster.pid")).expect("it runs");
    let pid = file.lines().next().and_then(|line| line.parse().ok()).expect("a process id");
    kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).expect("it runs");
}

#[test]
fn postgres_is_killed_under_load() {
    let kills = scale(1, 10);
    let spread = scale(400, 1500);
    let mut scenario = Scenario::new("PostgreSQL killed");
    let postgres = Postgres::start();
    let running = server(&[("DATABASE_URL", &postgres.url())]);
    let traffic = Traffic::to(&running);
    for _ in 0..kills {
        traffic.wait_for(100 + random(spread));
        let begun = Instant::now();
        postgres.kill();
        // By now every client has sent to it.
        traffic.wait_for(2 * CLIENTS);
        scenario.wait_for_recovery(begun, &[&running]);
    }
    traffic.wait_for(200);
    scenario.finish(traffic, &[&running]);
    scenario.assert_all_answered();
    scenario.assert_nothing_lost(&postgres.stored(), &postgres.verify());
}

#[test]
fn postgres_is_stopped_for_a_while() {
    let absence = scale(Duration::from_secs(2), Duration::from_secs(60));
    let mut scenario = Scenario::new("PostgreSQL stopped");
    let mut postgres = Postgres::start();
    let folder = DataDir::new();
    let spool = folder.path().to_string_lossy().into_owned();
    let url = postgres.url();
    let start = || server(&[("DATABASE_URL", &url), ("SPOOL_DIR", &spool)]);
    let mut running = start();
    let traffic = Traffic::to(&running);
    traffic.wait_for(300);
    let gone = Instant::now();
    postgres.stop();
    wait_until_spooling(&running);
    while gone.elapsed() < absence {
        traffic.wait_for(100);
    }
    postgres.start_again();
    scenario.wait_for_recovery(Instant::now(), &[&running]);
    traffic.wait_for(300);

    // A stop during an outage keeps the spooled events; the next start drains them.
    postgres.stop();
    wait_until_spooling(&running);
    traffic.wait_for(300);
    scenario.add(traffic.finish());
    scenario.sample(&running);
    assert!(metric(running.address, "telemetry_spool_entries").is_some_and(|entries| entries > 0.0));
    running.signal(nix::sys::signal::Signal::SIGTERM);
    let ended = running.wait(Duration::from_secs(20)).and_then(|status| status.code());
    assert_eq!(ended, Some(0), "{}", running.stderr());
    postgres.start_again();
    let begun = Instant::now();
    let running = start();
    scenario.wait_for_recovery(begun, &[&running]);
    scenario.sample(&running);
    scenario.assert_all_answered();
    assert!(scenario.spooled() > 100.0, "{} events were spooled", scenario.spooled());
    scenario.assert_nothing_lost(&postgres.stored(), &postgres.verify());
}
