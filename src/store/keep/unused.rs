//! Deletes what no run has any more: rollup rows that count nothing, populations and templates under which nothing is
//! counted. They contain names, and an erased run must not leave its names behind.
//!
//! Erasing does this for the days of the erased runs. A pass over all days follows every hour: a run that changes, for
//! example because a later event names another application, leaves such rows as well.
//!
//! The exclusive lock of the erasures keeps a writer from using a population while it is deleted. Names that the
//! rollups of expired runs count stay, because rollups stay.

use chrono::NaiveDate;
use sqlx::{Connection, PgConnection};

use crate::store::write::erasures;

/// Populations and signatures that may be unused.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    pub(crate) populations: Vec<i32>,
    pub(crate) signatures: Vec<i64>,
}

/// Deletes the rows of days that count nothing. The transaction holds the lock of the erasures.
///
/// # Errors
/// Any error from the database.
pub(crate) async fn delete_zero_rows(
    transaction: &mut PgConnection,
    days: &[NaiveDate],
) -> sqlx::Result<Candidates> {
    let named = sqlx::query_file_as!(Candidates, "src/store/sql/keep/delete_zero_rows.sql", days);
    named.fetch_one(transaction).await
}

/// Deletes those of the candidates under which nothing is counted. The transaction holds the lock of the erasures.
///
/// # Errors
/// Any error from the database.
pub(crate) async fn delete_candidates(
    transaction: &mut PgConnection,
    candidates: &Candidates,
) -> sqlx::Result<()> {
    let Candidates { populations, signatures } = candidates;
    if populations.is_empty() && signatures.is_empty() {
        return Ok(());
    }
    let delete = sqlx::query_file!("src/store/sql/keep/delete_unused.sql", populations, signatures);
    delete.execute(transaction).await.map(drop)
}

/// Deletes everything that counts nothing and is counted nowhere, a day per transaction: writers wait for each.
///
/// # Errors
/// Any error from the database; the days before it are done.
pub async fn delete_unused(connection: &mut PgConnection) -> sqlx::Result<()> {
    let days = sqlx::query_file_scalar!("src/store/sql/keep/days_with_zero_rows.sql");
    for day in days.fetch_all(&mut *connection).await? {
        let mut transaction = connection.begin().await?;
        erasures::lock(&mut transaction).await?;
        delete_zero_rows(&mut transaction, &[day]).await?;
        transaction.commit().await?;
    }
    // Looks for them without the lock, which takes long, and again under it.
    let unused = sqlx::query_file_as!(Candidates, "src/store/sql/keep/unused.sql");
    let unused = unused.fetch_one(&mut *connection).await?;
    let mut transaction = connection.begin().await?;
    erasures::lock(&mut transaction).await?;
    delete_candidates(&mut transaction, &unused).await?;
    transaction.commit().await
}
