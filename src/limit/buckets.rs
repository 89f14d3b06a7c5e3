//! The state of a limit in bounded memory.
//!
//! Each key has its own bucket of 16 bytes, up to a maximum number of keys. Past that, new keys share a fixed number
//! of buckets: they are limited sooner than they should be, and known keys are not affected.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use governor::nanos::Nanos;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::state::{InMemoryState, NotKeyed, StateStore};

/// Number of shards, each with its own lock.
const SHARDS: usize = 64;
/// Number of buckets that keys without their own share.
const SHARED: usize = 4096;
/// A shard shrinks when its capacity is this many times its length.
const WASTE: usize = 4;
/// Capacity that a shard always keeps.
const KEPT: usize = 64;

/// Key to the theoretical arrival time of governor, in nanoseconds.
type Shard = HashMap<u64, u64, foldhash::fast::RandomState>;

/// The buckets of one limit; clones share them. A key must be a hash, because its bits choose the shard.
#[derive(Clone, Debug)]
pub struct Buckets {
    shards: Arc<[Mutex<Shard>]>,
    shared: Arc<[InMemoryState]>,
    keys_per_shard: usize,
}

impl Buckets {
    /// Buckets for about `keys` keys, spread over the shards.
    #[must_use]
    pub fn with_room_for(keys: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            shared: (0..SHARED).map(|_| InMemoryState::default()).collect(),
            keys_per_shard: keys.div_ceil(SHARDS),
        }
    }

    /// Removes the bucket of a key.
    pub fn remove(&self, key: u64) {
        self.shard(key).remove(&key);
    }

    /// Number of keys for which memory is allocated.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).capacity()).sum()
    }

    fn shard(&self, key: u64) -> MutexGuard<'_, Shard> {
        lock(&self.shards[key as usize % SHARDS])
    }
}

/// A shard is consistent between any two statements, so a poisoned lock can be ignored.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StateStore for Buckets {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut shard = self.shard(*key);
        if let Some(state) = shard.get_mut(key) {
            let (outcome, next) = measure(Some(Nanos::new(*state)))?;
            *state = next.as_u64();
            return Ok(outcome);
        }
        if shard.len() < self.keys_per_shard {
            let (outcome, next) = measure(None)?;
            shard.insert(*key, next.as_u64());
            return Ok(outcome);
        }
        drop(shard);
        let shared = &self.shared[(*key as usize / SHARDS) % SHARED];
        shared.measure_and_replace(&NotKeyed::NonKey, measure)
    }
}

impl ShrinkableKeyedStateStore<u64> for Buckets {
    fn retain_recent(&self, drop_below: Nanos) {
        for shard in self.shards.iter() {
            lock(shard).retain(|_, state| *state > drop_below.as_u64());
        }
    }

    fn shrink_to_fit(&self) {
        for shard in self.shards.iter() {
            let mut shard = lock(shard);
            let wanted = KEPT.max(shard.len());
            if shard.capacity() / WASTE > wanted {
                shard.shrink_to(wanted);
            }
        }
    }

    fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
