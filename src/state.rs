//! What every request can reach.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use tokio::sync::Semaphore;

use crate::cache::{Answers, Kept};
use crate::config::outgoing::GitHub;
use crate::config::protection::Protection;
use crate::connections::Connections;
use crate::ingest::execution::full_hour;
use crate::ingest::identity::IdKey;
use crate::limit::limits::Limits;
use crate::metrics::Metrics;
use crate::store::database::outage::Outage;
use crate::store::read::filter::Filter;
use crate::store::read::metrics_input::DomainText;
use crate::store::read::models::CommonModels;
use crate::store::read::readers::Readers;
use crate::store::read::snapshot::Snapshot;
use crate::store::write::spool::Spool;
use crate::store::write::writer::Queue;
use crate::watch::Watch;

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
    /// Who reads much with them.
    pub readers: Readers,
    /// The writer's connections, for the metrics only.
    pub write_pool: PgPool,
    /// Connections for erasing.
    pub delete_pool: PgPool,
    /// The connection on which the health of the database is tried.
    pub probe_pool: PgPool,
    /// What the metrics say of the domain.
    pub domain: Arc<DomainText>,
    /// What they say of scripts that fail more than before.
    pub watch: Arc<Watch>,
    /// The folders that grow, by name.
    pub folders: Arc<[(&'static str, PathBuf)]>,
    /// Where issues are opened, if that is configured.
    pub github: Option<Arc<GitHub>>,
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// How often somebody may come.
    pub limits: Arc<Limits>,
    /// Who is connected.
    pub connections: Arc<Connections>,
    /// Proxies, time-outs, the admin token.
    pub protection: Arc<Protection>,
    /// When the server began.
    pub started_at: DateTime<Utc>,
    /// Age of the last event from which a run without an end is unfinished.
    pub unfinished_after: Duration,
    /// Answers that were made a moment ago.
    pub answers: Answers,
    /// Models of hardware that may be published.
    pub models: Kept<CommonModels>,
    /// How long an answer about today may be given again.
    pub cache_for: Duration,
    /// Who may stream a list now.
    pub exports: Arc<Semaphore>,
    /// Longest body of one event.
    pub max_body_bytes: usize,
    /// Places for bodies of many events.
    pub batches: Arc<Semaphore>,
}

impl AppState {
    /// Models of hardware that so many hosts have that they may be published.
    ///
    /// # Errors
    /// That the database does not answer.
    pub async fn common_models(&self) -> sqlx::Result<Arc<CommonModels>> {
        let look_up = async {
            let everything = Filter::default();
            let mut snapshot = Snapshot::open(&self.readers, &everything).await?;
            snapshot.common_models().await
        };
        self.models.get(look_up).await.map_err(|_| sqlx::Error::PoolTimedOut)
    }

    /// The full hour from which on an event makes a run without an end count as running.
    #[must_use]
    pub fn running_since(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let age = TimeDelta::from_std(self.unfinished_after).unwrap_or(TimeDelta::days(1));
        full_hour(now - age)
    }
}
