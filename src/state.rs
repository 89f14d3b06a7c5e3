//! The state that all requests share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use tokio::sync::Semaphore;

use crate::cache::Answers;
use crate::config::protection::Protection;
use crate::connections::Connections;
use crate::ingest::execution::full_hour;
use crate::ingest::identity::IdKey;
use crate::limit::limits::Limits;
use crate::limit::places::Places;
use crate::metrics::Metrics;
use crate::scrape::Scrape;
use crate::store::database::outage::Outage;
use crate::store::write::queue::Queue;
use crate::store::write::spool::Spool;

/// Shared by all workers of a server; clones are cheap.
#[derive(Clone, Debug)]
pub struct AppState {
    /// Key of the hash that turns ids into run keys.
    pub ids: IdKey,
    /// Queue of the writer.
    pub queue: Queue,
    /// Spool for events while the database is unavailable; `None` if it is switched off.
    pub spool: Option<Spool>,
    /// Whether the database is unavailable.
    pub outage: Arc<Outage>,
    /// Connections for reading. A request must not hold two of them: the pool may have only one.
    pub read_pool: PgPool,
    /// Connections of the writer; requests only count them.
    pub write_pool: PgPool,
    /// Connections for erasing.
    pub delete_pool: PgPool,
    /// Connection for health checks.
    pub probe_pool: PgPool,
    /// The part of `/metrics` that is read from the database.
    pub scrape: Arc<Scrape>,
    /// Folders whose free space is measured, by name.
    pub folders: Arc<[(&'static str, PathBuf)]>,
    /// Repository of links to new issues, as `owner/name`.
    pub issue_repository: Arc<str>,
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// Rate limits.
    pub limits: Arc<Limits>,
    /// Open connections of clients.
    pub connections: Arc<Connections>,
    /// Trusted proxies, time-outs and the tokens.
    pub protection: Arc<Protection>,
    /// Start of the server.
    pub started_at: DateTime<Utc>,
    /// Age of the last event at which a run without an end counts as unfinished.
    pub unfinished_after: Duration,
    /// Days for which executions are kept; `None` for ever.
    pub retention_days: Option<u32>,
    /// Cached answers.
    pub answers: Answers,
    /// Lifetime of an answer about today.
    pub cache_for: Duration,
    /// Places for exports.
    pub exports: Arc<Places>,
    /// Longest body of one event in bytes.
    pub max_body_bytes: usize,
    /// Permits for bodies of many events that are being processed.
    pub bulk_bodies: Arc<Semaphore>,
    /// Places for clients that send such bodies.
    pub bulk_senders: Arc<Places>,
    /// Permits for KiB of such bodies that have arrived.
    pub bulk_kib: Arc<Semaphore>,
}

impl AppState {
    /// The full hour since which an event makes a run without an end count as running.
    #[must_use]
    pub fn running_since(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let age = TimeDelta::from_std(self.unfinished_after).unwrap_or(TimeDelta::days(1));
        full_hour(now - age)
    }
}
