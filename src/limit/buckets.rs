//! What the limiter remembers, in bounded memory.
//!
//! Every key has a bucket of its own, 16 bytes, up to a number of keys. Past that a new key uses
//! one of a fixed number of buckets together with other new keys: it is limited sooner than it
//! should be, and everybody who is known already is served as before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use governor::nanos::Nanos;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::state::{InMemoryState, NotKeyed, StateStore};

/// Parts with a lock each.
const SHARDS: usize = 64;
/// Buckets that keys without one of their own share.
const SHARED: usize = 4096;
/// A part is made smaller when it has room for so many times what is in it.
const WASTE: usize = 4;
/// Room that a part may keep.
const KEPT: usize = 64;

/// Key to the theoretical arrival time of governor, in nanoseconds.
type Shard = HashMap<u64, u64, foldhash::fast::RandomState>;

/// The buckets of one limit; a clone is another hold on them. A key must be a hash already: its
/// bits choose the places.
#[derive(Clone, Debug)]
pub struct Buckets {
    shards: Arc<[Mutex<Shard>]>,
    shared: Arc<[InMemoryState]>,
    keys_per_shard: usize,
}

impl Buckets {
    /// Room for at least so many keys; a little more, because they do not fall evenly.
    #[must_use]
    pub fn with_room_for(keys: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            shared: (0..SHARED).map(|_| InMemoryState::default()).collect(),
            keys_per_shard: keys.div_ceil(SHARDS),
        }
    }

    /// Forgets what a key has used up, as if it had never come.
    pub fn forget(&self, key: u64) {
        self.shard(key).remove(&key);
    }

    /// Keys for which memory is held.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).capacity()).sum()
    }

    fn shard(&self, key: u64) -> MutexGuard<'_, Shard> {
        lock(&self.shards[key as usize % SHARDS])
    }
}

/// A shard is right between any two statements, so a panic elsewhere does not spoil it.
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
