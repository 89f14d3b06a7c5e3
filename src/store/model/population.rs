//! The ids of populations: a small table that each writer caches.

use sqlx::PgConnection;

use crate::store::model::rollup::PopulationKey;

/// Most populations in the cache. Slugs come from the wire, so their number is not bounded otherwise.
const REMEMBERED: usize = 10_000;

#[derive(Debug, PartialEq, Eq)]
struct Population {
    repo: String,
    slug: String,
    kind: String,
    platform: String,
    id: i32,
}

impl Population {
    fn key(&self) -> PopulationKey<'_> {
        PopulationKey { repo: &self.repo, slug: &self.slug, kind: &self.kind, platform: &self.platform }
    }
}

/// A cache of populations.
#[derive(Debug, Default)]
pub struct Populations {
    /// Sorted by key.
    known: Vec<Population>,
}

impl Populations {
    /// The id of a population; `None` unless [`Populations::load_or_insert`] or [`Populations::all`] loaded it.
    #[must_use]
    pub fn id(&self, key: PopulationKey<'_>) -> Option<i32> {
        let found = self.known.binary_search_by(|known| known.key().cmp(&key)).ok()?;
        self.known.get(found).map(|known| known.id)
    }

    /// Loads all populations.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn all(connection: &mut PgConnection) -> sqlx::Result<Self> {
        let mut known = sqlx::query_as!(Population, "select repo, slug, kind, platform, id from population")
            .fetch_all(connection)
            .await?;
        known.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
        Ok(Self { known })
    }

    /// Adds populations to the table, unless they are there, and loads their ids.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn load_or_insert(
        &mut self,
        connection: &mut PgConnection,
        keys: &[PopulationKey<'_>],
    ) -> sqlx::Result<()> {
        let mut missing: Vec<_> = keys.iter().copied().filter(|key| self.id(*key).is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        if self.known.len() > REMEMBERED {
            self.known.clear();
            missing = keys.to_vec();
        }
        missing.sort_unstable();
        missing.dedup();
        let repos: Vec<&str> = missing.iter().map(|key| key.repo).collect();
        let slugs: Vec<&str> = missing.iter().map(|key| key.slug).collect();
        let kinds: Vec<&str> = missing.iter().map(|key| key.kind).collect();
        let platforms: Vec<&str> = missing.iter().map(|key| key.platform).collect();
        sqlx::query!(
            "insert into population (repo, slug, kind, platform)
             select * from unnest($1::text[], $2::text[], $3::text[], $4::text[])
             on conflict do nothing",
            &repos as _,
            &slugs as _,
            &kinds as _,
            &platforms as _,
        )
        .execute(&mut *connection)
        .await?;
        let found = sqlx::query_as!(
            Population,
            "select repo, slug, kind, platform, id from population
             join unnest($1::text[], $2::text[], $3::text[], $4::text[]) as asked (repo, slug, kind, platform)
             using (repo, slug, kind, platform)",
            &repos as _,
            &slugs as _,
            &kinds as _,
            &platforms as _,
        )
        .fetch_all(connection)
        .await?;
        self.known.extend(found);
        self.known.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
        self.known.dedup();
        Ok(())
    }
}
