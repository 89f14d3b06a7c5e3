//! How long a command may take, whatever happens.
//!
//! Time-outs of the network are not enough: a resolver, a dead disk or a file system that hangs
//! cannot be interrupted. Therefore the work runs on a thread of its own, and the process ends
//! without it when the time is over.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// For reports while an install goes on.
pub const PROGRESS: Duration = Duration::from_secs(2);
/// For the report of its end, which matters most.
pub const FINISH: Duration = Duration::from_secs(4);
/// For sending all that waits: enough for a full spool over 1 Mbit/s.
pub const FLUSH: Duration = Duration::from_mins(1);
/// For other commands that a person typed.
pub const INTERACTIVE: Duration = Duration::from_secs(15);

/// What the start and the end of the process take, and of the shell that calls it, on a busy machine: kept
/// back from the work, but no more than a quarter of the budget.
const RESERVE: Duration = Duration::from_millis(150);

/// The moment by which the work must be done.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline of a process that began at `start`, a little before its budget ends.
    #[must_use]
    pub fn after(start: Instant, budget: Duration) -> Self {
        Self(start + budget.saturating_sub(RESERVE.min(budget / 4)))
    }

    /// The same, or in so much time from now if that is earlier.
    #[must_use]
    pub fn within(self, most: Duration) -> Self {
        Self(self.0.min(Instant::now() + most))
    }

    /// What is left; zero when it has passed.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// Runs `work` on a thread of its own. `None` when it is not done by the deadline, panicked, or no
/// thread could be had; the thread is then left alone, and ends with the process.
pub fn run_until<T: Send + 'static>(
    deadline: Deadline,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let thread = thread::Builder::new().spawn(move || {
        // Nobody may be waiting any more.
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
    fn the_shell_that_calls_has_its_share_of_the_budget() {
        let left = |budget| Deadline::after(Instant::now(), budget).remaining();
        assert!(left(PROGRESS) <= Duration::from_millis(1850));
        assert!(left(FINISH) <= Duration::from_millis(3850));
        assert!(left(Duration::from_millis(100)) <= Duration::from_millis(75));
    }

    #[test]
    fn work_that_is_done_in_time_answers() {
        assert_eq!(run_until(Deadline::after(Instant::now(), INTERACTIVE), || 7), Some(7));
    }
}
