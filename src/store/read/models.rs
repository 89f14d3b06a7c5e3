//! Hardware models that are common enough to publish. A rare one would identify its owner.

use std::collections::HashSet;

use crate::store::read::snapshot::Snapshot;

/// Number of sessions that make a model common.
const MODEL_GROUP: i64 = 5;
/// Number of newest executions that are searched, so that the cost does not grow with the history.
const MODEL_WINDOW: i64 = 10_000;

/// Hardware models that may be published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommonModels {
    /// Of CPUs.
    pub cpu: HashSet<String>,
    /// Of GPUs.
    pub gpu: HashSet<String>,
}

impl Snapshot<'_> {
    /// The models of at least five of the newest sessions.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn common_models(&mut self) -> sqlx::Result<CommonModels> {
        let found =
            sqlx::query_file!("src/store/sql/read/models/common_models.sql", MODEL_WINDOW, MODEL_GROUP);
        let mut common = CommonModels::default();
        for row in found.fetch_all(&mut *self.transaction).await? {
            let models = if row.part == "cpu" { &mut common.cpu } else { &mut common.gpu };
            models.insert(row.model);
        }
        Ok(common)
    }
}
