//! `/metrics`: the counters of this process, and the metrics that are read from the database.

use actix_web::{HttpResponse, web};
use chrono::Utc;
use nix::sys::statvfs::statvfs;

use crate::http::error::ApiError;
use crate::http::operate::health::busy_and_idle;
use crate::state::AppState;
use crate::store::write::spool::Spool;

/// Metrics in the Prometheus text format
///
/// While the database is unavailable, only the metrics of the process.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "operation",
    responses((status = 200, description = "Metrics", body = String, content_type = "text/plain"))
)]
pub async fn show(state: web::Data<AppState>) -> Result<HttpResponse, ApiError> {
    let now = Utc::now();
    let from_database = state.scrape.text(now, state.running_since(now)).await;
    let pools = [("read", &state.read_pool), ("write", &state.write_pool), ("delete", &state.delete_pool)];
    for (name, pool) in pools {
        let (busy, idle) = busy_and_idle(pool);
        let connections = &state.metrics.database_connections;
        connections.with_label_values(&[name, "idle"]).set(idle);
        connections.with_label_values(&[name, "busy"]).set(busy);
    }
    state.limits.observe();
    state.metrics.spool_oldest_age.set(state.spool.as_ref().map_or(0, Spool::oldest_age_seconds));
    observe_disks(&state);
    let mut text = state.metrics.render().map_err(|_| ApiError::Internal)?;
    text.push_str(&from_database);
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

/// Measures the disks of the folders that grow. A folder that does not exist yet is left out.
fn observe_disks(state: &AppState) {
    for (name, folder) in state.folders.iter() {
        let Ok(disk) = statvfs(folder) else { continue };
        let bytes =
            |blocks: u64| i64::try_from(blocks.saturating_mul(disk.fragment_size())).unwrap_or(i64::MAX);
        state.metrics.disk_free.with_label_values(&[name]).set(bytes(disk.blocks_available()));
        state.metrics.disk_size.with_label_values(&[name]).set(bytes(disk.blocks()));
    }
}
