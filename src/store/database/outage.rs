//! Whether the database is believed to be there: a circuit breaker that all writers share.
//!
//! The first batch that fails begins an outage. From then on nobody waits for the database until
//! something was committed again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// The state of the database as the writers saw it last.
#[derive(Debug)]
pub struct Outage {
    origin: Instant,
    away: AtomicBool,
    /// When the last outage began, in microseconds after `origin`; 0 if there was none.
    began_micros: AtomicU64,
    changed: Notify,
}

impl Default for Outage {
    fn default() -> Self {
        Self {
            origin: Instant::now(),
            away: AtomicBool::new(false),
            began_micros: AtomicU64::new(0),
            changed: Notify::new(),
        }
    }
}

impl Outage {
    /// Whether the database is away.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.away.load(Ordering::Acquire)
    }

    /// The database did not take a batch. Returns whether that is news.
    pub fn begin(&self) -> bool {
        let now = u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.began_micros.fetch_max(now.max(1), Ordering::AcqRel);
        let news = !self.away.swap(true, Ordering::AcqRel);
        self.changed.notify_one();
        news
    }

    /// The database took something. Returns whether that is news.
    pub fn end(&self) -> bool {
        self.away.swap(false, Ordering::AcqRel)
    }

    /// Whether a connection of this age was made before the last outage began: it may lead nowhere.
    #[must_use]
    pub fn outdates(&self, age: Duration) -> bool {
        let began = self.began_micros.load(Ordering::Acquire);
        began > 0 && age > self.origin.elapsed().saturating_sub(Duration::from_micros(began))
    }

    /// Returns when an outage has begun since the last call returned.
    pub async fn began(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_news_once_and_outdates_the_connections_made_before() {
        let outage = Outage::default();
        let hour = Duration::from_secs(3600);
        assert!(!outage.is_on() && !outage.outdates(hour));
        assert!(outage.begin() && !outage.begin() && outage.is_on());
        assert!(outage.outdates(hour));
        assert!(outage.end() && !outage.end() && !outage.is_on());
        assert!(outage.outdates(hour) && !outage.outdates(Duration::ZERO), "only what was made before it");
    }
}
