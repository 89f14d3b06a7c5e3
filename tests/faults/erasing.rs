//! Erasing a run of which something waits in a spool: it does not come back, whichever instance is
//! asked and on whichever the events wait.

use std::net::SocketAddr;
use std::thread;

use telemetry_protocol::Status;

use crate::common::http;
use crate::common::server::{run, until};
use crate::postgres::Postgres;
use crate::proxy::{Proxy, Way};
use crate::stage::{beside_others, metric, server, settle};
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
fn what_is_erased_after_an_outage_does_not_come_back() {
    let _turn = beside_others();
    let mut postgres = Postgres::start();
    let running = server(&[("DATABASE_URL", &postgres.url())]);
    let address = running.address;
    report(address, "stored", Status::Installing);
    postgres.stop();
    for id in ["stored", "waiting", "kept"] {
        report(address, id, Status::Failed);
    }
    assert_eq!(waiting(address), 3.0);
    assert_eq!(erase(address, "waiting"), 503, "nothing can be erased now");
    postgres.start_again();
    for id in ["stored", "waiting"] {
        // Before, while and after the spool is drained: as it comes.
        until("it can be erased", || erase(address, id) == 204);
    }
    settle(&[&running]);
    assert!(!is_known(address, "stored") && !is_known(address, "waiting") && is_known(address, "kept"));
    report(address, "waiting", Status::Success);
    assert!(is_known(address, "waiting"), "what comes later is a new run");
    let verified = run(&["verify"], &[("DATABASE_URL", &postgres.url())]);
    assert_eq!((verified.code, postgres.stored().len()), (Some(0), 2), "{verified:?}");
}

#[test]
fn what_waits_on_another_machine_is_erased_as_well() {
    let _turn = beside_others();
    const RUNS: usize = 400;
    let postgres = Postgres::start();
    let proxy = Proxy::start(postgres.socket());
    let near = server(&[("DATABASE_URL", &postgres.url())]);
    let cut_off = server(&[("DATABASE_URL", &postgres.url_by(proxy.port))]);
    report(cut_off.address, "0", Status::Installing);
    proxy.set(Way::BlackHole);
    // The first one waits for the database; the others know.
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
        proxy.set(Way::Open);
        settle(&[&cut_off]);
    });
    settle(&[&near, &cut_off]);
    let back: Vec<_> =
        (0..RUNS).filter(|id| is_known(near.address, &id.to_string()) == erased(*id)).collect();
    assert!(back.is_empty(), "came back, or went with others: {back:?}");
    let verified = run(&["verify"], &[("DATABASE_URL", &postgres.url())]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}
