//! An erased run does not come back from a spool, whichever instance erased it and whichever spooled its
//! events.

use std::net::SocketAddr;
use std::thread;

use telemetry_protocol::Status;

use crate::common::http;
use crate::common::server::until;
use crate::postgres::Postgres;
use crate::proxy::{Mode, Proxy};
use crate::scenario::{metric, server, shared_machine, wait_until_drained};
use crate::traffic::body;

fn report(address: SocketAddr, id: &str, status: Status) {
    let answer = http::post(address, "/telemetry", body(id, status).as_bytes()).expect("an answer");
    assert_eq!(answer.status, 200, "{id}");
}

fn erase(address: SocketAddr, id: &str) -> u16 {
    http::delete(address, &format!("/api/runs/{id}")).expect("an answer").status
}

fn is_known(address: SocketAddr, id: &str) -> bool {
    match http::get(address, &format!("/api/runs/{id}")).expect("an answer").status {
        200 => true,
        404 => false,
        status => panic!("{status}"),
    }
}

fn waiting(address: SocketAddr) -> f64 {
    metric(address, "telemetry_spool_entries").expect("it is measured")
}

#[test]
fn a_run_erased_after_an_outage_does_not_come_back() {
    let _machine = shared_machine();
    let mut postgres = Postgres::start();
    let running = server(&[("DATABASE_URL", &postgres.url())]);
    let address = running.address;
    report(address, "stored", Status::Installing);
    postgres.stop();
    for id in ["stored", "waiting", "kept"] {
        report(address, id, Status::Failed);
    }
    assert_eq!(waiting(address), 3.0);
    assert_eq!(erase(address, "waiting"), 503, "erasing needs the database");
    postgres.start_again();
    for id in ["stored", "waiting"] {
        // Whether the spool is drained before, after or meanwhile is left to chance.
        until("it can be erased", || erase(address, id) == 204);
    }
    wait_until_drained(&[&running]);
    assert!(!is_known(address, "stored") && !is_known(address, "waiting") && is_known(address, "kept"));
    report(address, "waiting", Status::Success);
    assert!(is_known(address, "waiting"), "a later event begins a new run");
    let verified = postgres.verify();
    assert_eq!((verified.code, postgres.stored().len()), (Some(0), 2), "{verified:?}");
}

#[test]
fn events_spooled_by_another_instance_are_erased_as_well() {
    let _machine = shared_machine();
    const RUNS: usize = 400;
    let postgres = Postgres::start();
    let proxy = Proxy::start(postgres.socket());
    let near = server(&[("DATABASE_URL", &postgres.url())]);
    let cut_off = server(&[("DATABASE_URL", &postgres.url_by(proxy.port))]);
    report(cut_off.address, "0", Status::Installing);
    proxy.set(Mode::BlackHole);
    // The first one waits for the database; from then on the outage is known.
    report(cut_off.address, "1", Status::Failed);
    (0..RUNS).for_each(|id| report(cut_off.address, &id.to_string(), Status::Failed));
    assert_eq!(waiting(cut_off.address), (RUNS + 1) as f64);

    let erased = |id: usize| id.is_multiple_of(3);
    let (before, during): (Vec<_>, Vec<_>) = (0..RUNS).filter(|id| erased(*id)).partition(|id| id % 2 == 0);
    let erase_all = |ids: &[usize]| {
        ids.iter().for_each(|id| assert_eq!(erase(near.address, &id.to_string()), 204, "{id}"));
    };
    erase_all(&before);
    assert!(!is_known(near.address, "0"));
    thread::scope(|scope| {
        scope.spawn(|| erase_all(&during));
        proxy.set(Mode::Open);
        wait_until_drained(&[&cut_off]);
    });
    wait_until_drained(&[&near, &cut_off]);
    let back: Vec<_> =
        (0..RUNS).filter(|id| is_known(near.address, &id.to_string()) == erased(*id)).collect();
    assert!(back.is_empty(), "came back, or was erased by mistake: {back:?}");
    let verified = postgres.verify();
    assert_eq!(verified.code, Some(0), "{verified:?}");
}
