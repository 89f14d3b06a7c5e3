//! All rate limits of a server.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;

use telemetry_protocol::Generation;

use super::limiter::Limiter;
use crate::config::protection::Rate;
use crate::ingest::execution::Execution;
use crate::metrics::Metrics;

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
    /// In the order of [`Kind::ALL`].
    limiters: [Option<Limiter>; 4],
    metrics: Arc<Metrics>,
}

impl Limits {
    /// Creates the limits; a rate of `None` switches a limit off. Without a limit for addresses, erasures are not
    /// limited either.
    #[must_use]
    pub fn new(run: Option<Rate>, address: Option<Rate>, metrics: &Arc<Metrics>) -> Self {
        let rates = [run, address, Some(GUESSES), address.map(|_| ERASURES)];
        Self { limiters: rates.map(|rate| rate.map(Limiter::new)), metrics: Arc::clone(metrics) }
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

    /// Number of keys that have not regained their full burst.
    #[must_use]
    pub fn keys(&self, kind: Kind) -> usize {
        self.limiter(kind).map_or(0, Limiter::keys)
    }

    /// Sets the metrics of the number of keys.
    pub fn observe(&self) {
        for kind in Kind::ALL {
            let keys = i64::try_from(self.keys(kind)).unwrap_or(i64::MAX);
            self.metrics.limiter_keys.with_label_values(&[kind.as_str()]).set(keys);
        }
    }

    const fn limiter(&self, kind: Kind) -> Option<&Limiter> {
        self.limiters[kind as usize].as_ref()
    }
}
