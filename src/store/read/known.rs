//! Executions and names as the public sees them.

use std::collections::HashSet;

use telemetry_protocol::exit_code::Category;
use telemetry_protocol::reason::Diagnosis;

use crate::ingest::execution::Execution;
use crate::ingest::reported::Reported;
use crate::store::model::names::{Name, RARE, RARE_SIGNATURE, names};
use crate::store::model::rollup::os_family;
use crate::store::read::snapshot::Snapshot;
use crate::store::read::view::View;

/// Which of some names a view shows.
#[derive(Clone, Debug)]
pub struct KnownNames(Option<HashSet<Name>>);

impl KnownNames {
    /// Whether the view shows a name. It shows an absent one.
    #[must_use]
    pub fn shows(&self, name: &Name) -> bool {
        let is_absent = name.name.is_empty() && name.detail.is_empty();
        is_absent || self.0.as_ref().is_none_or(|known| known.contains(name))
    }

    /// The name without a detail as the view shows it.
    #[must_use]
    pub fn shown<'a>(&self, kind: &str, name: &'a str) -> &'a str {
        if self.shows(&Name::new(kind, name)) { name } else { RARE }
    }
}

/// An execution of a list, as a view shows it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The execution without what the view hides.
    pub execution: Execution,
    /// Why it failed or was blocked. Where the view hides them, the line is empty and the subject absent.
    pub diagnosis: Option<Diagnosis>,
}

impl Shown {
    /// An execution of which everything is shown.
    #[must_use]
    pub fn all(execution: Execution) -> Self {
        Self { diagnosis: execution.diagnosis(), execution }
    }
}

impl Snapshot<'_> {
    /// Which of these names the view shows.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn known(&mut self, wanted: impl Iterator<Item = Name>) -> sqlx::Result<KnownNames> {
        if !self.hides_rare().await? {
            return Ok(KnownNames(None));
        }
        let wanted: HashSet<_> = wanted.collect();
        let column = |part: fn(&Name) -> &str| wanted.iter().map(part).collect::<Vec<_>>();
        let known = sqlx::query_as!(
            Name,
            "select kind, name, detail
             from known_name join unnest($1::text[], $2::text[], $3::text[]) as wanted (kind, name, detail)
                 using (kind, name, detail)",
            &column(|name| &name.kind) as _,
            &column(|name| &name.name) as _,
            &column(|name| &name.detail) as _
        );
        Ok(KnownNames(Some(known.fetch_all(&mut *self.transaction).await?.into_iter().collect())))
    }

    /// The applications that the view does not name.
    ///
    /// # Errors
    /// Any error from the database.
    pub(crate) async fn rare_apps(&mut self) -> sqlx::Result<Vec<String>> {
        if !self.hides_rare().await? {
            return Ok(Vec::new());
        }
        sqlx::query_file_scalar!("src/store/sql/read/records/find_apps.sql", "", i64::MAX, Some(false) as _)
            .fetch_all(&mut *self.transaction)
            .await
    }

    /// Shows executions as the view does.
    pub(super) async fn show(&mut self, runs: Vec<Execution>) -> sqlx::Result<Vec<Shown>> {
        let mut shown: Vec<_> = runs.into_iter().map(Shown::all).collect();
        if self.view == View::Public {
            let known = self.known(shown.iter().flat_map(|run| names(&run.execution))).await?;
            shown.iter_mut().for_each(|run| redact(run, &known));
        }
        Ok(shown)
    }
}

/// Removes the texts and the hardware of a single execution, and replaces its rare names.
fn redact(run: &mut Shown, known: &KnownNames) {
    let Shown { execution: run, diagnosis } = run;
    let facts = &mut run.facts;
    for text in [
        &mut facts.error,
        &mut facts.failed_command,
        &mut facts.app_version,
        &mut facts.cpu_model,
        &mut facts.gpu_model,
        &mut facts.ram_speed,
        &mut facts.kernel_version,
    ] {
        *text = Reported::default();
    }
    if facts.error_category.get().is_some_and(|word| Category::from_word(word).is_none()) {
        facts.error_category = Reported::default();
    }
    let text = |fact: &Reported<String>| fact.get().cloned().unwrap_or_default();
    let family = os_family(&text(&facts.os_type)).to_owned();
    let (gpu, source) = (text(&facts.gpu_vendor), text(&facts.runtime_source));
    for (fact, kind, of) in [
        (&mut facts.os_version, "os", &family),
        (&mut facts.gpu_passthrough, "gpu", &gpu),
        (&mut facts.runtime_ref, "runtime", &source),
    ] {
        let name = Name::with_detail(kind, of, &text(fact));
        hide(fact, known.shows(&name));
    }
    hide(&mut facts.os_type, known.shows(&Name::new("os", &family)));
    for (fact, kind) in [
        (&mut facts.app, "app"),
        (&mut facts.repo_slug, "slug"),
        (&mut facts.platform, "platform"),
        (&mut facts.pve_version, "pve_version"),
        (&mut facts.method, "method"),
        (&mut facts.arch, "arch"),
        (&mut facts.cpu_vendor, "cpu_vendor"),
        (&mut facts.gpu_vendor, "gpu"),
    ] {
        let name = Name::new(kind, &text(fact));
        hide(fact, known.shows(&name));
    }
    let is_rare = run.signature.is_some_and(|id| !known.shows(&Name::signature(id)));
    if is_rare {
        run.signature = Some(RARE_SIGNATURE);
    }
    if let Some(diagnosis) = diagnosis {
        diagnosis.line.clear();
        diagnosis.subject = diagnosis.subject.take().filter(|_| !is_rare);
    }
}

/// Replaces a text that is not shown.
fn hide(fact: &mut Reported<String>, is_shown: bool) {
    if let Some(status) = fact.status().filter(|_| !is_shown) {
        *fact = Reported::by(status, Some(RARE.to_owned()));
    }
}
