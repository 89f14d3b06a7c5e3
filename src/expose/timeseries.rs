//! Series over time, by group.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::execution::rfc3339;
use crate::expose::numbers::Rate;
use crate::expose::table::{Format, Lists, table};
use crate::store::read::series::{Moment, Source};

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Runs with one of these outcomes; empty: with any.
    Runs(&'static str),
    /// Failed among succeeded and failed runs.
    FailureRate,
}

impl Metric {
    /// The outcomes that it tells apart.
    #[must_use]
    pub fn outcomes(&self) -> &[&'static str] {
        match self {
            Self::Runs("") => &[],
            Self::Runs(outcome) => std::slice::from_ref(outcome),
            Self::FailureRate => &["success", "failed"],
        }
    }
}

/// The names of all metrics.
pub const METRICS: [(&str, Metric); 6] = [
    ("runs", Metric::Runs("")),
    ("success", Metric::Runs("success")),
    ("failed", Metric::Runs("failed")),
    ("blocked", Metric::Runs("blocked")),
    ("aborted", Metric::Runs("aborted")),
    ("failure_rate", Metric::FailureRate),
];

/// The names of all groups, and from what they are made.
pub const GROUPS: [(&str, Source); 13] = [
    ("none", Source::Days),
    ("outcome", Source::Days),
    ("app", Source::Scripts),
    ("type", Source::Days),
    ("repo", Source::Days),
    ("platform", Source::Days),
    ("os", Source::Facets),
    ("pve_version", Source::Facets),
    ("method", Source::Facets),
    ("arch", Source::Facets),
    ("cpu_vendor", Source::Facets),
    ("generation", Source::Facets),
    ("template", Source::Facets),
];

/// The groups that are also known by the hour.
pub const HOURLY_GROUPS: [&str; 5] = ["none", "outcome", "type", "repo", "platform"];

/// The length of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// An hour.
    Hour,
    /// A UTC day.
    Day,
    /// A week from Monday.
    Week,
}

impl Bucket {
    /// All with their names and the most days that they may cover.
    pub const ALL: [(&'static str, Self, i64); 3] =
        [("hour", Self::Hour, 31), ("day", Self::Day, 1100), ("week", Self::Week, 3661)];

    /// The points of a period: their beginnings.
    fn moments(self, first: NaiveDate, last: NaiveDate) -> Vec<DateTime<Utc>> {
        let first = match self {
            Self::Week => first - Days::new(first.weekday().num_days_from_monday().into()),
            _ => first,
        };
        let step = match self {
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
            Self::Week => TimeDelta::weeks(1),
        };
        let end = (last + Days::new(1)).and_time(NaiveTime::MIN).and_utc();
        let start = first.and_time(NaiveTime::MIN).and_utc();
        std::iter::successors(Some(start), |moment| Some(*moment + step)).take_while(|at| *at < end).collect()
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Name of the metric, and the metric.
    pub metric: (&'static str, Metric),
    /// Name of the group.
    pub group: &'static str,
    /// Name of the bucket, and the bucket.
    pub bucket: (&'static str, Bucket),
    /// First and last day.
    pub days: (NaiveDate, NaiveDate),
}

/// The answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Timeseries {
    /// For when it is true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// As asked for.
    pub metric: &'static str,
    /// As asked for.
    pub group: &'static str,
    /// As asked for.
    pub bucket: &'static str,
    /// The largest groups by runs, and the others together as `other`.
    pub series: Vec<GroupSeries>,
}

/// A point as a row: a count has no numerator and denominator.
#[derive(Serialize)]
struct PointRow<'a> {
    group: &'a str,
    #[serde(serialize_with = "rfc3339")]
    at: DateTime<Utc>,
    value: Option<f64>,
    numerator: Option<i64>,
    denominator: Option<i64>,
}

impl Lists for Timeseries {
    const NAMES: &'static [&'static str] = &["series"];

    fn list(&self, _: &str, format: Format) -> Result<Vec<u8>, serde_json::Error> {
        let points = self.series.iter().flat_map(|series| series.points.iter().map(move |at| (series, at)));
        let rows = points.map(|(series, point)| {
            let (value, of) = match point.value {
                Value::Count(runs) => (Some(runs as f64), None),
                Value::Rate(rate) => (rate.rate, Some((rate.numerator, rate.denominator))),
            };
            let (numerator, denominator) = of.unzip();
            PointRow { group: &series.group, at: point.at, value, numerator, denominator }
        });
        table(&rows.collect::<Vec<_>>(), format, true)
    }
}

/// One group.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GroupSeries {
    /// Its name; `all` without groups, empty where it was not told. Of `template`: `tarball` or `oci`, with
    /// `+entrypoint` for another entry point than that of the image, `+network` for a network that the host
    /// manages, or both. Only newer clients tell that; other runs are in no group of it.
    pub group: String,
    /// Its points, without gaps.
    pub points: Vec<Point>,
}

/// One point.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Point {
    /// Its beginning.
    #[serde(serialize_with = "rfc3339")]
    pub at: DateTime<Utc>,
    /// Runs, or a rate with what it was made from.
    pub value: Value,
}

/// A count or a rate.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Value {
    /// Runs.
    Count(i64),
    /// A share of them.
    Rate(Rate),
}

/// Puts the answer together.
#[must_use]
pub fn timeseries(as_of: DateTime<Utc>, question: &Question, rows: &[Moment]) -> Timeseries {
    let metric = question.metric.1;
    let moments = question.bucket.1.moments(question.days.0, question.days.1);
    let mut groups = BTreeMap::<Option<&str>, (i64, BTreeMap<DateTime<Utc>, (i64, i64)>)>::new();
    for row in rows {
        let (total, points) = groups.entry(row.name.as_deref()).or_default();
        *total += row.runs;
        let point = points.entry(row.moment).or_default();
        let (counts, among) = match metric {
            Metric::Runs(outcome) => (outcome.is_empty() || outcome == row.outcome, false),
            Metric::FailureRate => {
                (row.outcome == "failed", matches!(row.outcome.as_str(), "failed" | "success"))
            }
        };
        point.0 += i64::from(counts) * row.runs;
        point.1 += i64::from(among) * row.runs;
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(name, (total, _))| (name.is_none(), -total));
    let series = groups.into_iter().map(|(name, (_, points))| GroupSeries {
        group: match (question.group, name) {
            ("none", _) => "all".to_owned(),
            (_, Some(name)) => name.to_owned(),
            (_, None) => "other".to_owned(),
        },
        points: moments
            .iter()
            .map(|at| {
                let (numerator, denominator) = points.get(at).copied().unwrap_or_default();
                let value = match metric {
                    Metric::Runs(_) => Value::Count(numerator),
                    Metric::FailureRate => Value::Rate(Rate::of(numerator, denominator)),
                };
                Point { at: *at, value }
            })
            .collect(),
    });
    let (metric, group, bucket) = (question.metric.0, question.group, question.bucket.0);
    Timeseries { as_of, metric, group, bucket, series: series.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_a_point_for_every_bucket() {
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        let count = |bucket: Bucket| bucket.moments(day("2026-03-04"), day("2026-03-10")).len();
        assert_eq!([Bucket::Hour, Bucket::Day, Bucket::Week].map(count), [168, 7, 2]);
        let weeks = Bucket::Week.moments(day("2026-03-04"), day("2026-03-10"));
        assert_eq!(weeks[0].to_rfc3339(), "2026-03-02T00:00:00+00:00");
    }
}
