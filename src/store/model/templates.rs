//! The templates of signatures, which are written with the runs that are counted under them.

use telemetry_protocol::signature::Signature;

use crate::ingest::execution::Execution;

/// Whether the rollups count a run under its signature. Only these signatures have a template in the database.
#[must_use]
pub(crate) fn is_counted(run: &Execution) -> bool {
    run.signature.is_some() && run.facts.app.get().is_some()
}

/// The signatures of runs, each once, by id: two writers that insert them in this order cannot deadlock.
#[must_use]
pub(crate) fn templates<'a>(runs: impl Iterator<Item = &'a Execution>) -> Vec<Signature> {
    let mut found: Vec<_> = runs.filter(|run| is_counted(run)).filter_map(Execution::failure).collect();
    found.sort_unstable_by_key(|signature| signature.id);
    found.dedup_by_key(|signature| signature.id);
    found
}
