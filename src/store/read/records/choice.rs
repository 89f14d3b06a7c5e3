//! Which executions a list contains.

use chrono::{DateTime, Utc};
use telemetry_protocol::reason::{Blame, Category};

use crate::store::model::names::Name;
use crate::store::model::rollup::os_family;
use crate::store::read::filter::Filter;
use crate::store::read::snapshot::Snapshot;

/// Selects records, in addition to the [`Filter`]. A `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// `success`, `failed`, `blocked`, `aborted`, `installing` (running), `unfinished`.
    pub outcome: Option<&'static str>,
    /// Applications.
    pub apps: Option<Vec<String>>,
    /// Operating systems of the guest, as counted.
    pub os: Option<Vec<String>>,
    /// Its version.
    pub os_version: Option<String>,
    /// Version of Proxmox VE.
    pub pve_version: Option<String>,
    /// Architecture.
    pub arch: Option<String>,
    /// Method of the installation.
    pub method: Option<String>,
    /// Exit code.
    pub exit_code: Option<i32>,
    /// Id of the signature.
    pub signature: Option<i64>,
    /// Id of the rule.
    pub reason: Option<&'static str>,
    /// Kind of the failure.
    pub category: Option<Category>,
    /// The side that has to act.
    pub blame: Option<Blame>,
    /// An open execution is running if its last event came at this full hour or later.
    pub running_since: DateTime<Utc>,
}

impl Choice {
    /// All records.
    #[must_use]
    pub fn all(running_since: DateTime<Utc>) -> Self {
        Self { running_since, ..Self::default() }
    }

    /// Whether only the executions themselves know what it selects, and no rollup.
    pub(super) const fn is_by_row(&self) -> bool {
        self.pve_version.is_some()
            || self.arch.is_some()
            || self.method.is_some()
            || self.exit_code.is_some()
            || self.is_by_reason()
    }

    const fn is_by_reason(&self) -> bool {
        self.signature.is_some() || self.reason.is_some() || self.category.is_some() || self.blame.is_some()
    }

    /// Whether it selects executions without a signature that have this category and blame.
    fn selects(&self, category: Category, blame: Blame) -> bool {
        self.signature.is_none()
            && self.reason.is_none()
            && self.category.is_none_or(|wanted| wanted == category)
            && self.blame.is_none_or(|wanted| wanted == blame)
    }
}

/// The part of a choice that a view may filter by.
#[derive(Debug)]
pub(in crate::store::read) struct Visible {
    pub(in crate::store::read) choice: Choice,
    /// The chosen signatures; `None` for all.
    signatures: Option<Vec<i64>>,
}

impl Visible {
    pub(in crate::store::read) fn filter(&self, filter: &Filter) -> RecordFilter {
        let Filter { repo, slug, kind, platform, .. } = filter.clone();
        let choice = self.choice.clone();
        RecordFilter {
            repo,
            slug,
            kind,
            platform,
            outcome: choice.outcome.map(str::to_owned),
            running_since: choice.running_since,
            os_types: choice.os.as_ref().map(|names| names.iter().flat_map(|os| os_types(os)).collect()),
            without_signature: choice.selects(Category::Unknown, Blame::Unknown),
            aborted: choice.selects(Category::UserAbort, Blame::User),
            os_version: choice.os_version,
            pve_version: choice.pve_version,
            arch: choice.arch,
            method: choice.method,
            exit_code: choice.exit_code,
            signatures: self.signatures.clone(),
        }
    }
}

/// The distributions that count as this one, as in the rollups.
fn os_types(os: &str) -> Vec<String> {
    [os, "wolfi"].into_iter().filter(|found| os_family(found) == os).map(str::to_owned).collect()
}

/// The filter of a list as a value of the SQL type `record_filter`. Its fields have the same order.
#[derive(Debug, sqlx::Type)]
#[sqlx(type_name = "record_filter")]
pub(in crate::store::read) struct RecordFilter {
    repo: Option<String>,
    slug: Option<String>,
    kind: Option<String>,
    platform: Option<String>,
    outcome: Option<String>,
    running_since: DateTime<Utc>,
    os_types: Option<Vec<String>>,
    os_version: Option<String>,
    pve_version: Option<String>,
    arch: Option<String>,
    method: Option<String>,
    exit_code: Option<i32>,
    signatures: Option<Vec<i64>>,
    without_signature: bool,
    aborted: bool,
}

impl Snapshot<'_> {
    /// The part of a choice that the view may filter by: a rare name selects nothing. `None` if nothing is left.
    pub(in crate::store::read) async fn visible(&mut self, choice: &Choice) -> sqlx::Result<Option<Visible>> {
        if self.is_empty().await? {
            return Ok(None);
        }
        let signatures = self.chosen_signatures(choice).await?;
        if signatures.as_ref().is_some_and(Vec::is_empty)
            && !choice.selects(Category::Unknown, Blame::Unknown)
            && !choice.selects(Category::UserAbort, Blame::User)
        {
            return Ok(None);
        }
        if !self.hides_rare().await? {
            return Ok(Some(Visible { choice: choice.clone(), signatures }));
        }
        let Choice { mut apps, mut os, .. } = choice.clone();
        if let Some(apps) = &mut apps {
            let known = self.known(apps.iter().map(|app| Name::new("app", app))).await?;
            apps.retain(|app| known.shows(&Name::new("app", app)));
        }
        if let Some(version) = &choice.os_version {
            let with_version = sqlx::query_scalar!(
                "select name from known_name where kind = 'os' and detail = $1 and name <> ''",
                version
            );
            let mut with_version = with_version.fetch_all(&mut *self.transaction).await?;
            with_version.retain(|name| os.as_ref().is_none_or(|wanted| wanted.contains(name)));
            os = Some(with_version);
        } else if let Some(names) = &mut os {
            let known = self.known(names.iter().map(|os| Name::new("os", os))).await?;
            names.retain(|os| known.shows(&Name::new("os", os)));
        }
        let single =
            [("pve_version", &choice.pve_version), ("arch", &choice.arch), ("method", &choice.method)];
        let single = single.into_iter().filter_map(|(kind, name)| Some(Name::new(kind, name.as_ref()?)));
        let single: Vec<_> = single.chain(choice.signature.map(Name::signature)).collect();
        let known = self.known(single.iter().cloned()).await?;
        let is_empty = |names: &Option<Vec<_>>| names.as_ref().is_some_and(Vec::is_empty);
        let is_left = !is_empty(&apps) && !is_empty(&os) && single.iter().all(|name| known.shows(name));
        Ok(is_left.then(|| Visible { choice: Choice { apps, os, ..choice.clone() }, signatures }))
    }

    /// The ids of the signatures that a choice selects; `None` for all.
    async fn chosen_signatures(&mut self, choice: &Choice) -> sqlx::Result<Option<Vec<i64>>> {
        if !choice.is_by_reason() {
            return Ok(None);
        }
        let ids = sqlx::query_scalar!(
            "select id from signature
             where ($1::bigint is null or id = $1) and ($2::text is null or reason = $2)
                 and ($3::text is null or category = $3) and ($4::text is null or blame = $4)",
            choice.signature,
            choice.reason,
            choice.category.map(Category::as_str),
            choice.blame.map(Blame::as_str)
        );
        ids.fetch_all(&mut *self.transaction).await.map(Some)
    }
}
