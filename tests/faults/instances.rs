//! Several servers on one database: replaced one after the other under load, and sent the same
//! events at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use telemetry_protocol::Status;

use crate::common::corpus::shuffle;
use crate::common::http;
use crate::common::server::Server;
use crate::postgres::Postgres;
use crate::scenario::{Scenario, scale, server, wait_until_drained};
use crate::traffic::{CLIENTS, Ledger, OnFailure, Targets, Traffic, body, targets};

/// Longest time that a stop may take.
const STOP_SECONDS: Duration = Duration::from_secs(20);

#[test]
fn two_servers_are_replaced_under_load() {
    let rounds = scale(1, 5);
    let events = scale(300, 2000);
    let mut scenario = Scenario::new("rolling restart");
    let postgres = Postgres::start();
    let url = postgres.url();
    let start = || server(&[("DATABASE_URL", &url)]);
    let mut servers = [start(), start()];
    let targets = targets(&servers.each_ref().map(|server| server.address));
    let traffic = Traffic::start(&targets, OnFailure::Retries);
    for round in 0..2 * rounds {
        traffic.wait_for(events);
        let place = round % 2;
        let begun = Instant::now();
        scenario.sample(&servers[place]);
        stop(&mut servers[place]);
        servers[place] = start();
        set(&targets, place, servers[place].address);
        scenario.note_recovery(begun);
    }
    traffic.wait_for(events);
    scenario.add(traffic.finish());
    servers.iter().for_each(|server| scenario.sample(server));
    wait_until_drained(&servers.each_ref());
    scenario.assert_all_answered();
    scenario.assert_nothing_lost(&postgres.stored(), &postgres.verify());
}

/// Stops a server gracefully while requests arrive.
fn stop(server: &mut Server) {
    server.signal(Signal::SIGTERM);
    let status = server.wait(STOP_SECONDS).and_then(|status| status.code());
    assert_eq!(status, Some(0), "{}", server.stderr());
}

fn set(targets: &Targets, place: usize, address: SocketAddr) {
    targets.lock().unwrap_or_else(PoisonError::into_inner)[place] = address;
}

#[test]
fn two_servers_receive_the_same_events_at_the_same_time() {
    let runs = scale(150, 3000);
    let mut scenario = Scenario::new("two instances");
    const STEPS: [Status; 4] = [Status::Installing, Status::Configuring, Status::Failed, Status::Success];
    let postgres = Postgres::start();
    let servers = [(); 2].map(|()| server(&[("DATABASE_URL", &postgres.url())]));
    let addresses = servers.each_ref().map(|server| server.address);
    let mut events: Vec<_> =
        (0..runs).flat_map(|run| STEPS.map(|status| (format!("same-{run}"), status))).collect();
    thread::scope(|scope| {
        let mut feeders = Vec::new();
        for feeder in 0..CLIENTS {
            // Each client sends every event, in an order of its own.
            shuffle(&mut events);
            let (events, addresses) = (events.clone(), &addresses);
            feeders.push(scope.spawn(move || feed(&events, addresses[feeder % 2])));
        }
        feeders.into_iter().for_each(|feeder| scenario.add(feeder.join().expect("no panic")));
    });
    wait_until_drained(&servers.each_ref());
    servers.iter().for_each(|server| scenario.sample(server));
    scenario.assert_all_answered();
    let stored = postgres.stored();
    assert_eq!(stored.len(), runs);
    assert!(stored.values().all(|steps| steps[..] == STEPS), "each run has all its steps");
    scenario.assert_nothing_lost(&stored, &postgres.verify());
}

fn feed(events: &[(String, Status)], address: SocketAddr) -> Ledger {
    let mut ledger = Ledger::default();
    let mut failed = BTreeMap::<_, usize>::new();
    for (id, status) in events {
        let begun = Instant::now();
        let answer = http::post(address, "/telemetry", body(id, *status).as_bytes());
        ledger.slowest = ledger.slowest.max(begun.elapsed());
        ledger.requests += 1;
        let run = ledger.runs.entry(id.clone()).or_insert_with(|| (BTreeSet::new(), BTreeSet::new()));
        run.0.insert(*status);
        match answer.map(|answer| answer.status) {
            Ok(200) => {
                run.1.insert(*status);
                ledger.answered += 1;
            }
            other => *failed.entry(format!("{other:?}")).or_default() += 1,
        }
    }
    ledger.failed = failed;
    ledger
}
