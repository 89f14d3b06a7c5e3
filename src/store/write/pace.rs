//! How much a writer may have before it, so that nobody waits for long: learnt from what its batches take.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Longest time that what a writer has before it should take. It waits for the other writer's as well, and on a
/// busy machine both take longer than they did: this is well below a second.
const LONGEST_BATCH: Duration = Duration::from_millis(150);
/// Smaller batches tell nothing about what an event costs.
const TELLING_BATCH: usize = 64;
/// So many may wait however slow it is.
const ALWAYS_ADMITTED: usize = 2 * TELLING_BATCH;

/// How fast a writer gets on, learnt from batches that were large enough to tell.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Nanoseconds an event, a moving average; 0: not known yet.
    event_nanos: AtomicU64,
}

impl Pace {
    /// A batch was answered.
    pub(crate) fn learn(&self, events: usize, took: Duration) {
        if events >= TELLING_BATCH {
            let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) / events as u64;
            let before = self.event_nanos.load(Ordering::Relaxed);
            let average = if before == 0 { nanos } else { before - before / 4 + nanos / 4 };
            self.event_nanos.store(average.max(1), Ordering::Relaxed);
        }
    }

    /// How many may wait or be in a transaction.
    pub(crate) fn admitted(&self) -> usize {
        let longest = LONGEST_BATCH.as_nanos() as u64;
        let admitted = longest.checked_div(self.event_nanos.load(Ordering::Relaxed));
        admitted.map_or(usize::MAX, |events| (events as usize).max(ALWAYS_ADMITTED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_wait_too_long_is_not_admitted() {
        let pace = Pace::default();
        assert_eq!(pace.admitted(), usize::MAX, "nothing is known yet");
        pace.learn(TELLING_BATCH - 1, Duration::from_secs(60));
        assert_eq!(pace.admitted(), usize::MAX, "a small batch tells nothing");
        pace.learn(1000, Duration::from_millis(100));
        assert_eq!(pace.admitted(), 1500);
        for _ in 0..100 {
            pace.learn(1000, Duration::from_secs(100));
        }
        assert_eq!(pace.admitted(), ALWAYS_ADMITTED, "else no batch would tell that it became faster");
    }
}
