//! The days that contain a page, from the number of records on each day.

use chrono::NaiveDate;

use crate::store::read::records::Start;

/// Records on a day.
#[derive(Debug)]
pub(super) struct DayRuns {
    pub(super) day: NaiveDate,
    pub(super) runs: i64,
}

/// The days that contain a page, and the records to skip in them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) first: NaiveDate,
    pub(super) last: NaiveDate,
    pub(super) offset: i64,
}

/// Finds the days of a page, given all days in the order of the page. `None` for a page behind the end.
pub(super) fn window<'a>(
    days: impl Iterator<Item = &'a DayRuns>,
    start: &Start,
    limit: i64,
    newest_first: bool,
) -> Option<Window> {
    let mut days = days.peekable();
    let (begin, mut offset, mut missing) = match start {
        Start::Offset(offset) => {
            let mut offset = *offset;
            while let Some(day) = days.next_if(|day| day.runs <= offset) {
                offset -= day.runs;
            }
            (days.peek()?.day, offset, offset + limit)
        }
        Start::Behind(position) => {
            let day = position.first_seen.date_naive();
            // The number of records left on that day is not known.
            while days.next_if(|next| if newest_first { next.day >= day } else { next.day <= day }).is_some()
            {
            }
            (day, 0, limit)
        }
    };
    let mut end = begin;
    for day in days.take_while(|day| {
        let is_needed = missing > 0;
        missing -= day.runs;
        is_needed
    }) {
        end = day.day;
    }
    offset = offset.max(0);
    Some(if newest_first {
        Window { first: end, last: begin, offset }
    } else {
        Window { first: begin, last: end, offset }
    })
}

#[cfg(test)]
mod tests {
    use chrono::NaiveTime;
    use uuid::Uuid;

    use super::*;
    use crate::store::read::records::Position;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, day).expect("a day")
    }

    fn newest(start: &Start, limit: i64) -> Option<(NaiveDate, NaiveDate, i64)> {
        let days = [(9, 5), (7, 1), (3, 10), (1, 2)].map(|(date, runs)| DayRuns { day: day(date), runs });
        window(days.iter(), start, limit, true).map(|window| (window.first, window.last, window.offset))
    }

    #[test]
    fn days_before_and_after_a_page_are_not_searched() {
        assert_eq!(newest(&Start::Offset(0), 5), Some((day(9), day(9), 0)));
        assert_eq!(newest(&Start::Offset(0), 6), Some((day(7), day(9), 0)));
        assert_eq!(newest(&Start::Offset(5), 1), Some((day(7), day(7), 0)));
        assert_eq!(newest(&Start::Offset(7), 9), Some((day(3), day(3), 1)));
        assert_eq!(newest(&Start::Offset(7), 10), Some((day(1), day(3), 1)));
        assert_eq!(newest(&Start::Offset(18), 10), None);
    }

    #[test]
    fn a_page_behind_a_record_begins_on_the_day_of_that_record() {
        let behind = |date| {
            Start::Behind(Position {
                app: String::new(),
                first_seen: day(date).and_time(NaiveTime::MIN).and_utc(),
                key: Uuid::nil(),
            })
        };
        assert_eq!(newest(&behind(9), 1), Some((day(7), day(9), 0)));
        assert_eq!(newest(&behind(8), 2), Some((day(3), day(8), 0)));
        assert_eq!(newest(&behind(1), 2), Some((day(1), day(1), 0)));
    }
}
