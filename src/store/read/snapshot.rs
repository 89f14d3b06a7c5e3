//! The read side: rollups for every number, rows only for lists.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgPool, Postgres, Transaction};

use crate::ingest::execution::Execution;
use crate::ingest::identity::RunKey;
use crate::store::keep::sums::{Cover, SHORTEST, Sealed, bounds, cover, ready};
use crate::store::model::row::Stored;

/// Counts that are made from the sums over spans of days and from the rollups of the other days: their
/// queries have the same first parameters, of which the cover and the filter are made.
macro_rules! over_sums {
    ($($(#[$doc:meta])* $name:ident($($more:ident: $type:ty),*) -> $row:ident of $cover:ident in $file:tt;)+) => {
        impl Snapshot<'_> {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// What the database says.
                pub async fn $name(&mut self $(, $more: $type)*) -> sqlx::Result<Vec<$row>> {
                    let (cover, f) = (self.$cover().await?, self.filter);
                    sqlx::query_file_as!(
                        $row,
                        $file,
                        &cover.days,
                        &cover.spans,
                        f.repo.as_deref(),
                        f.slug.as_deref(),
                        f.kind.as_deref(),
                        f.platform.as_deref()
                        $(, $more as _)*
                    )
                    .fetch_all(&mut *self.transaction)
                    .await
                }
            )+
        }
    };
}
pub(crate) use over_sums;

/// Statement that starts a snapshot.
pub(crate) const BEGIN_SNAPSHOT: &str = "begin transaction isolation level repeatable read read only";
/// Most attempts of one session that are returned.
const MAX_ATTEMPTS: i64 = 100;

/// Which executions are meant. A `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// First UTC day.
    pub from: Option<NaiveDate>,
    /// Last UTC day.
    pub to: Option<NaiveDate>,
    /// `ProxmoxVE`, `ProxmoxVED` or `external`.
    pub repo: Option<String>,
    /// `owner/name`.
    pub slug: Option<String>,
    /// `lxc`, `vm`, `addon`, `pve`, `turnkey`.
    pub kind: Option<String>,
    /// `pve`, `incus`.
    pub platform: Option<String>,
}

/// What is stored about an id: the execution with this key and the attempts of the session with
/// this key, newest first.
///
/// # Errors
/// What the database says.
pub async fn runs(pool: &PgPool, key: RunKey) -> sqlx::Result<Vec<Execution>> {
    let rows = sqlx::query_scalar!(
        "select execution as \"row!: Stored\" from execution where run_key = $1 or session_key = $1
         order by first_seen desc, run_key limit $2",
        key.0,
        MAX_ATTEMPTS
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| row.execution).collect())
}

/// Whether the database answers.
///
/// # Errors
/// What it says instead.
pub async fn ping(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query!("select 1 as one").fetch_one(pool).await.map(drop)
}

/// A first and a last day.
type Bounds = (NaiveDate, NaiveDate);

/// One snapshot of the database, so that all parts of an answer describe the same moment.
#[derive(Debug)]
pub struct Snapshot<'a> {
    pub(crate) transaction: Transaction<'static, Postgres>,
    pub(crate) filter: &'a Filter,
    /// The spans that are added up, and the first and the last day of all.
    known: Option<(Vec<Sealed>, Option<Bounds>)>,
}

impl<'a> Snapshot<'a> {
    /// Opens a snapshot of the executions that `filter` selects. Waits while all connections are in use.
    ///
    /// # Errors
    /// Any error from the database, or that no connection was free in time.
    pub async fn open(pool: &PgPool, filter: &'a Filter) -> sqlx::Result<Self> {
        let transaction = pool.begin_with(BEGIN_SNAPSHOT).await?;
        Ok(Self { transaction, filter, known: None })
    }

    /// Of what the days of the filter consist, but for spans that `leaves_out` and those of more than
    /// `longest` days.
    async fn cover_with(
        &mut self,
        dates: (Option<NaiveDate>, Option<NaiveDate>),
        longest: i32,
        leaves_out: impl Fn(&Sealed) -> bool,
    ) -> sqlx::Result<Cover> {
        if self.known.is_none() {
            let sealed = ready(&mut self.transaction).await?;
            self.known = Some((sealed, bounds(&mut self.transaction).await?));
        }
        let Some((sealed, Some((first, last)))) = &self.known else { return Ok(Cover::default()) };
        let period =
            (dates.0.map_or(*first, |from| from.max(*first)), dates.1.map_or(*last, |to| to.min(*last)));
        Ok(cover(sealed.iter().filter(|span| !leaves_out(span)), period, longest))
    }

    /// Of what the days of the filter consist.
    pub(crate) async fn cover(&mut self) -> sqlx::Result<Cover> {
        self.cover_with((self.filter.from, self.filter.to), i32::MAX, |_| false).await
    }

    /// The same, of spans in which no open run has had an event since.
    pub(crate) async fn cover_before(&mut self, running_since: DateTime<Utc>) -> sqlx::Result<Cover> {
        let dates = (self.filter.from, self.filter.to);
        self.cover_with(dates, i32::MAX, |span| span.last_open_hour >= running_since).await
    }

    /// The same, of spans that know their days.
    pub(crate) async fn cover_by_day(&mut self) -> sqlx::Result<Cover> {
        self.cover_with((self.filter.from, self.filter.to), SHORTEST, |_| false).await
    }

    /// Of what all days consist.
    pub(crate) async fn cover_all(&mut self) -> sqlx::Result<Cover> {
        self.cover_with((None, None), i32::MAX, |_| false).await
    }

    /// The time for which everything that is read here is true.
    ///
    /// # Errors
    /// What the database says.
    pub async fn as_of(&mut self) -> sqlx::Result<DateTime<Utc>> {
        // A replica is as fresh as the last transaction that it has replayed.
        let time = sqlx::query_scalar!(
            "select case when pg_is_in_recovery() then coalesce(pg_last_xact_replay_timestamp(), now())
                 else now() end as \"as_of!\""
        );
        time.fetch_one(&mut *self.transaction).await
    }

    /// Ends the snapshot. Dropping it does the same later.
    ///
    /// # Errors
    /// What the database says.
    pub async fn close(self) -> sqlx::Result<()> {
        self.transaction.rollback().await
    }
}
