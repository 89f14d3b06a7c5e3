//! Time budgets: an upper bound on how long a command takes.
//!
//! Network timeouts are not enough, because a resolver, a failing disk or a hanging file system
//! cannot be interrupted. So the work runs on a separate thread, and the process exits without it
//! when the budget is spent.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Budget for reports during an install.
pub const PROGRESS: Duration = Duration::from_secs(2);
/// Budget for the report that ends an install, which matters most.
pub const FINISH: Duration = Duration::from_secs(4);
/// Budget for sending all unsent events: enough for a full outbox at 1 Mbit/s.
pub const FLUSH: Duration = Duration::from_mins(1);
/// Budget for interactive commands.
pub const INTERACTIVE: Duration = Duration::from_secs(15);

/// Time reserved for starting and ending the process and its calling shell on a busy machine; at most a
/// quarter of the budget.
const RESERVE: Duration = Duration::from_millis(150);

/// The time by which the work must be done.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline of a process started at `start`, slightly before its budget ends.
    #[must_use]
    pub fn after(start: Instant, budget: Duration) -> Self {
        Self(start + budget.saturating_sub(RESERVE.min(budget / 4)))
    }

    /// The earlier of this deadline and `most` from now.
    #[must_use]
    pub fn within(self, most: Duration) -> Self {
        Self(self.0.min(Instant::now() + most))
    }

    /// The time left; zero once the deadline has passed.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// Runs `work` on a separate thread. `None` if it misses the deadline, panics, or the thread cannot be
/// spawned. A thread that misses the deadline keeps running until the process ends.
pub fn run_until<T: Send + 'static>(
    deadline: Deadline,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let thread = thread::Builder::new().spawn(move || {
        // The receiver is gone after the deadline.
        let _ = sender.send(work());
    });
    thread.ok()?;
    receiver.recv_timeout(deadline.remaining()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_hangs_is_abandoned() {
        let deadline = Deadline::after(Instant::now(), Duration::ZERO);
        let (_open, never) = mpsc::channel::<()>();
        assert_eq!(run_until(deadline, move || never.recv().is_ok()), None);
    }

    #[test]
    fn part_of_the_budget_is_reserved_for_the_calling_shell() {
        let left = |budget| Deadline::after(Instant::now(), budget).remaining();
        assert!(left(PROGRESS) <= Duration::from_millis(1850));
        assert!(left(FINISH) <= Duration::from_millis(3850));
        assert!(left(Duration::from_millis(100)) <= Duration::from_millis(75));
    }

    #[test]
    fn work_that_meets_the_deadline_returns_its_result() {
        assert_eq!(run_until(Deadline::after(Instant::now(), INTERACTIVE), || 7), Some(7));
    }
}
