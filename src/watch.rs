//! Looks for scripts that fail more than before every two minutes while somebody scrapes, and tells Prometheus
//! what `/api/regressions` would say ([`crate::regression`] is the one definition). A scrape does not wait for
//! it, but for the first one; what is told says how old it is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, NaiveTime, Utc};

use crate::metrics::domain::REPOSITORIES;
use crate::metrics::regressed::{Regressed, RegressedScript};
use crate::regression::series::series;
use crate::regression::{HISTORY_DAYS, Regression, Scope, Window, find};
use crate::store::read::filter::Filter;
use crate::store::read::readers::Readers;
use crate::store::read::snapshot::Snapshot;

/// How long what was found is told without looking again. A failure is not tried again sooner.
const FRESH: Duration = Duration::from_secs(120);
/// How long the first scrape waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// The findings as text.
#[derive(Debug)]
pub struct Watch {
    readers: Readers,
    /// What was found, and when it was looked for last.
    last: Mutex<Option<(Instant, Arc<str>)>>,
    /// Held while it is looked for.
    looking: tokio::sync::Mutex<()>,
}

impl Watch {
    /// Nothing was looked for yet.
    #[must_use]
    pub fn new(readers: Readers) -> Self {
        Self { readers, last: Mutex::default(), looking: tokio::sync::Mutex::default() }
    }

    /// What was found; empty if the database did not tell yet.
    pub async fn read(self: &Arc<Self>, now: DateTime<Utc>) -> Arc<str> {
        let last = self.last();
        if let Some((age, text)) = last {
            if age >= FRESH {
                let this = Arc::clone(self);
                tokio::spawn(async move { this.renew(now).await });
            }
            return text;
        }
        let this = Arc::clone(self);
        // It goes on when nobody waits any more.
        let first = tokio::spawn(async move { this.renew(now).await });
        let _ = tokio::time::timeout(PATIENCE, first).await;
        self.last().map_or_else(|| Arc::from(""), |(_, text)| text)
    }

    /// Looks, unless somebody else is at it.
    async fn renew(&self, now: DateTime<Utc>) {
        let Ok(_looking) = self.looking.try_lock() else { return };
        let before = self.last();
        if before.as_ref().is_some_and(|(age, _)| *age < FRESH) {
            return;
        }
        let readers = self.readers.clone();
        let looked = self.readers.apart(move || async move { regressed(&readers, now).await }).await;
        let text = match looked {
            Ok(Ok(regressed)) => regressed.render().map(Arc::from).unwrap_or_default(),
            _ => {
                tracing::warn!("scripts that fail more than before could not be looked for");
                before.map_or_else(|| Arc::from(""), |(_, text)| text)
            }
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), text));
    }

    fn last(&self) -> Option<(Duration, Arc<str>)> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|(looked, text)| (looked.elapsed(), Arc::clone(text)))
    }
}

/// Looks for them in all repositories.
///
/// # Errors
/// What the database says.
pub async fn regressed(readers: &Readers, now: DateTime<Utc>) -> sqlx::Result<Regressed> {
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
        let mut snapshot = Snapshot::open(readers, &filter).await?;
        as_of = snapshot.as_of().await?.min(as_of);
        let rows = snapshot.platform_series(None).await?;
        snapshot.close().await?;
        let findings = find(&series(&rows), today, &Window::ALL);
        repositories.push((repository, findings.regressions.iter().filter_map(told).collect()));
    }
    Ok(Regressed { as_of, repositories })
}

/// The clearest evidence.
fn told(found: &Regression) -> Option<RegressedScript> {
    let clearest = found.evidence.first()?;
    Some(RegressedScript {
        script: found.app.clone(),
        part: match &clearest.scope {
            Scope::Script => "all".to_owned(),
            Scope::Os(value) => format!("os {value}"),
            Scope::Pve(value) => format!("pve {value}"),
        },
        since: clearest.first_bad_day.and_time(NaiveTime::MIN).and_utc(),
        failed: [clearest.before, clearest.after].map(|side| (side.numerator, side.denominator)),
    })
}
