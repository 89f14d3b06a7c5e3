//! The templates of signatures: a table that grows with every new kind of failure.

use std::collections::HashSet;

use sqlx::PgConnection;

use crate::ingest::execution::Execution;

/// Signatures are forgotten above this number. They are derived from the wire, so their number is not bounded
/// otherwise.
const REMEMBERED: usize = 20_000;

/// A cache of signatures that are in the table.
#[derive(Debug, Default)]
pub struct Signatures(HashSet<i64>);

impl Signatures {
    /// Adds the templates of these executions to the table, unless they are there.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn load_or_insert<'a>(
        &mut self,
        connection: &mut PgConnection,
        runs: impl Iterator<Item = &'a Execution>,
    ) -> sqlx::Result<()> {
        let missing = runs.filter(|run| run.signature.is_some_and(|id| !self.0.contains(&id)));
        let mut missing: Vec<_> = missing.filter_map(Execution::failure).collect();
        if missing.is_empty() {
            return Ok(());
        }
        // In the order of ids, so that two writers cannot deadlock.
        missing.sort_unstable_by_key(|signature| signature.id);
        missing.dedup_by_key(|signature| signature.id);
        let ids: Vec<_> = missing.iter().map(|signature| signature.id).collect();
        let templates: Vec<_> = missing.iter().map(|signature| signature.template.as_str()).collect();
        sqlx::query!(
            "insert into signature (id, template) select * from unnest($1::bigint[], $2::text[])
             on conflict do nothing",
            &ids,
            &templates as _,
        )
        .execute(connection)
        .await?;
        if self.0.len() > REMEMBERED {
            self.0.clear();
        }
        self.0.extend(ids);
        Ok(())
    }
}
