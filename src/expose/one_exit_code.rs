//! The failed, blocked and aborted runs with one exit code.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::execution_view::rfc3339;
use crate::expose::exit_codes;
use crate::expose::numbers::{Rate, each_day};
use crate::expose::table::lists;
use crate::store::read::counts::OutcomeCount;
use crate::store::read::exit_code::{ExitCodeDay, ExitCodeScript};

/// The counts behind the answer: all of one moment and one filter.
#[derive(Debug)]
pub struct OneExitCodeCounts {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// The exit code.
    pub code: u8,
    /// First and last day of the series.
    pub days_shown: (NaiveDate, NaiveDate),
    /// Bad ends by day, generation and outcome.
    pub days: Vec<ExitCodeDay>,
    /// Bad ends by script.
    pub scripts: Vec<ExitCodeScript>,
    /// All runs by outcome.
    pub outcomes: Vec<OutcomeCount>,
}

/// The failed, blocked and aborted runs with one exit code.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OneExitCode {
    /// The time at which the answer was true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// The exit code, 0 to 255.
    pub exit_code: u8,
    /// Failed, blocked and aborted runs.
    pub count: i64,
    /// Failed runs.
    pub failed: i64,
    /// Runs that the state of the host prevented.
    pub blocked: i64,
    /// Runs that a user or a signal ended.
    pub aborted: i64,
    /// Runs with this code among all failed, blocked and aborted runs.
    pub share: Rate,
    /// Number of affected scripts.
    pub unique_scripts: i64,
    /// The most affected scripts; at most 100.
    pub scripts: Vec<ExitCodeOfScript>,
    /// The meanings of the code, with the runs of the clients that use each; most first.
    pub meanings: Vec<MeaningRuns>,
    /// One entry for each day, including days without runs.
    pub daily_stats: Vec<ExitCodeDayView>,
}

lists!(OneExitCode: scripts, meanings, daily_stats);

/// Failed, blocked and aborted runs of a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExitCodeOfScript {
    /// Application.
    pub app: String,
    /// Type of the script.
    #[serde(rename = "type")]
    pub kind: String,
    /// Runs.
    pub count: i64,
}

/// Runs of clients for which the code has one meaning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MeaningRuns {
    /// Meaning of the code.
    pub description: String,
    /// Category of the cause.
    pub category: &'static str,
    /// Generations of the clients, 0 to 3.
    pub generations: Vec<i16>,
    /// Runs.
    pub count: i64,
}

/// Runs of one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExitCodeDayView {
    /// UTC day.
    pub date: NaiveDate,
    /// Failed runs.
    pub failed: i64,
    /// Blocked runs.
    pub blocked: i64,
    /// Aborted runs.
    pub aborted: i64,
}

/// Builds the answer.
#[must_use]
pub fn one_exit_code(counts: OneExitCodeCounts) -> OneExitCode {
    let OneExitCodeCounts { as_of, code, days_shown, days, scripts, outcomes } = counts;
    let with =
        |outcome: &str| days.iter().filter(|row| row.outcome == outcome).map(|row| row.runs).sum::<i64>();
    let (failed, blocked, aborted) = (with("failed"), with("blocked"), with("aborted"));
    let is_bad = |row: &&OutcomeCount| matches!(row.outcome.as_str(), "failed" | "blocked" | "aborted");
    let bad_ends = outcomes.iter().filter(is_bad).map(|row| row.runs).sum();
    let count = failed + blocked + aborted;
    OneExitCode {
        as_of,
        exit_code: code,
        count,
        failed,
        blocked,
        aborted,
        share: Rate::of(count, bad_ends),
        unique_scripts: scripts.first().map_or(0, |row| row.scripts),
        meanings: meanings(code, &days),
        daily_stats: each_day(
            days_shown,
            days.iter().map(|row| (row.day, row.outcome.as_str(), row.runs)),
            |date, by| {
                let runs = |outcome| by.get(outcome).copied().unwrap_or_default();
                ExitCodeDayView {
                    date,
                    failed: runs("failed"),
                    blocked: runs("blocked"),
                    aborted: runs("aborted"),
                }
            },
        ),
        scripts: scripts
            .into_iter()
            .map(|row| ExitCodeOfScript { app: row.app, kind: row.kind, count: row.runs })
            .collect(),
    }
}

fn meanings(code: u8, days: &[ExitCodeDay]) -> Vec<MeaningRuns> {
    let mut runs = BTreeMap::<i16, i64>::new();
    for row in days {
        *runs.entry(row.generation).or_default() += row.runs;
    }
    let mut meanings = Vec::<MeaningRuns>::new();
    for (generation, count) in runs {
        let (_, description, category) = exit_codes::counted(code.into(), generation);
        let category = category.as_str();
        match meanings.iter_mut().find(|row| row.description == description && row.category == category) {
            Some(row) => {
                row.count += count;
                row.generations.push(generation);
            }
            None => {
                meanings.push(MeaningRuns { description, category, generations: vec![generation], count });
            }
        }
    }
    meanings.sort_by_key(|row| -row.count);
    meanings
}
