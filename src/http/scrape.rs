//! `/metrics`: what the process counts, and what the rollups say.

use actix_web::{HttpResponse, web};
use chrono::Utc;
use nix::sys::statvfs::statvfs;

use crate::http::error::ApiError;
use crate::http::health::busy_and_idle;
use crate::state::AppState;
use crate::store::write::spool::Spool;

/// Everything that is measured, in the Prometheus text format. While the database is away only what the
/// process counts.
///
/// # Errors
/// [`ApiError::Internal`].
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    responses((status = 200, description = "Metrics", body = String, content_type = "text/plain"))
)]
pub async fn metrics(state: web::Data<AppState>) -> Result<HttpResponse, ApiError> {
    let now = Utc::now();
    let (domain, regressed) =
        tokio::join!(state.domain.read(now, state.running_since(now)), state.watch.read(now));
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
    text.push_str(&domain);
    text.push_str(&regressed);
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

/// The disks under the folders that grow. One that is not there yet is left out.
fn observe_disks(state: &AppState) {
    for (name, folder) in state.folders.iter() {
        let Ok(disk) = statvfs(folder) else { continue };
        let bytes =
            |blocks: u64| i64::try_from(blocks.saturating_mul(disk.fragment_size())).unwrap_or(i64::MAX);
        state.metrics.disk_free.with_label_values(&[name]).set(bytes(disk.blocks_available()));
        state.metrics.disk_size.with_label_values(&[name]).set(bytes(disk.blocks()));
    }
}
