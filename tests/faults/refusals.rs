//! A PostgreSQL that runs but does not serve: unreachable without a reset, failing at random, under a
//! clock that steps back, or killed below its own server.

use std::cell::RefCell;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use telemetry_protocol::Status;
use telemetry_server::store::database::pools::{WriteTimeouts, write_pool};

use crate::common::server::{run_on, until};
use crate::common::{DataDir, http};
use crate::postgres::{Postgres, block_on, stored_by};
use crate::proxy::{Mode, Proxy};
use crate::scenario::{
    Scenario, metric, scale, server, shared_machine, wait_until_drained, wait_until_spooling,
};
use crate::traffic::{Ledger, Traffic, body};

const STARTED: [Status; 1] = [Status::Installing];
/// Fails some batches with the errors of a busy database.
const RANDOM_ERRORS: &str = "
    create function random_errors() returns trigger language plpgsql as $$
    declare luck double precision := random();
    begin
        if luck < 0.06 then raise exception 'made up' using errcode = '40001'; end if;
        if luck < 0.12 then raise exception 'made up' using errcode = '40P01'; end if;
        if luck < 0.14 then raise exception 'made up' using errcode = '53200'; end if;
        return null;
    end $$;
    create trigger random_errors before insert on execution for each statement execute function random_errors()";
const HANG_UP: &str = "select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'telemetry write' and random() < 0.3";

#[test]
fn postgres_does_not_answer() {
    let times = scale(1, 5);
    let events = scale(300, 3000);
    let mut scenario = Scenario::new("black hole");
    let postgres = Postgres::start();
    let proxy = Proxy::start(postgres.socket());
    let running = server(&[("DATABASE_URL", &postgres.url_by(proxy.port))]);
    let traffic = Traffic::to(&running);
    for _ in 0..times {
        traffic.wait_for(events);
        proxy.set(Mode::BlackHole);
        wait_until_spooling(&running);
        traffic.wait_for(events);
        proxy.set(Mode::Open);
        scenario.wait_for_recovery(Instant::now(), &[&running]);
    }
    traffic.wait_for(events);
    scenario.finish(traffic, &[&running]);
    scenario.assert_all_answered();
    assert!(scenario.spooled() >= events as f64, "{} events were spooled", scenario.spooled());
    scenario.assert_nothing_lost(&postgres.stored(), &postgres.verify());
}

#[test]
fn postgres_fails_at_random() {
    let events = scale(1500, 20_000);
    let mut scenario = Scenario::new("refusals");
    let postgres = Postgres::start();
    let proxy = Proxy::start(postgres.socket());
    let running = server(&[("DATABASE_URL", &postgres.url_by(proxy.port))]);
    postgres.execute(RANDOM_ERRORS);
    proxy.set(Mode::TooMany);
    let done = AtomicBool::new(false);
    let traffic = Traffic::to(&running);
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
    postgres.execute("drop trigger random_errors on execution");
    proxy.set(Mode::Open);
    scenario.wait_for_recovery(Instant::now(), &[&running]);
    traffic.wait_for(200);
    scenario.finish(traffic, &[&running]);
    scenario.assert_all_answered();
    let away = |kind: &str| format!("telemetry_batch_failures_total{{kind=\"{kind}\"}}");
    for kind in ["transient", "away"] {
        assert!(metric(running.address, &away(kind)).is_some_and(|failures| failures > 0.0), "{kind}");
    }
    scenario.assert_nothing_lost(&postgres.stored(), &postgres.verify());
}

/// Runs the whole server, spool included, under a clock that a file sets.
#[test]
fn the_clock_steps_back() {
    let events = scale(300, 5000);
    let mut scenario = Scenario::new("clock");
    let library = format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
    if !Path::new(&library).exists() {
        use std::io::Write;
        let _ = writeln!(
            std::io::stdout(),
            "FAULT clock: SKIPPED, there is no libfaketime (make faults installs it)"
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
    // Reads its clock from what it stores.
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
    let traffic = Traffic::to(&running);
    traffic.wait_for(events);
    let before = now();
    std::fs::write(&clock, "-3600").expect("it is ours");
    assert!(now() < before - chrono::TimeDelta::minutes(59), "its clock has stepped back");
    traffic.wait_for(events);
    // And while events wait in the spool.
    postgres.stop();
    wait_until_spooling(&running);
    std::fs::write(&clock, "+0").expect("it is ours");
    traffic.wait_for(events);
    std::fs::write(&clock, "-3600").expect("it is ours");
    traffic.wait_for(events);
    postgres.start_again();
    scenario.wait_for_recovery(Instant::now(), &[&running]);
    scenario.add(traffic.finish());
    scenario.add(clocks.take());
    wait_until_drained(&[&running]);
    scenario.sample(&running);
    scenario.assert_all_answered();
    scenario.assert_nothing_lost(&postgres.stored(), &postgres.verify());
}

/// The embedded cluster is killed below its server; its supervisor starts it again.
#[test]
fn the_embedded_cluster_dies() {
    let mut scenario = Scenario::new("embedded cluster killed");
    let data = DataDir::new();
    let running = server(&[("DATA_DIR", &data.path().to_string_lossy())]);
    let traffic = Traffic::to(&running);
    traffic.wait_for(200);
    crate::crashes::kill_postmaster(&data);
    let begun = Instant::now();
    traffic.wait_for(200);
    scenario.wait_for_recovery(begun, &[&running]);
    scenario.finish(traffic, &[&running]);
    scenario.assert_all_answered();
    scenario.assert_nothing_lost(&stored_by(&data), &run_on(&data, "verify"));
}

/// The pool tests each connection after use. Without a time limit, one that gets no answer would keep its place until
/// TCP gives up, after a quarter of an hour.
#[test]
fn a_connection_that_a_silent_network_failure_has_caught_gives_its_place_back() {
    let _machine = shared_machine();
    let postgres = Postgres::start();
    let proxy = Proxy::start(postgres.socket());
    let options = PgConnectOptions::from_str(&postgres.url_by(proxy.port)).expect("it is one");
    let timeouts = WriteTimeouts { batch: Duration::from_millis(100), acquire: Duration::from_secs(60) };
    block_on(async {
        let pool = write_pool(&options, 1, timeouts, &Arc::default());
        let connection = pool.acquire().await.expect("it runs");
        proxy.set(Mode::BlackHole);
        drop(connection);
        let begun = Instant::now();
        while pool.size() > 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "it keeps its place");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        proxy.set(Mode::Open);
        pool.acquire().await.expect("it runs");
        pool.close().await;
    });
}
