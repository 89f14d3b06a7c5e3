//! All limits of a server, and the task that keeps them small.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::limiter::{Limited, Limiter};
use crate::config::protection::Rate;
use crate::metrics::Metrics;

/// How often idle keys are dropped.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Guesses of the admin token from one address.
const GUESSES: Rate = rate(5, 10);

const fn rate(burst: u32, per_minute: u32) -> Rate {
    match (NonZeroU32::new(burst), NonZeroU32::new(per_minute)) {
        (Some(burst), Some(per_minute)) => Rate { burst, per_minute },
        _ => Rate { burst: NonZeroU32::MIN, per_minute: NonZeroU32::MIN },
    }
}

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Events of one run.
    Run,
    /// Requests of one address.
    Address,
    /// Guesses of the admin token from one address.
    Admin,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Run, Self::Address, Self::Admin];

    /// Name in the metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Address => "address",
            Self::Admin => "admin",
        }
    }

    /// Why it is refused, as the beginning of a sentence.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Run => "this run reports too often",
            Self::Address => "too many requests come from this address",
            Self::Admin => "too many wrong tokens come from this address",
        }
    }
}

/// The limits of one server.
#[derive(Debug)]
pub struct Limits {
    run: Option<Limiter>,
    address: Option<Limiter>,
    admin: Limiter,
    metrics: Arc<Metrics>,
}

impl Limits {
    /// A rate that is `None` is no limit.
    #[must_use]
    pub fn new(run: Option<Rate>, address: Option<Rate>, metrics: &Arc<Metrics>) -> Self {
        for kind in Kind::ALL {
            // It is shown as 0 before the first one is refused.
            metrics.limited.with_label_values(&[kind.as_str()]);
        }
        Self {
            run: run.map(Limiter::new),
            address: address.map(Limiter::new),
            admin: Limiter::new(GUESSES),
            metrics: Arc::clone(metrics),
        }
    }

    /// Counts one of `kind` by `key`.
    ///
    /// # Errors
    /// [`Limited`] if it comes too often.
    pub fn check(&self, kind: Kind, key: &impl Hash) -> Result<(), Limited> {
        let Some(limiter) = self.limiter(kind) else { return Ok(()) };
        limiter.check(key).inspect_err(|_| self.metrics.limited.with_label_values(&[kind.as_str()]).inc())
    }

    /// Takes back all that was counted by `key`.
    pub fn forgive(&self, kind: Kind, key: &impl Hash) {
        if let Some(limiter) = self.limiter(kind) {
            limiter.forgive(key);
        }
    }

    /// Keys that are remembered.
    #[must_use]
    pub fn keys(&self, kind: Kind) -> usize {
        self.limiter(kind).map_or(0, Limiter::keys)
    }

    /// Drops the keys that are idle.
    pub fn sweep(&self) {
        for kind in Kind::ALL {
            if let Some(limiter) = self.limiter(kind) {
                limiter.sweep();
            }
        }
    }

    /// Writes the number of keys into the metrics.
    pub fn observe(&self) {
        for kind in Kind::ALL {
            let keys = i64::try_from(self.keys(kind)).unwrap_or(i64::MAX);
            self.metrics.limiter_keys.with_label_values(&[kind.as_str()]).set(keys);
        }
    }

    /// Drops idle keys again and again. Never ends by itself.
    pub async fn keep_small(self: Arc<Self>) {
        let mut every = tokio::time::interval(SWEEP_EVERY);
        loop {
            every.tick().await;
            self.sweep();
        }
    }

    const fn limiter(&self, kind: Kind) -> Option<&Limiter> {
        match kind {
            Kind::Run => self.run.as_ref(),
            Kind::Address => self.address.as_ref(),
            Kind::Admin => Some(&self.admin),
        }
    }
}
