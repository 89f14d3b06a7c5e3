//! The limiter on a fake clock: which requests pass, and which keys are counted.

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

fn limiter(burst: u32, per_minute: u32) -> (Limiter<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    (Limiter::with(rate(burst, per_minute), clock.clone()), clock)
}

#[test]
fn a_burst_passes_and_then_one_per_second() {
    let (limiter, clock) = limiter(30, 60);
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
fn a_key_is_counted_until_its_bucket_is_full_again() {
    let (limiter, clock) = limiter(600, 1200);
    assert_eq!((limiter.check(&"one"), limiter.check(&"another"), limiter.keys()), (Ok(()), Ok(()), 2));
    clock.advance(Duration::from_millis(200));
    assert_eq!(limiter.keys(), 0);
}

#[test]
fn invented_keys_take_no_more_memory_and_are_limited() {
    let (limiter, _) = limiter(1, 1);
    let passed = (0..1_000_000).filter(|key| limiter.check(key).is_ok()).count();
    assert_eq!((limiter.keys(), limiter.buckets.lock().len()), (passed, BUCKETS));
    // A million hashes leave e^-3.8, or 2 %, of the buckets unused.
    assert!((BUCKETS * 97 / 100..BUCKETS * 99 / 100).contains(&passed), "{passed}");
}

#[test]
fn each_limiter_hashes_keys_with_its_own_salt() {
    let (one, _) = limiter(1, 1);
    let (other, _) = limiter(1, 1);
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
        let (limiter, clock) = limiter(burst, per_minute);
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
}
