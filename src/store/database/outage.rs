//! A circuit breaker for the database, shared by everything that writes.
//!
//! The first batch that fails begins an outage. While it lasts, the writer does not wait for the database;
//! the first page that the drainer commits ends it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Whether the database is unavailable.
#[derive(Debug)]
pub struct Outage {
    origin: Instant,
    is_on: AtomicBool,
    /// When the last outage began or was confirmed, in microseconds after `origin`; 0 if there was none.
    began_micros: AtomicU64,
}

impl Default for Outage {
    fn default() -> Self {
        Self { origin: Instant::now(), is_on: AtomicBool::new(false), began_micros: AtomicU64::new(0) }
    }
}

impl Outage {
    /// Whether an outage lasts.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Acquire)
    }

    /// Records that the database did not accept a batch. Returns whether this begins an outage.
    pub fn begin(&self) -> bool {
        let now = u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.began_micros.fetch_max(now.max(1), Ordering::AcqRel);
        !self.is_on.swap(true, Ordering::AcqRel)
    }

    /// Records that the database accepted something. Returns whether this ends an outage.
    pub fn end(&self) -> bool {
        self.is_on.swap(false, Ordering::AcqRel)
    }

    /// Whether a connection of this age is older than the last outage: the other end may be gone.
    #[must_use]
    pub fn outdates(&self, age: Duration) -> bool {
        let began = self.began_micros.load(Ordering::Acquire);
        began > 0 && age > self.origin.elapsed().saturating_sub(Duration::from_micros(began))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_begins_and_ends_once_and_outdates_earlier_connections() {
        let outage = Outage::default();
        let hour = Duration::from_secs(3600);
        assert!(!outage.is_on() && !outage.outdates(hour));
        assert!(outage.begin() && !outage.begin() && outage.is_on());
        assert!(outage.outdates(hour));
        assert!(outage.end() && !outage.end() && !outage.is_on());
        assert!(outage.outdates(hour) && !outage.outdates(Duration::ZERO), "only earlier connections");
    }
}
