//! Checks the clock before executions expire. With a clock that is years ahead, every execution would expire.
//!
//! The clock of the server is compared with that of the database. Both may be the same, so the stored runs are
//! checked as well: in normal operation runs arrive every day. A month without runs means that the clock jumped
//! ahead or that the server was out of use. In both cases nothing is deleted before a week has passed with runs, and
//! the silence that follows the newest run to be deleted does not count as time: the runs before it are kept for its
//! length in addition. So they are kept long enough if the clock jumped, and expire a little later where few runs
//! arrive and such pauses recur.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use sqlx::PgConnection;

/// Largest accepted difference of the two clocks.
const MAX_DIFFERENCE: TimeDelta = TimeDelta::hours(1);
/// Longest time without a run that is not a silence, in days.
const QUIET_DAYS: i32 = 30;
/// Days after a silence until the clock is trusted.
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

/// The day before which executions may be deleted, if those before `day` have expired by the clock: `day`, an earlier
/// day, or a reason to delete nothing.
///
/// # Errors
/// Any error from the database.
pub async fn deletable_before(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    day: NaiveDate,
) -> sqlx::Result<Result<NaiveDate, Doubt>> {
    let end = day.and_time(NaiveTime::MIN).and_utc();
    let state = sqlx::query!(
        "select clock_timestamp() as \"now!\", (select max(first_seen) from execution where first_seen < $1) as newest",
        end
    );
    let state = state.fetch_one(&mut *connection).await?;
    let Some(newest) = state.newest else { return Ok(Ok(day)) };
    if (state.now - now).abs() > MAX_DIFFERENCE {
        return Ok(Err(Doubt::ClocksDiffer));
    }
    let silences = sqlx::query_file!(
        "src/store/sql/keep/silences.sql",
        newest.date_naive(),
        now.date_naive(),
        QUIET_DAYS,
        TRUST_DAYS
    );
    let silences = silences.fetch_one(connection).await?;
    if silences.is_recent {
        return Ok(Err(Doubt::LongSilence));
    }
    let silent_days = Days::new(silences.following_days.unsigned_abs().into());
    Ok(Ok(day.checked_sub_days(silent_days).unwrap_or(NaiveDate::MIN)))
}
