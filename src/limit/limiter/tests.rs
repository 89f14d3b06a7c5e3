//! The limiter on a clock that the test turns: what it lets through, what it remembers.

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
fn a_burst_passes_and_then_one_a_second() {
    let (limiter, clock) = limiter(30, 60, 100);
    for _ in 0..30 {
        assert_eq!(limiter.check(&"run"), Ok(()));
    }
    assert_eq!(limiter.check(&"run"), Err(Limited { retry_after_seconds: 1 }));
    assert_eq!(limiter.check(&"another"), Ok(()), "others are served");
    clock.advance(Duration::from_secs(1));
    assert_eq!(limiter.check(&"run"), Ok(()));
    assert!(limiter.check(&"run").is_err());
    limiter.forgive(&"run");
    assert_eq!(limiter.check(&"run"), Ok(()));
}

#[test]
fn a_key_is_dropped_when_its_bucket_is_full_again_and_the_memory_with_it() {
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
fn keys_past_the_cap_share_buckets_and_the_known_ones_keep_theirs() {
    let (limiter, _) = limiter(30, 60, 6_400);
    assert_eq!(limiter.check(&"known"), Ok(()));
    let refused = (0..1_000_000).filter(|key| limiter.check(key).is_err()).count();
    assert!(limiter.keys() <= 6_400, "{}", limiter.keys());
    // 6,400 of their own, and 4,096 shared buckets of 30 each.
    assert!((850_000..880_000).contains(&refused), "{refused}");
    for _ in 1..30 {
        assert_eq!(limiter.check(&"known"), Ok(()));
    }
    assert!(limiter.check(&"known").is_err());
}

#[test]
fn neither_the_key_nor_the_same_hash_twice_is_remembered() {
    let (one, _) = limiter(1, 1, 100);
    let (other, _) = limiter(1, 1, 100);
    assert_ne!(one.salt.hash_one("192.0.2.1"), other.salt.hash_one("192.0.2.1"));
    assert_eq!(format!("{one:?}"), "Limiter(..)");
}

proptest! {
    /// Whatever the times: never more than the burst and what has flown in since, and who waits
    /// as long as he was told passes.
    #[test]
    fn it_never_lets_more_through_and_the_wait_is_true(
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
                Err(Limited { retry_after_seconds }) => {
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

    /// Dropping idle keys at any time changes no answer.
    #[test]
    fn a_sweep_changes_no_answer(
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
