//! The part of `/metrics` that is read from the database: the domain metrics and the detected regressions.
//!
//! Both are cached, so that scrapes cost the database little. While the database does not answer they are
//! missing from the scrape, and the next scrape tries again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, NaiveTime, Utc};
use sqlx::PgPool;

use crate::cache::CachedValue;
use crate::expose::regressions::names;
use crate::metrics::Metrics;
use crate::metrics::domain::REPOSITORIES;
use crate::metrics::regressed::{Regressed, RegressedScript};
use crate::regression::histories::series;
use crate::regression::{HISTORY_DAYS, Regression, Scope, Window, find};
use crate::store::read::filter::Filter;
use crate::store::read::known::KnownNames;
use crate::store::read::scrape_counts;
use crate::store::read::snapshot::{self, Snapshot};
use crate::store::read::view::View;

/// Lifetime of the domain metrics.
const DOMAIN_LIFETIME: Duration = Duration::from_secs(5);
/// Lifetime of the regressions: searching for them reads five weeks of every script.
const REGRESSIONS_LIFETIME: Duration = Duration::from_secs(120);
/// Longest time to read the domain metrics. A scrape takes as long as this while the database is unavailable.
const DOMAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time to search for regressions. With the other limit it stays below the time-out of Prometheus, 10 s.
const REGRESSIONS_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a part of the scrape is missing. The cause has been logged or counted.
#[derive(Clone, Copy, Debug)]
struct Missing;

/// Reads and caches what `/metrics` shows of the database.
#[derive(Debug)]
pub struct Scrape {
    read_pool: PgPool,
    probe_pool: PgPool,
    /// Whether `read_pool` leads to another database than `probe_pool`.
    has_replica: bool,
    metrics: Arc<Metrics>,
    domain: CachedValue<String>,
    regressions: CachedValue<String>,
}

impl Scrape {
    /// A scrape that has read nothing yet.
    #[must_use]
    pub fn new(read_pool: &PgPool, probe_pool: &PgPool, has_replica: bool, metrics: &Arc<Metrics>) -> Self {
        Self {
            read_pool: read_pool.clone(),
            probe_pool: probe_pool.clone(),
            has_replica,
            metrics: Arc::clone(metrics),
            domain: CachedValue::new(DOMAIN_LIFETIME),
            regressions: CachedValue::new(REGRESSIONS_LIFETIME),
        }
    }

    /// The domain metrics and the regressions in the Prometheus text format. A run without an end is unfinished
    /// if its last event is older than `running_since`.
    pub async fn text(&self, now: DateTime<Utc>, running_since: DateTime<Utc>) -> String {
        let domain = self.domain.get_or_compute(self.read_domain(now, running_since)).await;
        let Ok(domain) = domain else { return String::new() };
        let regressions = self.regressions.get_or_compute(self.read_regressions(now)).await;
        format!("{domain}{}", regressions.as_ref().map_or("", |text| text.as_str()))
    }

    async fn read_domain(&self, now: DateTime<Utc>, running_since: DateTime<Utc>) -> Result<String, Missing> {
        let started = Instant::now();
        let (read, ping) = tokio::join!(
            tokio::time::timeout(DOMAIN_TIMEOUT, scrape_counts::domain(&self.read_pool, now, running_since)),
            tokio::time::timeout(DOMAIN_TIMEOUT, snapshot::ping(&self.probe_pool)),
        );
        let text = read.ok().and_then(Result::ok).and_then(|domain| domain.render().ok());
        let set_up = |database: &str, is_up: bool| {
            self.metrics.database_up.with_label_values(&[database]).set(i64::from(is_up));
        };
        set_up("primary", matches!(ping, Ok(Ok(()))));
        if self.has_replica {
            set_up("replica", text.is_some());
        }
        match &text {
            Some(_) => self.metrics.domain_read_seconds.observe(started.elapsed().as_secs_f64()),
            None => self.metrics.domain_read_failures.inc(),
        }
        // A failure is cached as well, so that scrapes do not burden a database that is slow.
        Ok(text.unwrap_or_default())
    }

    async fn read_regressions(&self, now: DateTime<Utc>) -> Result<String, Missing> {
        let found = tokio::time::timeout(REGRESSIONS_TIMEOUT, regressed(&self.read_pool, now)).await;
        let text = found.ok().and_then(Result::ok).and_then(|regressed| regressed.render().ok());
        if text.is_none() {
            tracing::warn!("cannot search for regressions: the database does not answer");
        }
        Ok(text.unwrap_or_default())
    }
}

/// Searches all repositories for regressions. [`crate::regression`] defines what one is, as for
/// `/api/regressions`.
///
/// # Errors
/// Any error from the database.
async fn regressed(pool: &PgPool, now: DateTime<Utc>) -> sqlx::Result<Regressed> {
    let today = now.date_naive();
    let mut repositories = Vec::new();
    let mut as_of = now;
    for repository in REPOSITORIES {
        let filter = Filter {
            from: Some(today - Days::new(HISTORY_DAYS)),
            to: Some(today),
            repo: Some(repository.to_owned()),
            ..Filter::default()
        };
        let mut snapshot = Snapshot::open(pool, &filter, View::Public).await?;
        as_of = snapshot.as_of().await?.min(as_of);
        let rows = snapshot.platform_series(None).await?;
        let findings = find(&series(&rows), today, &Window::ALL);
        let known = snapshot.known(names(&findings, &[])).await?;
        snapshot.close().await?;
        let scripts = findings.regressions.iter().filter_map(|found| regressed_script(found, &known));
        repositories.push((repository, scripts.collect()));
    }
    Ok(Regressed { as_of, repositories })
}

/// A regression as a metric: with its clearest evidence, `None` without any.
fn regressed_script(regression: &Regression, known: &KnownNames) -> Option<RegressedScript> {
    let clearest = regression.evidence.first()?;
    Some(RegressedScript {
        script: known.shown("app", &regression.app).to_owned(),
        part: match &clearest.scope {
            Scope::Script => "all".to_owned(),
            Scope::Os(value) => format!("os {}", known.shown("os", value)),
            Scope::Pve(value) => format!("pve {}", known.shown("pve", value)),
        },
        since: clearest.first_bad_day.and_time(NaiveTime::MIN).and_utc(),
        failed: [clearest.before, clearest.after].map(|side| (side.numerator, side.denominator)),
    })
}
