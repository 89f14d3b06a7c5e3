//! Places for work that takes long: a number in total and a number for each address, so that no address can take all
//! of them.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The free and the taken places.
#[derive(Debug)]
pub struct Places {
    total: usize,
    per_address: usize,
    /// Places taken, by a salted hash of the address, so that memory holds no address.
    taken: Mutex<HashMap<u64, usize>>,
    salt: RandomState,
}

/// A taken place. Dropping it frees the place.
#[derive(Debug)]
pub struct Place {
    all: Arc<Places>,
    address: u64,
}

impl Places {
    /// `total` places, of which one address may take `per_address`.
    #[must_use]
    pub fn new(total: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { total, per_address, taken: Mutex::default(), salt: RandomState::new() })
    }

    /// Takes a place for an address; `None` if the address has its share or no place is free.
    #[must_use]
    pub fn take(self: &Arc<Self>, address: &impl Hash) -> Option<Place> {
        let address = self.salt.hash_one(address);
        let mut taken = self.taken();
        let own = taken.get(&address).copied().unwrap_or(0);
        if own >= self.per_address || taken.values().sum::<usize>() >= self.total {
            return None;
        }
        taken.insert(address, own + 1);
        Some(Place { all: Arc::clone(self), address })
    }

    /// The map is consistent between any two statements, so a poisoned lock can be ignored.
    fn taken(&self) -> MutexGuard<'_, HashMap<u64, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.all.taken();
        match taken.get_mut(&self.address) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_takes_only_its_share_and_frees_what_it_drops() {
        let places = Places::new(3, 2);
        let first = places.take(&1);
        let second = places.take(&1);
        assert!(first.is_some() && second.is_some() && places.take(&1).is_none());
        let other = places.take(&2);
        assert!(other.is_some() && places.take(&3).is_none());
        drop(first);
        assert!(places.take(&3).is_some());
        drop((second, other));
        assert!(places.taken().is_empty());
    }
}
