//! Sessions, and how often a retry succeeds.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::execution_view::rfc3339;
use crate::expose::table::lists;
use crate::store::read::counts::SessionCount;

/// Most scripts in the list.
const SCRIPTS: usize = 100;

/// Counts of sessions. A session is one person's attempts at one script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct SessionTotals {
    /// Sessions whose first attempt lies in the period.
    pub sessions: i64,
    /// Sessions with more than one attempt.
    pub retried: i64,
    /// Sessions in which an attempt failed and a later one succeeded.
    pub saved: i64,
}

impl SessionTotals {
    /// The sum over the scripts.
    #[must_use]
    pub fn of(rows: &[SessionCount]) -> Self {
        rows.iter().filter(|row| row.app.is_some()).fold(Self::default(), |sum, row| Self {
            sessions: sum.sessions + row.sessions,
            retried: sum.retried + row.retried,
            saved: sum.saved + row.saved,
        })
    }
}

/// Sessions by day and by script. They are counted every 15 to 60 seconds.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Sessions {
    /// The time of the last count.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// Totals of the period.
    #[serde(flatten)]
    pub total: SessionTotals,
    /// Days that have sessions.
    pub days: Vec<SessionDay>,
    /// The scripts with the most sessions.
    pub scripts: Vec<SessionScript>,
}

lists!(Sessions: days, scripts);

/// Sessions that began on a day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionDay {
    /// UTC day.
    pub date: NaiveDate,
    /// Its sessions.
    #[serde(flatten)]
    pub total: SessionTotals,
}

/// Sessions of a script.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionScript {
    /// Name of the script.
    pub app: String,
    /// Its sessions.
    #[serde(flatten)]
    pub total: SessionTotals,
}

/// Builds the answer.
#[must_use]
pub fn sessions(as_of: DateTime<Utc>, rows: &[SessionCount]) -> Sessions {
    let total =
        |row: &SessionCount| SessionTotals { sessions: row.sessions, retried: row.retried, saved: row.saved };
    let day = |row: &SessionCount| Some(SessionDay { date: row.day?, total: total(row) });
    let script = |row: &SessionCount| Some(SessionScript { app: row.app.clone()?, total: total(row) });
    Sessions {
        as_of,
        total: SessionTotals::of(rows),
        days: rows.iter().filter_map(day).collect(),
        scripts: rows.iter().filter_map(script).take(SCRIPTS).collect(),
    }
}
