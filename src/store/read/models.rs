//! Which models of hardware may be published: one that hardly anybody has would point at its owner.

use std::collections::HashSet;

use crate::store::read::snapshot::Snapshot;

/// Sessions that must have a model of hardware before it is published.
const MODEL_GROUP: i64 = 5;
/// Newest executions among which these are looked for: what is asked costs the same however long the
/// history is.
const MODEL_WINDOW: i64 = 10_000;

/// Models of hardware that so many hosts have that they may be published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommonModels {
    /// Of CPUs.
    pub cpu: HashSet<String>,
    /// Of GPUs.
    pub gpu: HashSet<String>,
}

impl Snapshot<'_> {
    /// The models that at least five of the newest sessions have.
    ///
    /// # Errors
    /// What the database says.
    pub async fn common_models(&mut self) -> sqlx::Result<CommonModels> {
        let found = sqlx::query_file!("src/store/sql/read/common_models.sql", MODEL_WINDOW, MODEL_GROUP);
        let mut common = CommonModels::default();
        for row in found.fetch_all(&mut *self.transaction).await? {
            let models = if row.part == "cpu" { &mut common.cpu } else { &mut common.gpu };
            models.insert(row.model);
        }
        Ok(common)
    }
}
