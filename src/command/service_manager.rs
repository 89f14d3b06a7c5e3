//! Messages to the service manager: that the server is ready, alive, or stopping. systemd asks for them with
//! `Type=notify` and `WatchdogSec`. Without a service manager nothing is sent.

use std::future::pending;
use std::net::SocketAddr;

use sd_notify::NotifyState;

use crate::command::health;

/// The server listens.
pub(super) fn say_ready() {
    say(NotifyState::Ready);
}

/// The server begins to stop.
pub(super) fn say_stopping() {
    say(NotifyState::Stopping);
}

/// Says three times in each period of the watchdog that the server is alive, but only if it answers a request. Any
/// answer counts: a server that refuses connections because it has too many is alive. Never returns.
pub(super) async fn keep_saying_alive(address: SocketAddr) {
    let Some(period) = sd_notify::watchdog_enabled().filter(|period| !period.is_zero()) else {
        return pending().await;
    };
    let pause = period / 3;
    let mut turns = tokio::time::interval(pause);
    loop {
        turns.tick().await;
        match tokio::task::spawn_blocking(move || health::status(address, pause)).await {
            Ok(Ok(_)) => say(NotifyState::Watchdog),
            Ok(Err(error)) => tracing::warn!("the server does not answer its own watchdog: {error}"),
            Err(_) => tracing::warn!("the watchdog could not send its request"),
        }
    }
}

fn say(state: NotifyState) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!("cannot reach the service manager: {error}");
    }
}
