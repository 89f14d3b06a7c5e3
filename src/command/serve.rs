//! `telemetry-server serve`: runs the server until a signal stops it.

use std::io::Write;
use std::process::ExitCode;

use sqlx::postgres::PgConnectOptions;
use tokio::signal::unix::{SignalKind, signal};

use crate::app;
use crate::command::service_manager;
use crate::config::Config;

/// Runs the server until SIGTERM or SIGINT. Prints its address to the standard output as soon as it listens.
pub(super) async fn serve(config: &Config, options: &PgConnectOptions) -> anyhow::Result<ExitCode> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut running = tokio::select! {
        running = app::start(config, options) => running?,
        _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
        _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
    };
    let url = format!("http://{}", running.address);
    let hint = format!(
        "telemetry-server listens on {url}\nTry: curl -s {url}/telemetry -d \
         '{{\"random_id\":\"test-1\",\"nsapp\":\"jellyfin\",\"type\":\"lxc\",\"status\":\"success\"}}'; \
         curl -s {url}/api/runs/test-1\n"
    );
    // A closed standard output does not stop the server.
    let mut out = std::io::stdout();
    let _ = out.write_all(hint.as_bytes()).and_then(|()| out.flush());
    service_manager::say_ready();
    let address = running.address;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        error = running.ended() => return Err(error),
        () = service_manager::keep_saying_alive(address) => {}
    }
    service_manager::say_stopping();
    tracing::info!("stopping: completing the requests in flight");
    running.stop().await?;
    Ok(ExitCode::SUCCESS)
}
