//! One limit: a burst, and so many a minute, for each key.

use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::{Quota, RateLimiter};

use super::buckets::Buckets;
use crate::config::protection::Rate;

/// Keys of one limit that have a bucket of their own: about 8 MB.
pub const MAX_KEYS: usize = 200_000;

/// It came too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// In so many seconds it may come again; at least one.
    pub retry_after_seconds: u32,
}

/// Counts by a hash of each key under a random salt that dies with the process: neither an
/// address nor an id can be found in its memory, and nobody can choose keys that share a bucket.
pub struct Limiter<C: Clock = MonotonicClock> {
    governor: RateLimiter<u64, Buckets, C, NoOpMiddleware<C::Instant>>,
    buckets: Buckets,
    salt: RandomState,
}

impl<C: Clock> fmt::Debug for Limiter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limiter(..)")
    }
}

impl Limiter {
    /// A limit in real time.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self::with(rate, MAX_KEYS, MonotonicClock)
    }
}

impl<C: Clock> Limiter<C> {
    /// A limit with buckets for so many keys, on a clock.
    #[must_use]
    pub fn with(rate: Rate, keys: usize, clock: C) -> Self {
        let quota = Quota::per_minute(rate.per_minute).allow_burst(rate.burst);
        let buckets = Buckets::with_room_for(keys);
        let governor = RateLimiter::new(quota, buckets.clone(), clock);
        Self { governor, buckets, salt: RandomState::new() }
    }

    /// Takes one from the bucket of `key`.
    ///
    /// # Errors
    /// [`Limited`] if it is empty; nothing is taken then.
    pub fn check(&self, key: &impl Hash) -> Result<(), Limited> {
        self.governor.check_key(&self.salt.hash_one(key)).map_err(|until| {
            let wait = until.wait_time_from(self.governor.clock().now());
            let seconds = wait.as_nanos().div_ceil(Duration::from_secs(1).as_nanos());
            Limited { retry_after_seconds: u32::try_from(seconds).unwrap_or(u32::MAX).max(1) }
        })
    }

    /// Fills the bucket of `key`, if it has one of its own.
    pub fn forgive(&self, key: &impl Hash) {
        self.buckets.forget(self.salt.hash_one(key));
    }

    /// Drops the keys whose buckets are full again.
    pub fn sweep(&self) {
        self.governor.retain_recent();
        self.governor.shrink_to_fit();
    }

    /// Keys with a bucket of their own.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.governor.len()
    }
}

#[cfg(test)]
mod tests;
