//! Several servers on one database: replaced one after the other under load, and fed the same
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
use crate::common::server::{Server, run};
use crate::postgres::Postgres;
use crate::stage::{CLIENTS, Story, beside_others, server, settle};
use crate::traffic::{Ledger, Manner, Targets, Traffic, body, targets};

/// Longest time that a stop may take.
const STOP_SECONDS: Duration = Duration::from_secs(20);

#[test]
fn two_servers_are_replaced_under_load() {
    let _turn = beside_others();
    replace("rolling restart", 1, 300);
}

#[test]
#[ignore = "takes minutes: make faults"]
fn full_06_two_servers_are_replaced_under_load() {
    let _turn = beside_others();
    replace("06 rolling restart of two instances", 5, 2000);
}

fn replace(name: &'static str, rounds: usize, events: usize) {
    let postgres = Postgres::start();
    let url = postgres.url();
    let start = || server(&[("DATABASE_URL", &url)]);
    let mut servers = [start(), start()];
    let targets = targets(&servers.each_ref().map(|server| server.address));
    let mut story = Story::new(name);
    let traffic = Traffic::start(&targets, CLIENTS, Manner::Retries);
    for round in 0..2 * rounds {
        traffic.wait_for(events);
        let place = round % 2;
        let begun = Instant::now();
        story.watch(&servers[place]);
        stop(&mut servers[place]);
        servers[place] = start();
        set(&targets, place, servers[place].address);
        story.recovered(begun);
    }
    traffic.wait_for(events);
    story.tell(traffic.finish());
    servers.iter().for_each(|server| story.watch(server));
    settle(&servers.each_ref());
    assert_eq!(story.ledger().failed.len(), 0, "{:?}", story.ledger().failed);
    story.reckon(&postgres.stored(), &run(&["verify"], &[("DATABASE_URL", &url)]));
}

/// In good order, while requests come.
fn stop(server: &mut Server) {
    server.signal(Signal::SIGTERM);
    let status = server.wait(STOP_SECONDS).and_then(|status| status.code());
    assert_eq!(status, Some(0), "{}", server.stderr());
}

fn set(targets: &Targets, place: usize, address: SocketAddr) {
    targets.lock().unwrap_or_else(PoisonError::into_inner)[place] = address;
}

#[test]
fn two_servers_are_fed_the_same_at_the_same_time() {
    let _turn = beside_others();
    feed_twice("two instances", 150);
}

#[test]
#[ignore = "takes minutes: make faults"]
fn full_08_two_servers_are_fed_the_same_at_the_same_time() {
    let _turn = beside_others();
    feed_twice("08 two instances, same executions", 3000);
}

fn feed_twice(name: &'static str, runs: usize) {
    const STEPS: [Status; 4] = [Status::Installing, Status::Configuring, Status::Failed, Status::Success];
    let postgres = Postgres::start();
    let servers = [(); 2].map(|()| server(&[("DATABASE_URL", &postgres.url())]));
    let addresses = servers.each_ref().map(|server| server.address);
    let mut events: Vec<_> =
        (0..runs).flat_map(|run| STEPS.map(|status| (format!("same-{run}"), status))).collect();
    let mut story = Story::new(name);
    thread::scope(|scope| {
        let mut feeders = Vec::new();
        for feeder in 0..CLIENTS {
            // Everyone sends everything, in another order; neighbours at the same time.
            shuffle(&mut events);
            let (events, addresses) = (events.clone(), &addresses);
            feeders.push(scope.spawn(move || feed(&events, addresses[feeder % 2])));
        }
        feeders.into_iter().for_each(|feeder| story.tell(feeder.join().expect("no panic")));
    });
    settle(&servers.each_ref());
    servers.iter().for_each(|server| story.watch(server));
    assert_eq!(story.ledger().failed.len(), 0, "{:?}", story.ledger().failed);
    let stored = postgres.stored();
    assert_eq!(stored.len(), runs);
    assert!(stored.values().all(|steps| steps[..] == STEPS), "each run has all its steps");
    story.reckon(&stored, &run(&["verify"], &[("DATABASE_URL", &postgres.url())]));
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
