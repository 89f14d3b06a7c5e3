//! The templates behind the signatures: a table that grows with every new way to fail.

use std::collections::HashSet;

use sqlx::PgConnection;

use crate::ingest::execution::Execution;

/// More signatures than this are not remembered at once: they are made of what comes over the
/// wire, and memory is bounded whatever comes.
const REMEMBERED: usize = 20_000;

/// The signatures that are known to be in the table.
#[derive(Debug, Default)]
pub struct Signatures(HashSet<i64>);

impl Signatures {
    /// Makes sure that the table has the template of every signature of these runs.
    ///
    /// # Errors
    /// What the database says.
    pub async fn learn<'a>(
        &mut self,
        connection: &mut PgConnection,
        runs: impl Iterator<Item = &'a Execution>,
    ) -> sqlx::Result<()> {
        let missing = runs.filter(|run| run.signature.is_some_and(|id| !self.0.contains(&id)));
        let mut missing: Vec<_> = missing.filter_map(Execution::failure).collect();
        if missing.is_empty() {
            return Ok(());
        }
        // In the order of ids, so that two writers do not wait in a circle.
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
