//! What every request can reach.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use crate::ingest::execution::full_hour;
use crate::ingest::identity::IdKey;
use crate::metrics::Metrics;
use crate::store::outage::Outage;
use crate::store::spool::Spool;
use crate::store::writer::Queue;

/// Shared by all workers of a server.
#[derive(Clone, Debug)]
pub struct AppState {
    /// The secret behind run keys.
    pub ids: IdKey,
    /// The way to the writer.
    pub queue: Queue,
    /// Where events wait while the database is away; `None` if they do not.
    pub spool: Option<Spool>,
    /// Whether it is away.
    pub outage: Arc<Outage>,
    /// Connections for reading.
    pub read_pool: PgPool,
    /// The writer's connections, for the metrics only.
    pub write_pool: PgPool,
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// Age of the last event from which a run without an end is unfinished.
    pub unfinished_after: Duration,
    /// Longest body of one event.
    pub max_body_bytes: usize,
}

impl AppState {
    /// The full hour from which on an event makes a run without an end count as running.
    #[must_use]
    pub fn running_since(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let age = TimeDelta::from_std(self.unfinished_after).unwrap_or(TimeDelta::days(1));
        full_hour(now - age)
    }
}
