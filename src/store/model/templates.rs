//! The templates of signatures, which are written with the runs that are counted under them.

use telemetry_protocol::reason::Signature;

use crate::ingest::execution::Execution;

/// Whether the rollups count a run under its signature. Only these signatures have a template in the database.
#[must_use]
pub(crate) fn is_counted(run: &Execution) -> bool {
    run.signature.is_some() && run.facts.app.get().is_some()
}

/// A signature, and what its failures are about.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// The signature.
    pub(crate) signature: Signature,
    /// The subject of the reason.
    pub(crate) subject: Option<String>,
}

/// The signatures of runs, each once, by id: two writers that insert them in this order cannot deadlock.
#[must_use]
pub(crate) fn templates<'a>(runs: impl Iterator<Item = &'a Execution>) -> Vec<Template> {
    let diagnosed = runs.filter(|run| is_counted(run)).filter_map(Execution::diagnosis);
    let mut found: Vec<_> = diagnosed
        .map(|diagnosis| Template { signature: diagnosis.signature(), subject: diagnosis.subject })
        .collect();
    found.sort_unstable_by_key(|template| template.signature.id);
    found.dedup_by_key(|template| template.signature.id);
    found
}
