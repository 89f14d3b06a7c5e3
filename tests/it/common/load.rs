//! Clients at work: several connections that post at once, and whether the server kept what it
//! answered for.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use chrono::Utc;
use telemetry_server::ingest::identity::IdKey;
use telemetry_server::ingest::pipeline::read_event;

use super::corpus::{Corpus, Request};
use super::http;
use super::server::until;

/// Recorded requests, but those that say of no run.
pub(crate) fn recorded() -> Vec<Arc<Request>> {
    Corpus::largest().requests.into_iter().filter(|request| request.id().is_some()).map(Arc::new).collect()
}

/// Starts of runs that each have an id of their own.
pub(crate) fn fresh_starts(name: &str) -> Vec<Arc<Request>> {
    let start = |number| Request {
        run_id: name.to_owned(),
        path: "/telemetry".to_owned(),
        content_type: "application/json".to_owned(),
        body: format!(
            r#"{{"random_id":"{name}-{number}","nsapp":"jellyfin","type":"lxc","status":"installing"}}"#
        )
        .into_bytes(),
    };
    (0..10_000).map(start).map(Arc::new).collect()
}

/// Everything that was answered 200 is stored: each run shows the step that was reported.
pub(crate) fn assert_stored(address: SocketAddr, sent: &[Sent]) {
    let ids = IdKey::new(b"any: only the status is read");
    let reported: BTreeSet<_> = sent
        .iter()
        .filter(|sent| matches!(sent.answer, Ok(200)))
        .map(|sent| {
            let request = &sent.request;
            let read = read_event(&request.body, request.route(), Utc::now(), &ids).expect("it was accepted");
            (request.id().expect("it has one"), read.event.execution().status())
        })
        .collect();
    assert!(reported.len() >= 100, "only {} events were answered", reported.len());
    let lost: Vec<_> = reported
        .iter()
        .filter(|(id, status)| {
            let answer = http::get(address, &format!("/api/runs/{id}")).expect("an answer");
            !String::from_utf8_lossy(&answer.body)
                .contains(&format!(r#"{{"status":"{}","at""#, status.as_str()))
        })
        .collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), reported.len());
}

/// Several connections that post recorded requests, again and again.
pub(crate) struct Load {
    threads: Vec<JoinHandle<Vec<Sent>>>,
    answered: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

/// A request that was sent and what came back.
pub(crate) struct Sent {
    pub(crate) request: Arc<Request>,
    pub(crate) answer: io::Result<u16>,
}

impl Load {
    pub(crate) fn start(address: SocketAddr, requests: &[Arc<Request>], connections: usize) -> Self {
        let (next, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..connections).map(|_| {
            let (next, answered, stop) = (Arc::clone(&next), Arc::clone(&answered), Arc::clone(&stop));
            let requests = requests.to_vec();
            thread::spawn(move || {
                let mut sent = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let request = &requests[next.fetch_add(1, Ordering::Relaxed) % requests.len()];
                    let answer = http::post(address, &request.path, &request.body);
                    let (answer, ended) = match answer {
                        Ok(answer) => (Ok(answer.status), false),
                        Err(error) => (Err(error), true),
                    };
                    sent.push(Sent { request: Arc::clone(request), answer });
                    if ended {
                        break;
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                sent
            })
        });
        Self { threads: threads.collect(), answered, stop }
    }

    /// Returns when so many requests were answered.
    pub(crate) fn wait_for(&self, answers: usize) {
        until("requests are answered", || self.answered.load(Ordering::Relaxed) >= answers);
    }

    /// Waits until every connection has met its first error.
    pub(crate) fn run_out(self) -> Vec<Sent> {
        self.threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    }

    /// Ends the load; everything sent is answered.
    pub(crate) fn finish(self) -> Vec<Sent> {
        self.stop.store(true, Ordering::Relaxed);
        self.run_out()
    }
}

/// How often each answer came.
pub(crate) fn answers(sent: &[Sent]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for sent in sent {
        *counts.entry(format!("{:?}", sent.answer)).or_default() += 1;
    }
    counts
}
