//! Series over time, by group.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::execution_view::rfc3339;
use crate::expose::numbers::Rate;
use crate::expose::table::{Format, Lists, table};
use crate::store::model::facet::Facet;
use crate::store::read::series::{Moment, Source};

/// The quantity of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Runs with this outcome; with any outcome if it is empty.
    Runs(&'static str),
    /// Failed runs among successful and failed runs.
    FailureRate,
}

impl Metric {
    /// The outcomes that the metric distinguishes.
    #[must_use]
    pub fn outcomes(&self) -> &[&'static str] {
        match self {
            Self::Runs("") => &[],
            Self::Runs(outcome) => std::slice::from_ref(outcome),
            Self::FailureRate => &["success", "failed"],
        }
    }
}

/// All metrics by name.
pub const METRICS: [(&str, Metric); 6] = [
    ("runs", Metric::Runs("")),
    ("success", Metric::Runs("success")),
    ("failed", Metric::Runs("failed")),
    ("blocked", Metric::Runs("blocked")),
    ("aborted", Metric::Runs("aborted")),
    ("failure_rate", Metric::FailureRate),
];

/// All groups by name, with the source of their counts.
pub const GROUPS: [(&str, Source); 17] = [
    ("none", Source::Days),
    ("outcome", Source::Days),
    ("app", Source::Scripts),
    ("type", Source::Days),
    ("repo", Source::Days),
    ("platform", Source::Days),
    (Facet::Os.as_str(), Source::Facets),
    (Facet::PveVersion.as_str(), Source::Facets),
    (Facet::Method.as_str(), Source::Facets),
    (Facet::Arch.as_str(), Source::Facets),
    (Facet::CpuVendor.as_str(), Source::Facets),
    (Facet::Cores.as_str(), Source::Facets),
    (Facet::Ram.as_str(), Source::Facets),
    (Facet::Disk.as_str(), Source::Facets),
    (Facet::Privilege.as_str(), Source::Facets),
    (Facet::Generation.as_str(), Source::Facets),
    (Facet::Template.as_str(), Source::Facets),
];

/// The groups that are also counted by hour.
pub const HOURLY_GROUPS: [&str; 5] = ["none", "outcome", "type", "repo", "platform"];

/// The length of time that a point covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// An hour.
    Hour,
    /// A UTC day.
    Day,
    /// A week that begins on Monday.
    Week,
}

impl Bucket {
    /// All buckets by name, with the most days that a series may cover.
    pub const ALL: [(&'static str, Self, i64); 3] =
        [("hour", Self::Hour, 31), ("day", Self::Day, 1100), ("week", Self::Week, 3661)];

    /// The beginning of each point of a period.
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

/// The parameters of a series.
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

/// Series over time, one for each group.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Timeseries {
    /// The time at which the answer was true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// The requested metric.
    pub metric: &'static str,
    /// The requested group.
    pub group: &'static str,
    /// The requested bucket.
    pub bucket: &'static str,
    /// The groups with the most runs, and all others together as `other`.
    pub series: Vec<GroupSeries>,
}

/// A point as a row of a table. A count has no numerator and denominator.
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

/// The series of one group.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GroupSeries {
    /// Name of the group; `all` without grouping, empty for runs that did not report the property. A group of
    /// `template` is `tarball` or `oci`, followed by `+entrypoint` for a custom entry point and `+network` for
    /// a network that the host manages. Only runs of newer clients are in a group of `template`, and
    /// only those in containers in a group of `privilege`. Groups of `ram` are in MB, those of `disk` in GB.
    pub group: String,
    /// Points without gaps.
    pub points: Vec<Point>,
}

/// One point of a series.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Point {
    /// Beginning of the bucket.
    #[serde(serialize_with = "rfc3339")]
    pub at: DateTime<Utc>,
    /// Number of runs, or a rate with its numerator and denominator.
    pub value: Value,
}

/// A count or a rate.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Value {
    /// Number of runs.
    Count(i64),
    /// A share of the runs.
    Rate(Rate),
}

/// Builds the answer.
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
