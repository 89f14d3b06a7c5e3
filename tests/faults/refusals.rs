//! A PostgreSQL that runs and is of no use: behind a black hole, full, quarrelsome, or with a clock
//! that steps back.

use std::cell::RefCell;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use telemetry_protocol::Status;

use crate::common::server::{run, run_on, until};
use crate::common::{DataDir, http};
use crate::postgres::{Postgres, stored_by};
use crate::proxy::{Proxy, Way};
use crate::stage::{CLIENTS, Story, beside_others, metric, server, settle};
use crate::traffic::{Ledger, Manner, Traffic, body, targets};

const STARTED: [Status; 1] = [Status::Installing];
/// Fails a part of all batches as a busy database does.
const QUARREL: &str = "
    create function quarrel() returns trigger language plpgsql as $$
    declare luck double precision := random();
    begin
        if luck < 0.06 then raise exception 'made up' using errcode = '40001'; end if;
        if luck < 0.12 then raise exception 'made up' using errcode = '40P01'; end if;
        if luck < 0.14 then raise exception 'made up' using errcode = '53200'; end if;
        return null;
    end $$;
    create trigger quarrel before insert on execution for each statement execute function quarrel()";
const HANG_UP: &str = "select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'telemetry write' and random() < 0.3";

#[test]
fn the_way_to_postgres_is_a_black_hole() {
    let _turn = beside_others();
    black_hole("black hole", 1, 300);
}

#[test]
#[ignore = "takes minutes: make faults"]
fn full_07_the_way_to_postgres_is_a_black_hole() {
    let _turn = beside_others();
    black_hole("07 black hole", 5, 3000);
}

fn black_hole(name: &'static str, times: usize, events: usize) {
    let postgres = Postgres::start();
    let proxy = Proxy::start(postgres.socket());
    let running = server(&[("DATABASE_URL", &postgres.url_by(proxy.port))]);
    let mut story = Story::new(name);
    let traffic = Traffic::start(&targets(&[running.address]), CLIENTS, Manner::GivesUp);
    for _ in 0..times {
        traffic.wait_for(events);
        proxy.set(Way::BlackHole);
        until("events are spooled", || metric(running.address, "telemetry_spooling") == Some(1.0));
        traffic.wait_for(events);
        proxy.set(Way::Open);
        let begun = Instant::now();
        settle(&[&running]);
        story.recovered(begun);
    }
    traffic.wait_for(events);
    story.tell(traffic.finish());
    settle(&[&running]);
    story.watch(&running);
    assert_eq!(story.ledger().failed.len(), 0, "{:?}", story.ledger().failed);
    assert!(story.spooled() >= events as f64, "{} events were spooled", story.spooled());
    story.reckon(&postgres.stored(), &run(&["verify"], &[("DATABASE_URL", &postgres.url())]));
}

#[test]
fn postgres_refuses_at_random() {
    let _turn = beside_others();
    refuse_at_random("refusals", 1500);
}

#[test]
#[ignore = "takes minutes: make faults"]
fn full_10_postgres_refuses_at_random() {
    let _turn = beside_others();
    refuse_at_random("10 refusals at random", 20_000);
}

fn refuse_at_random(name: &'static str, events: usize) {
    let postgres = Postgres::start();
    let proxy = Proxy::start(postgres.socket());
    let running = server(&[("DATABASE_URL", &postgres.url_by(proxy.port))]);
    let mut story = Story::new(name);
    postgres.execute(QUARREL);
    proxy.set(Way::TooMany);
    let done = AtomicBool::new(false);
    let traffic = Traffic::start(&targets(&[running.address]), CLIENTS, Manner::GivesUp);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                traffic.wait_for(40);
                postgres.execute(HANG_UP);
            }
        });
        traffic.wait_for(events);
        until("connections were refused", || proxy.refused() > 0);
        done.store(true, Ordering::Relaxed);
    });
    postgres.execute("drop trigger quarrel on execution");
    proxy.set(Way::Open);
    let begun = Instant::now();
    settle(&[&running]);
    story.recovered(begun);
    traffic.wait_for(200);
    story.tell(traffic.finish());
    settle(&[&running]);
    story.watch(&running);
    assert_eq!(story.ledger().failed.len(), 0, "{:?}", story.ledger().failed);
    let away = |kind: &str| format!("telemetry_batch_failures_total{{kind=\"{kind}\"}}");
    for kind in ["transient", "away"] {
        assert!(metric(running.address, &away(kind)).is_some_and(|failures| failures > 0.0), "{kind}");
    }
    story.reckon(&postgres.stored(), &run(&["verify"], &[("DATABASE_URL", &postgres.url())]));
}

#[test]
fn the_clock_steps_back() {
    let _turn = beside_others();
    step_back("clock", 300);
}

#[test]
#[ignore = "takes minutes: make faults"]
fn full_09_the_clock_steps_back_an_hour() {
    let _turn = beside_others();
    step_back("09 clock back one hour", 5000);
}

/// The whole server, spool included, with the clock of another time, which a file tells.
fn step_back(name: &'static str, events: usize) {
    let library = format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
    if !Path::new(&library).exists() {
        use std::io::Write;
        let _ = writeln!(
            std::io::stdout(),
            "FAULT {name}: SKIPPED, there is no libfaketime (make faults installs it)"
        );
        return;
    }
    let mut postgres = Postgres::start();
    let folder = DataDir::new();
    let clock = folder.path().with_file_name("clock");
    std::fs::write(&clock, "+0").expect("it is ours");
    let running = server(&[
        ("DATABASE_URL", &postgres.url()),
        ("LD_PRELOAD", &library),
        ("FAKETIME_TIMESTAMP_FILE", &clock.to_string_lossy()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ]);
    let clocks = RefCell::new(Ledger::default());
    // Its clock is seen in what it stores.
    let now = || {
        let mut clocks = clocks.borrow_mut();
        let id = format!("clock-{}", clocks.requests);
        clocks.requests += 1;
        clocks.answered += 1;
        clocks.runs.insert(id.clone(), (STARTED.into(), STARTED.into()));
        let body = body(&id, Status::Installing);
        assert_eq!(
            http::post(running.address, "/telemetry", body.as_bytes()).expect("an answer").status,
            200
        );
        let answer = http::get(running.address, &format!("/api/runs/{id}")).expect("an answer");
        let seen = answer.json()["executions"][0]["first_seen"].as_str().expect("a time").to_owned();
        chrono::DateTime::parse_from_rfc3339(&seen).expect("a time").to_utc()
    };
    let mut story = Story::new(name);
    let traffic = Traffic::start(&targets(&[running.address]), CLIENTS, Manner::GivesUp);
    traffic.wait_for(events);
    let before = now();
    std::fs::write(&clock, "-3600").expect("it is ours");
    assert!(now() < before - chrono::TimeDelta::minutes(59), "its clock has stepped back");
    traffic.wait_for(events);
    // And while something waits in the spool.
    postgres.stop();
    until("events are spooled", || metric(running.address, "telemetry_spooling") == Some(1.0));
    std::fs::write(&clock, "+0").expect("it is ours");
    traffic.wait_for(events);
    std::fs::write(&clock, "-3600").expect("it is ours");
    traffic.wait_for(events);
    postgres.start_again();
    let begun = Instant::now();
    settle(&[&running]);
    story.recovered(begun);
    story.tell(traffic.finish());
    story.tell(clocks.take());
    settle(&[&running]);
    story.watch(&running);
    assert_eq!(story.ledger().failed.len(), 0, "{:?}", story.ledger().failed);
    story.reckon(&postgres.stored(), &run(&["verify"], &[("DATABASE_URL", &postgres.url())]));
}

/// The embedded cluster dies under its own server; its supervisor starts it again.
#[test]
fn the_embedded_cluster_dies() {
    let _turn = beside_others();
    let data = DataDir::new();
    let running = server(&[("DATA_DIR", &data.path().to_string_lossy())]);
    let mut story = Story::new("embedded cluster killed");
    let traffic = Traffic::start(&targets(&[running.address]), CLIENTS, Manner::GivesUp);
    traffic.wait_for(200);
    crate::crashes::kill_postmaster(&data);
    let begun = Instant::now();
    traffic.wait_for(200);
    settle(&[&running]);
    story.recovered(begun);
    story.tell(traffic.finish());
    settle(&[&running]);
    story.watch(&running);
    assert_eq!(story.ledger().failed.len(), 0, "{:?}", story.ledger().failed);
    story.reckon(&stored_by(&data), &run_on(&data, "verify"));
}
