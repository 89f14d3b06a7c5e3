//! How many events may be pending, so that each is answered or refused within a fraction of a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Longest time that committing all pending events may take. A busy machine becomes slower than it was
/// when it was measured, so this is well below a second.
const MAX_PENDING_TIME: Duration = Duration::from_millis(300);
/// Smaller batches are dominated by the cost of the transaction and are not measured.
const MIN_MEASURED_BATCH: usize = 64;
/// This many events may be pending even when the database is slow: enough for one batch to be committed and
/// another to gather, both large enough to be measured.
const MIN_PENDING_EVENTS: usize = 2 * MIN_MEASURED_BATCH;

/// The time that the writer spends on an event.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Nanoseconds an event, as a moving average; 0 until the first large batch.
    event_nanos: AtomicU64,
}

impl Pace {
    /// Records how long a batch took.
    pub(crate) fn record(&self, events: usize, took: Duration) {
        if events >= MIN_MEASURED_BATCH {
            let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) / events as u64;
            let before = self.event_nanos.load(Ordering::Relaxed);
            let average = if before == 0 { nanos } else { before - before / 4 + nanos / 4 };
            self.event_nanos.store(average.max(1), Ordering::Relaxed);
        }
    }

    /// How many events may wait or be in a transaction.
    pub(crate) fn max_pending(&self) -> usize {
        let longest = MAX_PENDING_TIME.as_nanos() as u64;
        let events = longest.checked_div(self.event_nanos.load(Ordering::Relaxed));
        events.map_or(usize::MAX, |events| (events as usize).max(MIN_PENDING_EVENTS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slower_the_writer_the_fewer_events_may_be_pending() {
        let pace = Pace::default();
        assert_eq!(pace.max_pending(), usize::MAX, "nothing was measured yet");
        pace.record(MIN_MEASURED_BATCH - 1, Duration::from_secs(60));
        assert_eq!(pace.max_pending(), usize::MAX, "a small batch is not measured");
        pace.record(1000, Duration::from_millis(100));
        assert_eq!(pace.max_pending(), 3000);
        for _ in 0..100 {
            pace.record(1000, Duration::from_secs(100));
        }
        assert_eq!(pace.max_pending(), MIN_PENDING_EVENTS, "fewer could not show that it became faster");
    }
}
