//! Checks the clock before executions expire. With a clock that is years ahead, every execution would expire.
//!
//! The clock of the server is compared with that of the database. Both may be the same, so the stored runs are
//! checked as well: in normal operation runs arrive every day. A month without runs means that the clock jumped
//! ahead or that the server was out of use. In both cases nothing is deleted before a week of runs has followed,
//! and the runs just before the silence stay until the silence itself is older than the retention period.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use sqlx::PgConnection;

/// Largest accepted difference of the two clocks.
const MAX_DIFFERENCE: TimeDelta = TimeDelta::hours(1);
/// Longest time without a run that is not a silence, in days.
const QUIET_DAYS: i32 = 30;
/// Days with runs after a silence until the clock is trusted.
const TRUST_DAYS: i32 = 7;

/// A reason to delete nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The clocks of server and database differ.
    ClocksDiffer,
    /// There was no run for a long time.
    LongSilence,
}

impl Doubt {
    /// All reasons.
    pub const ALL: [Self; 2] = [Self::ClocksDiffer, Self::LongSilence];

    /// The name in the log and the metric.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ClocksDiffer => "clocks_differ",
            Self::LongSilence => "long_silence",
        }
    }
}

/// A reason against deleting the executions of all days before this one; `None` also if there are none.
///
/// # Errors
/// Any error from the database.
pub async fn reason_to_wait(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    day: NaiveDate,
) -> sqlx::Result<Option<Doubt>> {
    let end = day.and_time(NaiveTime::MIN).and_utc();
    let state = sqlx::query!(
        "select clock_timestamp() as \"now!\", (select max(first_seen) from execution where first_seen < $1) as newest",
        end
    );
    let state = state.fetch_one(&mut *connection).await?;
    let Some(newest) = state.newest else { return Ok(None) };
    if (state.now - now).abs() > MAX_DIFFERENCE {
        return Ok(Some(Doubt::ClocksDiffer));
    }
    let silence = sqlx::query_file_scalar!(
        "src/store/sql/keep/is_after_silence.sql",
        newest.date_naive(),
        now.date_naive(),
        QUIET_DAYS,
        TRUST_DAYS
    );
    Ok(silence.fetch_one(connection).await?.then_some(Doubt::LongSilence))
}
