//! Connections of background tasks, and the time limit of their passes. Nobody waits for a background task, so one
//! that hangs, for example because the network swallows its packets, would go unnoticed.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::store::database::connect::within;
use crate::store::database::pools::{KEEPALIVE, named};

/// Longest time for establishing a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time of a statement. The longest ones sum up a month.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(600);
/// Longest wait for a lock, during which others queue behind the task.
const LOCK_TIMEOUT: &str = "3s";
/// Longest time of a pass. The next one continues the work of one that is cut off.
const PASS_TIMEOUT: Duration = Duration::from_secs(3600);

/// Connects a background task. Each pass has a connection of its own: closing it releases its advisory locks.
///
/// # Errors
/// Any error from the database; [`sqlx::Error::PoolTimedOut`] if it does not answer.
pub async fn connect(options: &PgConnectOptions, name: &str) -> sqlx::Result<PgConnection> {
    let options = options.clone().options(KEEPALIVE).options([("lock_timeout", LOCK_TIMEOUT)]);
    within(CONNECT_TIMEOUT, PgConnection::connect_with(&named(options, STATEMENT_TIMEOUT, name))).await
}

/// Runs a pass of a background task within the time limit. `None` if it fails, which is logged as `failure`.
pub async fn pass<T>(failure: &'static str, work: impl Future<Output = sqlx::Result<T>>) -> Option<T> {
    match within(PASS_TIMEOUT, work).await {
        Ok(done) => Some(done),
        Err(error) => {
            let code = error.as_database_error().and_then(|error| error.code());
            tracing::warn!(sqlstate = code.as_deref(), "{failure}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_that_never_answers_does_not_hold_up_a_task() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = silent.local_addr().expect("it is bound").port();
        let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port);
        let connecting = within(Duration::from_millis(1), PgConnection::connect_with(&options));
        assert!(matches!(connecting.await, Err(sqlx::Error::PoolTimedOut)));
    }
}
