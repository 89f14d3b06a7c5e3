//! Turns rows of the rollups into the series to compare.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::regression::proportion::Proportion;
use crate::regression::{Day, Scope, Series};
use crate::store::read::platform_history::PlatformSeries;

/// The series of each script and of its parts. The series of a script is the sum of those by operating system,
/// of which every execution has one, even if it is unknown.
#[must_use]
pub fn series(rows: &[PlatformSeries]) -> Vec<Series> {
    let mut all = BTreeMap::<(&str, Scope), BTreeMap<NaiveDate, Proportion>>::new();
    for row in rows {
        let is_os = row.property == "os";
        let part = match row.value.as_str() {
            "" => None,
            value => Some(if is_os { Scope::Os(value.to_owned()) } else { Scope::Pve(value.to_owned()) }),
        };
        for scope in part.into_iter().chain(is_os.then_some(Scope::Script)) {
            let days = all.entry((&row.app, scope)).or_default();
            for ((day, failed), runs) in row.days.iter().zip(&row.failed).zip(&row.runs) {
                let sum = days.entry(*day).or_default();
                *sum = sum.plus(Proportion::new(*failed, *runs));
            }
        }
    }
    let series = |((app, scope), days): ((&str, Scope), BTreeMap<_, _>)| {
        let days = days.into_iter().map(|(day, failed)| Day { day, failed }).collect();
        Series { app: app.to_owned(), scope, days }
    };
    all.into_iter().map(series).collect()
}
