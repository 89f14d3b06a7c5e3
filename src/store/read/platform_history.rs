//! The history of each script by platform, in which regressions are searched, and the failures of those found.

use chrono::NaiveDate;
use sqlx::PgConnection;

use crate::store::read::snapshot::{Snapshot, ViewSelection};

/// First attempts of a script on one platform, by day.
#[derive(Debug)]
pub struct PlatformSeries {
    /// Script.
    pub app: String,
    /// `os`, `pve`.
    pub property: String,
    /// Family or version, or empty.
    pub value: String,
    /// UTC days, in any order.
    pub days: Vec<NaiveDate>,
    /// Failed attempts on each day.
    pub failed: Vec<i64>,
    /// Succeeded and failed attempts on each day.
    pub runs: Vec<i64>,
}

/// Failures of a script by signature.
#[derive(Debug)]
pub struct ReasonSignature {
    /// Script.
    pub app: String,
    /// Id.
    pub signature: i64,
    /// The title of the reason with its subject, or the failing line, masked.
    pub template: Option<String>,
    /// Id of the rule.
    pub reason: Option<String>,
    /// What the failure is about.
    pub subject: Option<String>,
    /// Kind of the failure.
    pub category: Option<String>,
    /// The side that has to act.
    pub blame: Option<String>,
    /// Failures before a day.
    pub before: i64,
    /// Failures on that day and later.
    pub after: i64,
}

/// Failures of a script by exit code.
#[derive(Debug)]
pub struct ReasonCode {
    /// Script.
    pub app: String,
    /// 0 to 255, or -1 for none.
    pub exit_code: i16,
    /// Generation of the client.
    pub generation: i16,
    /// Failures before a day.
    pub before: i64,
    /// Failures on that day and later.
    pub after: i64,
}

/// First attempts that succeeded or failed, by one property or by all.
///
/// # Errors
/// Any error from the database.
pub(crate) async fn platform_series(
    connection: &mut PgConnection,
    selection: &ViewSelection,
    property: Option<&str>,
) -> sqlx::Result<Vec<PlatformSeries>> {
    sqlx::query_file_as!(
        PlatformSeries,
        "src/store/sql/read/platform_history/regression_series.sql",
        selection as _,
        property
    )
    .fetch_all(connection)
    .await
}

impl Snapshot<'_> {
    /// First attempts that succeeded or failed, by one property or by all.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn platform_series(&mut self, property: Option<&str>) -> sqlx::Result<Vec<PlatformSeries>> {
        let selection = self.selection().await?;
        platform_series(&mut self.transaction, &selection, property).await
    }

    /// Failures of each of these scripts by signature and by exit code, before and since a day for each script.
    ///
    /// # Errors
    /// Any error from the database.
    pub async fn reasons(
        &mut self,
        apps: &[String],
        since: &[NaiveDate],
    ) -> sqlx::Result<(Vec<ReasonSignature>, Vec<ReasonCode>)> {
        let selection = self.selection().await?;
        let signatures = sqlx::query_file_as!(
            ReasonSignature,
            "src/store/sql/read/platform_history/reason_signatures.sql",
            &selection as _,
            apps,
            since
        );
        let signatures = signatures.fetch_all(&mut *self.transaction).await?;
        let codes = sqlx::query_file_as!(
            ReasonCode,
            "src/store/sql/read/platform_history/reason_codes.sql",
            &selection as _,
            apps,
            since
        );
        Ok((signatures, codes.fetch_all(&mut *self.transaction).await?))
    }
}
