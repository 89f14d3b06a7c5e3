//! Sessions, and what trying again was good for.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::execution::rfc3339;
use crate::expose::table::lists;
use crate::store::read::counts::SessionCount;

/// Scripts in the list.
const SCRIPTS: usize = 100;

/// Sessions of a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct SessionTotals {
    /// Sessions whose first attempt lies in the period.
    pub sessions: i64,
    /// Those with more than one attempt.
    pub retried: i64,
    /// Those in which an attempt succeeded that began after one that failed.
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

/// The answer. It is true for the time at which sessions were counted last, at most about a minute ago.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Sessions {
    /// That time.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// All together.
    #[serde(flatten)]
    pub total: SessionTotals,
    /// Days with sessions.
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
    /// Script.
    pub app: String,
    /// Its sessions.
    #[serde(flatten)]
    pub total: SessionTotals,
}

/// Puts the answer together.
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
