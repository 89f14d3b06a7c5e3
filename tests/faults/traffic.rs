//! Clients that report runs from start to end and remember which events were answered.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use telemetry_protocol::Status;

use crate::common::http;
use crate::common::server::{Server, until};

/// Concurrent clients.
pub(crate) const CLIENTS: usize = 8;
/// The events of a run. Not every run gets to its end.
const STEPS: [Status; 4] = [Status::Installing, Status::Validation, Status::Configuring, Status::Success];
/// Attempts of a client that retries, and the pause between two.
const TRIES: usize = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// The servers that take requests now. A client goes round them, as a proxy would.
pub(crate) type Targets = Arc<Mutex<Vec<SocketAddr>>>;

pub(crate) fn targets(addresses: &[SocketAddr]) -> Targets {
    Arc::new(Mutex::new(addresses.to_vec()))
}

/// What the clients sent, and what was answered.
#[derive(Default)]
pub(crate) struct Ledger {
    /// For each run the steps that were sent, and those that were answered 2xx.
    pub(crate) runs: BTreeMap<String, (BTreeSet<Status>, BTreeSet<Status>)>,
    pub(crate) requests: usize,
    pub(crate) answered: usize,
    /// Requests that were given up, by reason.
    pub(crate) failed: BTreeMap<String, usize>,
    /// Longest time to any answer.
    pub(crate) slowest: Duration,
}

impl Ledger {
    pub(crate) fn add(&mut self, other: Self) {
        for (id, (sent, answered)) in other.runs {
            let run = self.runs.entry(id).or_default();
            run.0.extend(sent);
            run.1.extend(answered);
        }
        self.requests += other.requests;
        self.answered += other.answered;
        for (reason, count) in other.failed {
            *self.failed.entry(reason).or_default() += count;
        }
        self.slowest = self.slowest.max(other.slowest);
    }

    /// Number of requests that failed for reasons that contain `kind`.
    pub(crate) fn failures(&self, kind: &str) -> usize {
        self.failed.iter().filter(|(reason, _)| reason.contains(kind)).map(|(_, count)| count).sum()
    }
}

/// What a client does with an event that was not answered 2xx.
#[derive(Clone, Copy)]
pub(crate) enum OnFailure {
    /// Gives it up.
    GivesUp,
    /// Sends it again, to the next server.
    Retries,
}

/// Number of the next run in this process, so that no two have the same id.
static RUNS: AtomicU64 = AtomicU64::new(0);

fn id_of(run: u64) -> String {
    format!("fault-{run}")
}

/// Clients that are sending.
pub(crate) struct Traffic {
    first_run: u64,
    threads: Vec<JoinHandle<Ledger>>,
    answered: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Traffic {
    /// Clients of one server, which give up what it does not answer.
    pub(crate) fn to(server: &Server) -> Self {
        Self::start(&targets(&[server.address]), OnFailure::GivesUp)
    }

    pub(crate) fn start(targets: &Targets, manner: OnFailure) -> Self {
        let (answered, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let stop = Arc::new(AtomicBool::new(false));
        let first_run = RUNS.load(Ordering::Relaxed);
        let threads = (0..CLIENTS).map(|_| {
            let client = Client {
                targets: Arc::clone(targets),
                manner,
                answered: Arc::clone(&answered),
                refused: Arc::clone(&refused),
                ledger: Ledger::default(),
            };
            let stop = Arc::clone(&stop);
            thread::spawn(move || client.work(&stop))
        });
        Self { first_run, threads: threads.collect(), answered, refused, stop }
    }

    /// The id of its first run, if no other traffic is sending.
    pub(crate) fn first_run(&self) -> String {
        id_of(self.first_run)
    }

    /// Returns when `more` further requests were answered 2xx.
    pub(crate) fn wait_for(&self, more: usize) {
        let wanted = self.answered.load(Ordering::Relaxed) + more;
        until("requests are answered", || self.answered.load(Ordering::Relaxed) >= wanted);
    }

    /// Returns when `more` further requests were not answered 2xx.
    pub(crate) fn wait_for_refusals(&self, more: usize) {
        let wanted = self.refused.load(Ordering::Relaxed) + more;
        until("requests are refused", || self.refused.load(Ordering::Relaxed) >= wanted);
    }

    /// Stops the clients.
    pub(crate) fn finish(self) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        let mut ledger = Ledger::default();
        self.threads.into_iter().for_each(|thread| ledger.add(thread.join().expect("no panic")));
        ledger
    }
}

struct Client {
    targets: Targets,
    manner: OnFailure,
    answered: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    ledger: Ledger,
}

impl Client {
    fn work(mut self, stop: &AtomicBool) -> Ledger {
        while !stop.load(Ordering::Relaxed) {
            let number = RUNS.fetch_add(1, Ordering::Relaxed);
            let id = id_of(number);
            let end = [2, 4, 4, 4][usize::try_from(number % 4).expect("small")];
            for status in &STEPS[..end] {
                let answered = self.report(&id, *status);
                let (sent, kept) = self.ledger.runs.entry(id.clone()).or_default();
                sent.insert(*status);
                if answered {
                    kept.insert(*status);
                }
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        }
        self.ledger
    }

    /// Sends an event. Returns whether it was answered 2xx.
    fn report(&mut self, id: &str, status: Status) -> bool {
        let body = body(id, status);
        let tries = if matches!(self.manner, OnFailure::Retries) { TRIES } else { 1 };
        let mut reason = String::new();
        for attempt in 0..tries {
            let target = {
                let targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
                targets.get((self.ledger.requests + attempt) % targets.len().max(1)).copied()
            };
            let Some(target) = target else {
                thread::sleep(PAUSE);
                continue;
            };
            let begun = Instant::now();
            reason = match http::post(target, "/telemetry", body.as_bytes()) {
                Ok(answer) if answer.status == 200 => {
                    self.ledger.slowest = self.ledger.slowest.max(begun.elapsed());
                    self.ledger.requests += 1;
                    self.ledger.answered += 1;
                    self.answered.fetch_add(1, Ordering::Relaxed);
                    return true;
                }
                Ok(answer) => {
                    self.ledger.slowest = self.ledger.slowest.max(begun.elapsed());
                    let code = answer.json()["error"].as_str().unwrap_or_default().to_owned();
                    format!("{} {code}", answer.status)
                }
                Err(error) => format!("{:?}", error.kind()),
            };
            self.refused.fetch_add(1, Ordering::Relaxed);
            // Leaves the processor to the server that is starting again.
            thread::sleep(if tries > 1 { PAUSE } else { PAUSE / 10 });
        }
        self.ledger.requests += 1;
        *self.ledger.failed.entry(reason).or_default() += 1;
        false
    }
}

/// An event of a run.
pub(crate) fn body(id: &str, status: Status) -> String {
    let status = status.as_str();
    format!(
        r#"{{"random_id":"{id}","nsapp":"jellyfin","type":"lxc","status":"{status}","os_type":"debian",
        "os_version":"13","method":"default","core_count":2,"ram_size":2048,"install_duration":61}}"#
    )
}
