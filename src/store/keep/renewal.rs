//! Renews stored executions after the rules of the scrubber or of the reasons have changed: their texts are scrubbed
//! again, their failures diagnosed again, and the rollups follow.
//!
//! It runs beside the server, a day per transaction. Until it ends, a row has the texts and the reason of the rules
//! under which it was written. Days before the horizon keep their counts, because their executions are gone; the
//! templates of their signatures are scrubbed again.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use telemetry_protocol::scrub::scrub;

use crate::store::database::background::{connect, pass};
use crate::store::keep::recount::{self, Rebuilt};
use crate::store::keep::{known_names, rules, triage};

/// Pause before another attempt after an error, or while another instance renews.
const PAUSE: Duration = Duration::from_secs(60);
/// Templates that are held in memory at once.
const PAGE_ROWS: i64 = 1_000;
/// The advisory lock of the instance that renews.
const LOCK: i64 = 0x7465_6c65_7275_6c00;

/// Renews all executions if the rules have changed, without the days that `renewed` has. Returns false if they have
/// not, or if another instance renews.
///
/// # Errors
/// Any error from the database; `renewed` has the days before it.
pub async fn renew(connection: &mut PgConnection, renewed: &mut Rebuilt) -> sqlx::Result<bool> {
    if !rules::is_due(connection).await? {
        return Ok(false);
    }
    let is_free = sqlx::query_scalar!("select pg_try_advisory_lock($1) as \"is_free!\"", LOCK);
    if !is_free.fetch_one(&mut *connection).await? {
        return Ok(false);
    }
    triage::move_decisions(connection).await?;
    recount::resume(connection, renewed).await?;
    scrub_templates(connection).await?;
    // Names may have changed with the texts.
    known_names::learn_all(connection).await?;
    rules::note(connection).await?;
    sqlx::query!("select pg_advisory_unlock($1)", LOCK).fetch_one(connection).await?;
    Ok(true)
}

/// Scrubs the templates of signatures again. Runs that have expired write theirs no more.
async fn scrub_templates(connection: &mut PgConnection) -> sqlx::Result<()> {
    let mut last: Option<i64> = None;
    loop {
        let page = sqlx::query!(
            "select id, template, subject from signature
             where $1::bigint is null or id > $1 order by id limit $2",
            last as _,
            PAGE_ROWS
        );
        let page = page.fetch_all(&mut *connection).await?;
        if page.is_empty() {
            return Ok(());
        }
        last = page.last().map(|signature| signature.id);
        for signature in page {
            let (template, subject) = (scrub(&signature.template), signature.subject.as_deref().map(scrub));
            if template == signature.template && subject.as_deref() == signature.subject.as_deref() {
                continue;
            }
            sqlx::query!(
                "update signature set template = $2, subject = $3 where id = $1",
                signature.id,
                &template,
                subject.as_deref()
            )
            .execute(&mut *connection)
            .await?;
        }
    }
}

/// Renews once if the rules have changed. Never returns; may be aborted at any time.
///
/// It does not look again, because an instance of another version would then renew by its own rules without end.
pub async fn keep_renewed(options: PgConnectOptions) {
    // Another attempt goes on where the last one failed.
    let mut renewed = Rebuilt::default();
    loop {
        let attempt = async {
            let mut connection = connect(&options, "telemetry renewal").await?;
            let is_renewed = renew(&mut connection, &mut renewed).await?;
            let is_due = rules::is_due(&mut connection).await?;
            connection.close().await?;
            Ok::<_, sqlx::Error>((is_renewed, is_due))
        };
        match pass("executions could not be renewed", attempt).await {
            // It failed, or another instance renews.
            None | Some((false, true)) => {}
            Some((is_renewed, _)) => {
                if is_renewed {
                    let (days, left_out) = (renewed.days, renewed.days_left_out.len());
                    tracing::info!(days, left_out, "the rules have changed; renewed the stored executions");
                }
                std::future::pending::<()>().await;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
