//! All rate limits of a server, and the task that drops their idle keys.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use telemetry_protocol::Generation;

use super::limiter::Limiter;
use crate::config::protection::Rate;
use crate::ingest::execution::Execution;
use crate::metrics::Metrics;

/// How often idle keys are dropped.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Wrong tokens from one address.
const GUESSES: Rate = rate(5, 10);
/// Erasures by one address: enough for all runs of a host, but not for guessing ids.
const ERASURES: Rate = rate(30, 10);

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
    /// Requests from one address.
    Address,
    /// Wrong admin tokens from one address.
    Admin,
    /// Erasures by one address.
    Erasure,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Run, Self::Address, Self::Admin, Self::Erasure];

    /// Label in the metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Address => "address",
            Self::Admin => "admin",
            Self::Erasure => "erasure",
        }
    }

    /// Why a request is refused, without the full stop.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Run => "this run reports too often",
            Self::Address => "too many requests come from this address",
            Self::Admin => "too many wrong tokens come from this address",
            Self::Erasure => "this address erases too many runs",
        }
    }
}

/// A limit was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .kind.reason())]
pub struct RateLimited {
    /// Which limit.
    pub kind: Kind,
    /// Seconds until the next request can succeed; at least one.
    pub retry_after_seconds: u32,
}

/// The limits of one server.
#[derive(Debug)]
pub struct Limits {
    run: Option<Limiter>,
    address: Option<Limiter>,
    admin: Limiter,
    erasure: Option<Limiter>,
    metrics: Arc<Metrics>,
}

impl Limits {
    /// Creates the limits; a rate of `None` switches a limit off. Without a limit for addresses, erasures are not
    /// limited either.
    #[must_use]
    pub fn new(run: Option<Rate>, address: Option<Rate>, metrics: &Arc<Metrics>) -> Self {
        Self {
            run: run.map(Limiter::new),
            address: address.map(Limiter::new),
            admin: Limiter::new(GUESSES),
            erasure: address.map(|_| Limiter::new(ERASURES)),
            metrics: Arc::clone(metrics),
        }
    }

    /// Counts a request of `kind` by `key`.
    ///
    /// # Errors
    /// [`RateLimited`] if the limit is exceeded.
    pub fn check(&self, kind: Kind, key: &impl Hash) -> Result<(), RateLimited> {
        let Some(limiter) = self.limiter(kind) else { return Ok(()) };
        limiter.check(key).map_err(|retry_after_seconds| {
            self.metrics.limited.with_label_values(&[kind.as_str()]).inc();
            RateLimited { kind, retry_after_seconds }
        })
    }

    /// Counts an event by its run. Events of generation 0 have no id, so each of them is a run of its own and never
    /// exceeds the limit.
    ///
    /// # Errors
    /// [`RateLimited`] if the run reports too often.
    pub fn check_run(&self, event: &Execution) -> Result<(), RateLimited> {
        match event.generation {
            Generation::Zero => Ok(()),
            _ => self.check(Kind::Run, &event.key),
        }
    }

    /// Resets the count of `key`.
    pub fn reset(&self, kind: Kind, key: &impl Hash) {
        if let Some(limiter) = self.limiter(kind) {
            limiter.reset(key);
        }
    }

    /// Number of keys in memory.
    #[must_use]
    pub fn keys(&self, kind: Kind) -> usize {
        self.limiter(kind).map_or(0, Limiter::keys)
    }

    /// Drops idle keys.
    pub fn sweep(&self) {
        for kind in Kind::ALL {
            if let Some(limiter) = self.limiter(kind) {
                limiter.sweep();
            }
        }
    }

    /// Sets the metrics of the number of keys.
    pub fn observe(&self) {
        for kind in Kind::ALL {
            let keys = i64::try_from(self.keys(kind)).unwrap_or(i64::MAX);
            self.metrics.limiter_keys.with_label_values(&[kind.as_str()]).set(keys);
        }
    }

    /// Drops idle keys periodically; never returns.
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
            Kind::Erasure => self.erasure.as_ref(),
        }
    }
}
