//! Renews stored executions after the rules of the scrubber or of the reasons have changed: their texts are scrubbed
//! again, their failures diagnosed again, and the rollups follow.
//!
//! It runs beside the server, a day per transaction. Until it ends, a row has the texts and the reason of the rules
//! under which it was written. Days before the horizon keep their counts, because their executions are gone.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::store::database::background::{connect, pass};
use crate::store::keep::recount::{self, Rebuilt};
use crate::store::keep::{known_names, rules, triage};

/// Pause before another attempt after an error, or while another instance renews.
const PAUSE: Duration = Duration::from_secs(60);
/// The advisory lock of the instance that renews.
const LOCK: i64 = 0x7465_6c65_7275_6c00;

/// Renews all executions if the rules have changed. `None` if they have not, or if another instance renews.
///
/// # Errors
/// Any error from the database; the days before it are renewed.
pub async fn renew(connection: &mut PgConnection) -> sqlx::Result<Option<Rebuilt>> {
    if !rules::is_due(connection).await? {
        return Ok(None);
    }
    let is_free = sqlx::query_scalar!("select pg_try_advisory_lock($1) as \"is_free!\"", LOCK);
    if !is_free.fetch_one(&mut *connection).await? {
        return Ok(None);
    }
    triage::move_decisions(connection).await?;
    let renewed = recount::rebuild(connection).await?;
    // Names may have changed with the texts.
    known_names::learn_all(connection).await?;
    rules::note(connection).await?;
    sqlx::query!("select pg_advisory_unlock($1)", LOCK).fetch_one(connection).await?;
    Ok(Some(renewed))
}

/// Renews once if the rules have changed. Never returns; may be aborted at any time.
///
/// It does not look again, because an instance of another version would then renew by its own rules without end.
pub async fn keep_renewed(options: PgConnectOptions) {
    loop {
        let renewed = async {
            let mut connection = connect(&options, "telemetry renewal").await?;
            let renewed = renew(&mut connection).await?;
            let is_due = rules::is_due(&mut connection).await?;
            connection.close().await?;
            Ok::<_, sqlx::Error>((renewed, is_due))
        };
        match pass("executions could not be renewed", renewed).await {
            // It failed, or another instance renews.
            None | Some((None, true)) => {}
            Some((renewed, _)) => {
                if let Some(Rebuilt { days, days_left_out }) = renewed {
                    let left_out = days_left_out.len();
                    tracing::info!(days, left_out, "the rules have changed; renewed the stored executions");
                }
                std::future::pending::<()>().await;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
