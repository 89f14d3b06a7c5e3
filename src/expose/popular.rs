//! Which scripts are used most and least, and which are new or used more than before.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::dashboard::LENGTH;
use crate::expose::execution_view::rfc3339;
use crate::expose::numbers::Rate;
use crate::expose::table::lists;
use crate::store::read::popular::ScriptUse;

/// The counts behind the answer: all of one moment and one filter.
#[derive(Debug)]
pub struct PopularCounts {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// First and last day of the period before; `None` for all time.
    pub previous: Option<(NaiveDate, NaiveDate)>,
    /// The scripts of the lists, and a total.
    pub scripts: Vec<ScriptUse>,
}

/// Which scripts are used most and least, and which are new or used more than before. A script is an application and its
/// type. Scripts of few sessions are in no list for the public, but in the totals.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Popular {
    /// The time at which the answer was true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// First UTC day of the period before, which has the same length; `null` for all time.
    pub previous_from: Option<NaiveDate>,
    /// Last UTC day of the period before; `null` for all time.
    pub previous_to: Option<NaiveDate>,
    /// Scripts with a run.
    pub total_scripts: i64,
    /// All runs.
    pub total_installs: i64,
    /// All runs of the period before; `null` for all time.
    pub total_installs_before: Option<i64>,
    /// Scripts with the most runs.
    pub most_used: Vec<UsedScript>,
    /// Scripts with the fewest runs, but at least one.
    pub least_used: Vec<UsedScript>,
    /// Scripts with more runs than in the period before, clearest rise first. Only scripts with at least ten runs that are
    /// not new. Empty for all time.
    pub rising: Vec<UsedScript>,
    /// Scripts whose first run ever is in the period, most runs first. Empty for all time.
    pub new: Vec<UsedScript>,
}

lists!(Popular: most_used, least_used, rising, new);

/// The runs of a script in two periods.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct UsedScript {
    /// Application.
    pub app: String,
    /// Type of the script.
    #[serde(rename = "type")]
    pub kind: String,
    /// Runs.
    pub count: i64,
    /// Runs in the period before; `null` for all time.
    pub count_before: Option<i64>,
    /// The runs among all runs of the period.
    pub share: Rate,
    /// Failed runs among successful and failed runs.
    pub failure_rate: Rate,
    /// UTC day of the first run, if it is in the period; `null` for all time.
    pub first_seen_day: Option<NaiveDate>,
}

/// Builds the answer.
#[must_use]
pub fn popular(counts: PopularCounts) -> Popular {
    let PopularCounts { as_of, previous, scripts } = counts;
    let total = scripts.iter().find(|row| row.app.is_none());
    let (total_scripts, total_installs, before) =
        total.map_or((0, 0, 0), |row| (row.scripts, row.runs, row.before));
    let list = |rank: fn(&ScriptUse) -> Option<i64>| {
        let mut ranked: Vec<_> = scripts.iter().filter_map(|row| Some((rank(row)?, row))).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        let views = ranked.into_iter().take(LENGTH).filter_map(|(_, row)| {
            Some(UsedScript {
                app: row.app.clone()?,
                kind: row.kind.clone(),
                count: row.runs,
                count_before: previous.map(|_| row.before),
                share: Rate::of(row.runs, total_installs),
                failure_rate: Rate::of(row.failed, row.success + row.failed),
                first_seen_day: previous.and(row.first_day),
            })
        });
        views.collect::<Vec<_>>()
    };
    let compared = |rank| if previous.is_some() { list(rank) } else { Vec::new() };
    Popular {
        as_of,
        previous_from: previous.map(|(from, _)| from),
        previous_to: previous.map(|(_, to)| to),
        total_scripts,
        total_installs,
        total_installs_before: previous.map(|_| before),
        most_used: list(|row| row.most_used),
        least_used: list(|row| row.least_used),
        rising: compared(|row| row.rising),
        new: compared(|row| row.new),
    }
}
