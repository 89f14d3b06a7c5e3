//! One rate limit: a burst and a rate per minute for each key.

use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::{Quota, RateLimiter};

use super::buckets::Buckets;
use crate::config::protection::Rate;

/// Keys of one limit that have their own bucket: about 8 MB.
pub const MAX_KEYS: usize = 200_000;

/// Counts by a hash of each key with a random salt of this process. So memory holds neither addresses nor ids, and
/// an attacker cannot choose keys that share a bucket.
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
    /// A limit on the system clock.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self::with(rate, MAX_KEYS, MonotonicClock)
    }
}

impl<C: Clock> Limiter<C> {
    /// A limit with buckets for `keys` keys, on `clock`.
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
    /// The seconds until the next attempt can succeed, at least one, if the bucket is empty.
    pub fn check(&self, key: &impl Hash) -> Result<(), u32> {
        self.governor.check_key(&self.salt.hash_one(key)).map_err(|until| {
            let wait = until.wait_time_from(self.governor.clock().now());
            let seconds = wait.as_nanos().div_ceil(Duration::from_secs(1).as_nanos());
            u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
        })
    }

    /// Refills the bucket of `key`, if it has its own.
    pub fn reset(&self, key: &impl Hash) {
        self.buckets.remove(self.salt.hash_one(key));
    }

    /// Drops keys whose buckets are full again.
    pub fn sweep(&self) {
        self.governor.retain_recent();
        self.governor.shrink_to_fit();
    }

    /// Number of keys with their own bucket.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.governor.len()
    }
}

#[cfg(test)]
mod tests;
