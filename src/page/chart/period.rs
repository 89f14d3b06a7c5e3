//! The periods that a chart over time distinguishes: days, or several days together if there are many.

use chrono::{Days, NaiveDate};

use crate::page::address::Address;

/// Most periods in a chart.
const MOST: i64 = 93;

/// A day, or several days in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// First UTC day.
    pub first: NaiveDate,
    /// Last UTC day.
    pub last: NaiveDate,
}

impl Period {
    /// Divides the days from `first` to `last` into at most 93 periods of a day, of one, two or four weeks, or of a year.
    #[must_use]
    pub fn divide(first: NaiveDate, last: NaiveDate) -> Vec<Self> {
        Self::divide_into(first, last, MOST)
    }

    /// As [`Self::divide`], into at most so many periods.
    #[must_use]
    pub fn divide_into(first: NaiveDate, last: NaiveDate, most: i64) -> Vec<Self> {
        let days = (last - first).num_days() + 1;
        let lengths = [1_u64, 7, 14, 28];
        let length = lengths.into_iter().find(|length| days <= most * *length as i64).unwrap_or(364);
        let starts = first.iter_days().step_by(length as usize).take_while(|day| *day <= last);
        let end = |start: NaiveDate| start.checked_add_days(Days::new(length - 1)).unwrap_or(last).min(last);
        starts.map(|start| Self { first: start, last: end(start) }).collect()
    }

    /// Whether a day is in the period.
    #[must_use]
    pub fn contains(&self, day: NaiveDate) -> bool {
        (self.first..=self.last).contains(&day)
    }

    /// The day, or the first and the last one.
    #[must_use]
    pub fn label(&self) -> String {
        if self.first == self.last {
            self.first.to_string()
        } else {
            format!("{} to {}", self.first, self.last)
        }
    }

    /// The address for this period.
    #[must_use]
    pub fn link(&self, address: &Address) -> String {
        let (first, last) = (self.first.to_string(), self.last.to_string());
        address.with(&[("days", ""), ("from", &first), ("to", &last)]).href()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_days_are_put_together() {
        let first = NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day");
        for (days, count, length) in [(1, 1, 1), (90, 90, 1), (365, 53, 7), (3660, 11, 364)] {
            let last = first + Days::new(days - 1);
            let periods = Period::divide(first, last);
            assert_eq!((periods.len(), periods[0].last), (count, (first + Days::new(length - 1)).min(last)));
            assert_eq!(periods.last().map(|period| period.last), Some(last));
        }
        let few = |days: u64| Period::divide_into(first, first + Days::new(days - 1), 46).len();
        assert_eq!([46, 90, 365].map(few), [46, 13, 27]);
    }
}
