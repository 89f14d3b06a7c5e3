//! Whether the clock can be believed when something is to be deleted for its age. A clock that runs years ahead
//! makes everything old.
//!
//! The clock of the server is compared with that of the database. Both may be one and the same, so the
//! runs are asked as well: somebody always installs something. A silence of a month is either one of the clock, which
//! has jumped over it, or the server was out of use. In both cases nothing goes before there was a week of runs
//! since, and never what was there just before the silence, until the silence itself is older than what is kept.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use sqlx::PgConnection;

/// How far the two clocks may be apart.
const MAX_DIFFERENCE: TimeDelta = TimeDelta::hours(1);
/// Days without a run that are no silence yet.
const QUIET_DAYS: i32 = 30;
/// Days with runs after a silence until the clock is believed.
const TRUST_DAYS: i32 = 7;

/// Why nothing is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The clocks of server and database differ.
    ClocksDiffer,
    /// There was no run for long.
    LongSilence,
}

impl Doubt {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ClocksDiffer, Self::LongSilence];

    /// For the log and the metric.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ClocksDiffer => "clocks_differ",
            Self::LongSilence => "long_silence",
        }
    }
}

/// What speaks against deleting the executions of all days before this one, now; `None` also if there are none.
///
/// # Errors
/// What the database says.
pub async fn doubt(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    day: NaiveDate,
) -> sqlx::Result<Option<Doubt>> {
    let end = day.and_time(NaiveTime::MIN).and_utc();
    let asked = sqlx::query!(
        "select clock_timestamp() as \"now!\", (select max(first_seen) from execution where first_seen < $1) as newest",
        end
    );
    let asked = asked.fetch_one(&mut *connection).await?;
    let Some(newest) = asked.newest else { return Ok(None) };
    if (asked.now - now).abs() > MAX_DIFFERENCE {
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
