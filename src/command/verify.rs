//! `telemetry-server verify` and `rebuild`: the rollups against a recount of the executions.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use chrono::NaiveDate;
use sqlx::{Connection, PgConnection};

use crate::store::keep::recount::{self, Mismatch};
use crate::store::keep::rules;

/// Differences that are printed in full.
const PRINTED_MISMATCHES: usize = 100;

/// Recounts all rollups and prints the differences. Exit status 1 if there are any.
pub(super) async fn verify(mut connection: PgConnection) -> anyhow::Result<ExitCode> {
    let seen = recount::verify(&mut connection).await.context("cannot recount the rollups")?;
    connection.close().await?;
    let mut out = std::io::stdout().lock();
    for mismatch in seen.mismatches.iter().take(PRINTED_MISMATCHES) {
        match mismatch {
            Mismatch::Rollup { row, excess } => writeln!(out, "rollup row differs: {row} by {excess:?}")?,
            Mismatch::MonthlySum { month, row } => {
                writeln!(out, "monthly sum of {} differs: {row}", month.format("%Y-%m"))?;
            }
            Mismatch::Sessions { day } => writeln!(out, "the sessions that began on {day} differ")?,
            Mismatch::Derived { day, column, stored, derived } => writeln!(
                out,
                "{column} of an execution of {day} differs: {stored} is stored, its events give {derived}"
            )?,
        }
    }
    writeln!(
        out,
        "{} executions on {} days recounted: {} differences",
        seen.executions,
        seen.days,
        seen.mismatches.len()
    )?;
    if seen.outdated > 0 {
        writeln!(out, "{} executions wait to be diagnosed by the rules of this version", seen.outdated)?;
    }
    print_skipped(&mut out, "not recounted", &seen.days_left_out)?;
    Ok(if seen.mismatches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Rebuilds all rollups and prints the number of days.
pub(super) async fn rebuild(mut connection: PgConnection) -> anyhow::Result<ExitCode> {
    let rebuilt = recount::rebuild(&mut connection).await.context("cannot rebuild the rollups")?;
    rules::note(&mut connection).await.context("cannot store the rules")?;
    connection.close().await?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "the rollups of {} days are rebuilt", rebuilt.days)?;
    print_skipped(&mut out, "left as they are", &rebuilt.days_left_out)?;
    Ok(ExitCode::SUCCESS)
}

/// Names the days that have rollups but no executions any more.
fn print_skipped(out: &mut impl Write, what: &str, days: &[NaiveDate]) -> std::io::Result<()> {
    match days {
        [] => Ok(()),
        [day] => writeln!(out, "{what}: {day}, because its executions have expired"),
        [first, .., last] => {
            let count = days.len();
            writeln!(
                out,
                "{what}: {count} days from {first} to {last}, because their executions have expired"
            )
        }
    }
}
