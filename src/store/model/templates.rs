//! The templates of signatures: a table that grows with every new kind of failure.

use std::collections::HashSet;

use sqlx::PgConnection;
use telemetry_protocol::reason::Signature;

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
        let missing = missing.filter_map(Execution::diagnosis);
        let mut missing: Vec<_> =
            missing.map(|diagnosis| (diagnosis.signature(), diagnosis.subject)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        // In the order of ids, so that two writers cannot deadlock.
        missing.sort_unstable_by_key(|(signature, _)| signature.id);
        missing.dedup_by_key(|(signature, _)| signature.id);
        let ids: Vec<_> = missing.iter().map(|(signature, _)| signature.id).collect();
        let texts = |text: fn(&Signature) -> &str| -> Vec<_> {
            missing.iter().map(|(signature, _)| text(signature)).collect()
        };
        let rules: Vec<_> = missing.iter().map(|(signature, _)| signature.rule).collect();
        let subjects: Vec<_> = missing.iter().map(|(_, subject)| subject.as_deref()).collect();
        sqlx::query!(
            "insert into signature (id, template, reason, subject, category, blame)
             select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
             on conflict (id) do update set
                 template = excluded.template, category = excluded.category, blame = excluded.blame
             where (signature.template, signature.category, signature.blame)
                 is distinct from (excluded.template, excluded.category, excluded.blame)",
            &ids,
            &texts(|signature| &signature.template) as _,
            &rules as _,
            &subjects as _,
            &texts(|signature| signature.category.as_str()) as _,
            &texts(|signature| signature.blame.as_str()) as _,
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
