//! What every fault needs: a server with known secrets, waiting until everything is settled, and
//! the final reckoning.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use telemetry_protocol::Status;
use telemetry_server::ingest::identity::IdKey;
use uuid::Uuid;

use crate::common::http;
use crate::common::server::{Finished, Server, until_within};
use crate::traffic::Ledger;

/// Clients at once.
pub(crate) const CLIENTS: usize = 8;
const ID_KEY: &str = "a secret for the tests of faults";
/// Longest time until everything is in the database again, in seconds.
const SETTLED_SECONDS: u64 = 180;

/// Held by every test: some start more programs than others leave time for.
static TURN: RwLock<()> = RwLock::new(());

/// The turn of a test that may run beside others.
pub(crate) fn beside_others() -> RwLockReadGuard<'static, ()> {
    TURN.read().unwrap_or_else(PoisonError::into_inner)
}

/// The turn of a test that needs the machine for itself.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    TURN.write().unwrap_or_else(PoisonError::into_inner)
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

/// Returns when the servers spool nothing and nothing waits in their spools.
pub(crate) fn settle(servers: &[&Server]) {
    until_within(SETTLED_SECONDS, "nothing waits in a spool", || {
        servers.iter().all(|server| {
            ["telemetry_spooling", "telemetry_spool_entries"]
                .into_iter()
                .all(|name| metric(server.address, name) == Some(0.0))
        })
    });
}

/// What happened, for the report.
pub(crate) struct Story {
    name: &'static str,
    ledger: Ledger,
    recovery: Vec<f64>,
    peak_rss_mb: f64,
    spooled: f64,
}

impl Story {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, ledger: Ledger::default(), recovery: Vec::new(), peak_rss_mb: 0.0, spooled: 0.0 }
    }

    /// What clients saw.
    pub(crate) fn tell(&mut self, ledger: Ledger) {
        self.ledger.add(ledger);
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Notes what a server, which is about to end, took.
    pub(crate) fn watch(&mut self, server: &Server) {
        self.peak_rss_mb = self.peak_rss_mb.max(server.peak_rss_mb());
        self.spooled += metric(server.address, "telemetry_spool_spooled_total").unwrap_or_default();
    }

    /// How long it took from the end of a fault until everything was as before.
    pub(crate) fn recovered(&mut self, since: Instant) {
        self.recovery.push(since.elapsed().as_secs_f64());
    }

    /// Events that went to the spool of a server that was watched.
    pub(crate) fn spooled(&self) -> f64 {
        self.spooled
    }

    /// Compares what was answered with what is stored, and prints the figures.
    pub(crate) fn reckon(&self, stored: &BTreeMap<Uuid, Vec<Status>>, verified: &Finished) {
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
        let Self { name, ledger, recovery, peak_rss_mb, spooled } = self;
        let longest = recovery.iter().copied().fold(0.0, f64::max);
        // What the test harness does not swallow.
        let mut out = std::io::stdout();
        let _ = writeln!(
            out,
            "FAULT {name}: {} sent, {} answered, {found} found, {} lost; {spooled} spooled; slowest answer {} ms; \
             recovery {longest:.1} s at most of {}; peak RSS {peak_rss_mb:.0} MB; not answered: {:?}",
            ledger.requests,
            ledger.answered,
            lost.len(),
            ledger.slowest.as_millis(),
            recovery.len(),
            ledger.failed,
        );
        assert!(ledger.answered >= 200, "{name}: only {} events were answered", ledger.answered);
        assert!(lost.is_empty(), "{name}: {} events are lost: {:?}", lost.len(), &lost[..lost.len().min(20)]);
        assert!(forged.is_empty(), "{name}: {} steps nobody sent", forged.len());
        let strange = stored.keys().filter(|key| !known.contains(key)).count();
        assert_eq!(strange, 0, "{name}: runs that nobody sent");
        assert_eq!(verified.code, Some(0), "{name}: {verified:?}");
    }
}

/// A number below `limit` that nobody foresees.
pub(crate) fn random(limit: usize) -> usize {
    use std::hash::{BuildHasher, RandomState};
    let number = RandomState::new().hash_one(Instant::now());
    usize::try_from(number % limit as u64).expect("it is below")
}
