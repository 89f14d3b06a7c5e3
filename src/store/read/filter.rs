//! The filter that every count and list has in common.

use chrono::NaiveDate;
use sqlx::PgConnection;

/// Selects executions. A `None` does not restrict.
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

impl Filter {
    /// The first and the last day; a missing one is replaced by `EARLIEST` or `LATEST`.
    #[must_use]
    pub fn days(&self) -> (NaiveDate, NaiveDate) {
        (self.from.unwrap_or(EARLIEST), self.to.unwrap_or(LATEST))
    }

    /// The ids of the populations that the filter selects, or `None` if it selects all. With `hides_rare` a rare slug
    /// or platform selects none.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn populations(
        &self,
        connection: &mut PgConnection,
        hides_rare: bool,
    ) -> sqlx::Result<Option<Vec<i32>>> {
        let Self { repo, slug, kind, platform, .. } = self;
        if [repo, slug, kind, platform].iter().all(|field| field.is_none()) {
            return Ok(None);
        }
        let ids = sqlx::query_scalar!(
            "select id from population
             where ($1::text is null or repo = $1) and ($2::text is null or slug = $2)
                 and ($3::text is null or kind = $3) and ($4::text is null or platform = $4)
                 and (not $5 or $2 is null or exists (
                     select from known_name where known_name.kind = 'slug' and name = $2 and detail = ''))
                 and (not $5 or $4 is null or exists (
                     select from known_name where known_name.kind = 'platform' and name = $4 and detail = ''))",
            repo.as_deref(),
            slug.as_deref(),
            kind.as_deref(),
            platform.as_deref(),
            hides_rare
        );
        ids.fetch_all(connection).await.map(Some)
    }
}

/// No execution is older.
pub(crate) const EARLIEST: NaiveDate = NaiveDate::from_ymd_opt(2000, 1, 1).expect("a day");
/// No execution is newer.
pub(crate) const LATEST: NaiveDate = NaiveDate::from_ymd_opt(2200, 1, 1).expect("a day");
