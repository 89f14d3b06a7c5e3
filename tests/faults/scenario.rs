//! What every fault test needs: a server with a known id key, waiting until the spools are empty,
//! and the comparison of what was answered with what is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use telemetry_protocol::Status;
use telemetry_server::ingest::identity::IdKey;
use uuid::Uuid;

use crate::common::http;
use crate::common::server::{Finished, Server, until, until_within};
use crate::traffic::{Ledger, Traffic};

const ID_KEY: &str = "a secret for the tests of faults";
/// Longest time until the spools are empty again, in seconds.
const DRAIN_SECONDS: u64 = 180;

/// Held by every test: a test of several machines starts so many programs that others would time out.
static MACHINE: RwLock<()> = RwLock::new(());

/// Lets a test run beside others.
pub(crate) fn shared_machine() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps all other tests waiting.
pub(crate) fn exclusive_machine() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// `full` under `make faults`, else `short`: how often a fault is repeated, or under how many events.
pub(crate) fn scale<T>(short: T, full: T) -> T {
    if std::env::var_os("FAULTS").is_some_and(|value| value == "full") { full } else { short }
}

/// A server with these variables.
pub(crate) fn server(variables: &[(&str, &str)]) -> Server {
    let own = [("ID_KEY", ID_KEY), ("LOG", "info")];
    Server::start_with(&[&own, variables].concat())
}

/// A sample of `/metrics`; `None` if the server does not answer.
pub(crate) fn metric(address: SocketAddr, name: &str) -> Option<f64> {
    let answer = http::get(address, "/metrics").ok()?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.parse().ok()
}

/// Returns when the database takes events again and the spools are empty.
pub(crate) fn wait_until_drained(servers: &[&Server]) {
    until_within(DRAIN_SECONDS, "the spools are empty", || {
        servers.iter().all(|server| {
            ["telemetry_spooling", "telemetry_spool_entries"]
                .into_iter()
                .all(|name| metric(server.address, name) == Some(0.0))
        })
    });
}

/// Whether a server sends events to its spool.
pub(crate) fn is_spooling(server: &Server) -> bool {
    metric(server.address, "telemetry_spooling") == Some(1.0)
}

/// Returns when a server sends events to its spool.
pub(crate) fn wait_until_spooling(server: &Server) {
    until("events are spooled", || is_spooling(server));
}

/// A fault and its figures.
pub(crate) struct Scenario {
    _machine: Option<RwLockReadGuard<'static, ()>>,
    name: &'static str,
    ledger: Ledger,
    recovery: Vec<f64>,
    peak_rss_mb: f64,
    spooled: f64,
}

impl Scenario {
    /// Begins one that runs beside others.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { _machine: Some(shared_machine()), ..Self::on_exclusive_machine(name) }
    }

    /// Begins one whose test holds [`exclusive_machine`].
    pub(crate) fn on_exclusive_machine(name: &'static str) -> Self {
        let (recovery, peak_rss_mb, spooled) = (Vec::new(), 0.0, 0.0);
        Self { _machine: None, name, ledger: Ledger::default(), recovery, peak_rss_mb, spooled }
    }

    /// Adds what clients saw.
    pub(crate) fn add(&mut self, ledger: Ledger) {
        self.ledger.add(ledger);
    }

    /// Waits until the spools are empty, and notes how long that took since `begun`.
    pub(crate) fn wait_for_recovery(&mut self, begun: Instant, servers: &[&Server]) {
        wait_until_drained(servers);
        self.note_recovery(begun);
    }

    /// Ends the traffic, waits until the spools are empty and samples the servers.
    pub(crate) fn finish(&mut self, traffic: Traffic, servers: &[&Server]) {
        self.add(traffic.finish());
        wait_until_drained(servers);
        servers.iter().for_each(|server| self.sample(server));
    }

    /// Asserts that every request was answered 2xx.
    pub(crate) fn assert_all_answered(&self) {
        assert_eq!(self.ledger.failed.len(), 0, "{:?}", self.ledger.failed);
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Notes the memory and the spooled events of a server, once before it ends.
    pub(crate) fn sample(&mut self, server: &Server) {
        self.peak_rss_mb = self.peak_rss_mb.max(server.peak_rss_mb());
        self.spooled += metric(server.address, "telemetry_spool_spooled_total").unwrap_or_default();
    }

    /// Notes how long a recovery took.
    pub(crate) fn note_recovery(&mut self, since: Instant) {
        self.recovery.push(since.elapsed().as_secs_f64());
    }

    /// Events that the sampled servers spooled.
    pub(crate) fn spooled(&self) -> f64 {
        self.spooled
    }

    /// Asserts that every answered event is stored, that nothing else is, and that `verify` is clean;
    /// prints the figures.
    pub(crate) fn assert_nothing_lost(&self, stored: &BTreeMap<Uuid, Vec<Status>>, verified: &Finished) {
        let ids = IdKey::new(ID_KEY.as_bytes());
        let mut known = BTreeSet::new();
        let (mut lost, mut found, mut forged) = (Vec::new(), 0, Vec::new());
        for (id, (sent, answered)) in &self.ledger.runs {
            let key = ids.run_key(id).0;
            known.insert(key);
            let steps = stored.get(&key).map_or(&[][..], Vec::as_slice);
            found += answered.iter().filter(|status| steps.contains(status)).count();
            lost.extend(answered.iter().filter(|status| !steps.contains(status)).map(|status| (id, *status)));
            forged.extend(steps.iter().filter(|status| !sent.contains(status)).map(|status| (id, *status)));
        }
        let Self { name, ledger, recovery, peak_rss_mb, spooled, .. } = self;
        let longest = recovery.iter().copied().fold(0.0, f64::max);
        // The test harness does not capture this writer.
        let mut out = std::io::stdout();
        let _ = writeln!(
            out,
            "FAULT {name}: {} sent, {} answered, {found} found, {} lost; {spooled} spooled; slowest answer {} ms; \
             longest of {} recoveries {longest:.1} s; peak RSS {peak_rss_mb:.0} MB; not answered: {:?}",
            ledger.requests,
            ledger.answered,
            lost.len(),
            ledger.slowest.as_millis(),
            recovery.len(),
            ledger.failed,
        );
        assert!(ledger.answered >= 200, "{name}: only {} events were answered", ledger.answered);
        assert!(lost.is_empty(), "{name}: {} events are lost: {:?}", lost.len(), &lost[..lost.len().min(20)]);
        assert!(forged.is_empty(), "{name}: {} steps were never sent", forged.len());
        let strange = stored.keys().filter(|key| !known.contains(key)).count();
        assert_eq!(strange, 0, "{name}: runs were never sent");
        assert_eq!(verified.code, Some(0), "{name}: {verified:?}");
    }
}

/// A random number below `limit`.
pub(crate) fn random(limit: usize) -> usize {
    use std::hash::{BuildHasher, RandomState};
    let number = RandomState::new().hash_one(Instant::now());
    usize::try_from(number % limit as u64).expect("it is below")
}
