//! The limiter on a fake clock: which requests pass, and which keys stay in memory.

use std::num::NonZeroU32;

use governor::clock::FakeRelativeClock;
use proptest::prelude::*;

use super::*;

fn rate(burst: u32, per_minute: u32) -> Rate {
    Rate {
        burst: NonZeroU32::new(burst).expect("not 0"),
        per_minute: NonZeroU32::new(per_minute).expect("not 0"),
    }
}

fn limiter(burst: u32, per_minute: u32, keys: usize) -> (Limiter<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    (Limiter::with(rate(burst, per_minute), keys, clock.clone()), clock)
}

#[test]
fn a_burst_passes_and_then_one_per_second() {
    let (limiter, clock) = limiter(30, 60, 100);
    for _ in 0..30 {
        assert_eq!(limiter.check(&"run"), Ok(()));
    }
    assert_eq!(limiter.check(&"run"), Err(1));
    assert_eq!(limiter.check(&"another"), Ok(()), "other keys have their own bucket");
    clock.advance(Duration::from_secs(1));
    assert_eq!(limiter.check(&"run"), Ok(()));
    assert!(limiter.check(&"run").is_err());
    limiter.reset(&"run");
    assert_eq!(limiter.check(&"run"), Ok(()));
}

#[test]
fn a_key_and_its_memory_are_dropped_when_its_bucket_is_full_again() {
    let (limiter, clock) = limiter(600, 1200, 200_000);
    for key in 0..100_000 {
        limiter.check(&key).expect("it is the first");
    }
    assert_eq!(limiter.keys(), 100_000);
    clock.advance(Duration::from_millis(200));
    limiter.sweep();
    assert_eq!(limiter.keys(), 0);
    assert!(limiter.buckets.capacity() < 100_000 / 8, "{}", limiter.buckets.capacity());
}

#[test]
fn keys_past_the_maximum_share_buckets_and_known_keys_keep_theirs() {
    let (limiter, _) = limiter(30, 60, 6_400);
    assert_eq!(limiter.check(&"known"), Ok(()));
    let refused = (0..1_000_000).filter(|key| limiter.check(key).is_err()).count();
    assert!(limiter.keys() <= 6_400, "{}", limiter.keys());
    // 6,400 buckets of single keys and 4,096 shared buckets, 30 requests each.
    assert!((850_000..880_000).contains(&refused), "{refused}");
    for _ in 1..30 {
        assert_eq!(limiter.check(&"known"), Ok(()));
    }
    assert!(limiter.check(&"known").is_err());
}

#[test]
fn each_limiter_hashes_keys_with_its_own_salt() {
    let (one, _) = limiter(1, 1, 100);
    let (other, _) = limiter(1, 1, 100);
    assert_ne!(one.salt.hash_one("192.0.2.1"), other.salt.hash_one("192.0.2.1"));
    assert_eq!(format!("{one:?}"), "Limiter(..)");
}

proptest! {
    /// At any timing, no more requests pass than the burst plus the refill, and a request after the returned wait
    /// passes.
    #[test]
    fn no_more_than_the_limit_passes_and_the_wait_is_sufficient(
        burst in 1_u32..50,
        per_minute in 1_u32..5_000,
        pauses in prop::collection::vec(0_u64..3_000, 1..200),
    ) {
        let (limiter, clock) = limiter(burst, per_minute, 100);
        let (mut passed, mut elapsed) = (0_u64, 0_u64);
        for pause in pauses {
            clock.advance(Duration::from_millis(pause));
            elapsed += pause;
            match limiter.check(&"key") {
                Ok(()) => passed += 1,
                Err(retry_after_seconds) => {
                    prop_assert!(retry_after_seconds >= 1);
                    clock.advance(Duration::from_secs(u64::from(retry_after_seconds)));
                    elapsed += u64::from(retry_after_seconds) * 1000;
                    prop_assert_eq!(limiter.check(&"key"), Ok(()));
                    passed += 1;
                }
            }
            prop_assert!(passed <= u64::from(burst) + elapsed * u64::from(per_minute) / 60_000 + 1);
        }
    }

    /// Dropping idle keys at any time changes no result.
    #[test]
    fn a_sweep_changes_no_result(
        steps in prop::collection::vec((0_u64..2_000, 0_u8..4, any::<bool>()), 1..300),
    ) {
        let (swept, clock) = limiter(3, 60, 100);
        let (kept, other_clock) = limiter(3, 60, 100);
        for (pause, key, sweep) in steps {
            clock.advance(Duration::from_millis(pause));
            other_clock.advance(Duration::from_millis(pause));
            if sweep {
                swept.sweep();
            }
            prop_assert_eq!(swept.check(&key), kept.check(&key));
        }
    }
}
