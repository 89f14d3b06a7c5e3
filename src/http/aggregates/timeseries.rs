//! `/api/timeseries`: a metric over time, by group.

#![allow(unused_qualifications, reason = "utoipa generates the paths")]

use actix_web::HttpResponse;
use serde::Deserialize;
use utoipa::IntoParams;

use super::days_shown;
use crate::expose::timeseries::{
    Bucket, GROUPS, HOURLY_GROUPS, METRICS, Metric, Question, Timeseries, timeseries,
};
use crate::http::error::ApiError;
use crate::http::reply::described::CachedResponses;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::{FilterParameters, ListParameters};
use crate::store::read::series::Source;
use crate::store::read::snapshot::Snapshot;

/// Groups with a series of their own.
const SERIES: i64 = 10;

/// The parameters of [`show`] besides the common ones.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SeriesParameters {
    /// `runs` (default), `success`, `failed`, `blocked`, `aborted` or `failure_rate`.
    metric: Option<String>,
    /// `none` (default), `outcome`, `app`, `type`, `repo`, `platform`, `os`, `pve_version`, `method`, `arch`,
    /// `cpu_vendor`, `cores`, `ram`, `disk`, `privilege`, `generation` or `template` (the source of the container, of
    /// runs that report it). With `bucket=hour` one of the first six, without `app`.
    group: Option<String>,
    /// `day` (default, up to 1100 days), `hour` (up to 31 days) or `week`.
    bucket: Option<String>,
}

/// A valid choice of parameters.
#[derive(Clone, Copy, Debug)]
struct Choice {
    metric: (&'static str, Metric),
    group: &'static str,
    source: Source,
    bucket: (&'static str, Bucket),
    max_days: i64,
}

impl SeriesParameters {
    fn check(&self) -> Result<Choice, ApiError> {
        let bad = |name, reason| ApiError::BadParameter { name, reason };
        let metric = one_of(
            self.metric.as_deref(),
            &METRICS,
            |metric| metric.0,
            bad("metric", "must be runs, success, failed, blocked, aborted or failure_rate"),
        )?;
        let (group, source) = one_of(
            self.group.as_deref(),
            &GROUPS,
            |group| group.0,
            bad(
                "group",
                "must be none, outcome, app, type, repo, platform, os, pve_version, method, arch, cpu_vendor, \
                 cores, ram, disk, privilege, generation or template",
            ),
        )?;
        let [hour, day, week] = Bucket::ALL;
        let (name, bucket, max_days) = one_of(
            self.bucket.as_deref(),
            &[day, hour, week],
            |bucket| bucket.0,
            bad("bucket", "must be hour, day or week"),
        )?;
        let is_hourly = bucket == Bucket::Hour;
        if is_hourly && !HOURLY_GROUPS.contains(&group) {
            return Err(bad("group", "must be none, outcome, type, repo or platform with bucket=hour"));
        }
        let source = if is_hourly { Source::Hours } else { source };
        Ok(Choice { metric, group, source, bucket: (name, bucket), max_days })
    }
}

/// The entry of `list` with this name; the first one without a name.
fn one_of<T: Copy>(
    wanted: Option<&str>,
    list: &[T],
    name: impl Fn(&T) -> &str,
    bad: ApiError,
) -> Result<T, ApiError> {
    match wanted {
        None | Some("") => list.first(),
        Some(wanted) => list.iter().find(|known| name(known) == wanted),
    }
    .copied()
    .ok_or(bad)
}

/// A metric over time
///
/// One series for each of the ten largest groups, and one for the rest.
#[utoipa::path(
    get,
    path = "/api/timeseries",
    operation_id = "timeseries",
    tag = "aggregates",
    security((), ("token" = [])),
    params(FilterParameters, ListParameters, SeriesParameters),
    responses((status = 200, description = "The series", body = Timeseries), CachedResponses)
)]
pub async fn show(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let choice = request.parameters::<SeriesParameters>()?.check()?;
    request.answer(&request.filter()?, choice, async |_, snapshot| read(snapshot, choice).await).await
}

async fn read(snapshot: &mut Snapshot<'_>, choice: Choice) -> Result<Timeseries, ApiError> {
    let Choice { metric, group, source, bucket, max_days } = choice;
    let as_of = snapshot.as_of().await?;
    let first_with_data = match snapshot.filter.from {
        Some(_) => None,
        None => snapshot.history().await?.first_day,
    };
    let days = days_shown(&snapshot.filter, as_of, first_with_data);
    if (days.1 - days.0).num_days() >= max_days {
        let reason = "must be longer for this period: hour covers 31 days, day 1100";
        return Err(ApiError::BadParameter { name: "bucket", reason });
    }
    let rows = snapshot.series(source, group, bucket.0, SERIES, metric.1.outcomes()).await?;
    Ok(timeseries(as_of, &Question { metric, group, bucket, days }, &rows))
}
