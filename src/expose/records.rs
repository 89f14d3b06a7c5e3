//! Lists of executions.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::expose::execution::{ExecutionView, rfc3339};
use crate::ingest::execution::Execution;
use crate::store::read::models::CommonModels;

/// An execution in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Record {
    /// Everything that is stored about it but its ids.
    #[serde(flatten)]
    pub execution: ExecutionView,
    /// When the first event came.
    #[serde(serialize_with = "rfc3339")]
    pub created: DateTime<Utc>,
    /// The steps as a JSON text: `[{"s":status,"t":time}]`.
    pub pipeline: String,
}

impl Record {
    /// Shows an execution, see [`ExecutionView::of`], without models of hardware that are not common.
    #[must_use]
    pub fn of(execution: &Execution, running_since: DateTime<Utc>, common: &CommonModels) -> Self {
        let view = ExecutionView::of(execution, running_since).without_rare_models(common);
        let steps = view
            .steps
            .iter()
            .map(|step| json!({"s": step.status, "t": step.at.to_rfc3339_opts(SecondsFormat::Millis, true)}));
        let pipeline = serde_json::Value::Array(steps.collect()).to_string();
        Self { created: execution.first_seen, pipeline, execution: view }
    }
}

/// A page of executions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Records {
    /// The time for which this is true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// The executions.
    pub records: Vec<Record>,
    /// Number of the page, from 1; `null` for a page that a cursor leads to.
    pub page: Option<i64>,
    /// Most executions of a page.
    pub limit: i64,
    /// Executions in all; see `total_is_exact`.
    pub total: i64,
    /// Whether there are not more: what only a search through the executions could count is counted up
    /// to 10,000.
    pub total_is_exact: bool,
    /// Pages in all.
    pub total_pages: i64,
    /// Leads to the next page however deep it is; `null` on the last one.
    pub next_cursor: Option<String>,
}
