//! One rate limit: a burst and a rate per minute for each key. The algorithm is governor's.
//!
//! Its state is a table of fixed size, so memory is bounded whatever keys clients invent. A hash assigns each key a
//! bucket. Keys that share a bucket are limited together; with a thousand active keys, one in 250 shares its bucket.

use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::config::protection::Rate;

/// Buckets of one limit: 2 MiB.
const BUCKETS: usize = 1 << 18;

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
        Self::with(rate, MonotonicClock)
    }
}

impl<C: Clock> Limiter<C> {
    /// A limit on `clock`.
    #[must_use]
    pub fn with(rate: Rate, clock: C) -> Self {
        let quota = Quota::per_minute(rate.per_minute).allow_burst(rate.burst);
        let buckets = Buckets(Arc::new(Mutex::new(vec![0; BUCKETS].into())));
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

    /// Refills the bucket of `key`.
    pub fn reset(&self, key: &impl Hash) {
        self.buckets.lock()[bucket(self.salt.hash_one(key))] = 0;
    }

    /// Number of buckets that are not full.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.governor.retain_recent();
        self.governor.len()
    }
}

/// The buckets by number: governor's theoretical arrival time in nanoseconds, 0 for a bucket that was never used.
/// Clones share them.
#[derive(Clone)]
struct Buckets(Arc<Mutex<Box<[u64]>>>);

fn bucket(hash: u64) -> usize {
    hash as usize % BUCKETS
}

impl Buckets {
    /// The table is consistent between any two statements, so a poisoned lock can be ignored.
    fn lock(&self) -> MutexGuard<'_, Box<[u64]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for Buckets {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let state = &mut self.lock()[bucket(*key)];
        let (outcome, next) = measure((*state > 0).then(|| Nanos::new(*state)))?;
        *state = next.as_u64();
        Ok(outcome)
    }
}

impl ShrinkableKeyedStateStore<u64> for Buckets {
    fn retain_recent(&self, drop_below: Nanos) {
        let mut states = self.lock();
        let past = states.iter_mut().filter(|state| **state > 0 && **state <= drop_below.as_u64());
        past.for_each(|state| *state = 0);
    }

    fn shrink_to_fit(&self) {}

    fn len(&self) -> usize {
        self.lock().iter().filter(|state| **state > 0).count()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
