//! Numbers, rates, times and durations as a reader sees them. A rate stands with its denominator.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use maud::{Markup, html};

use crate::expose::numbers::Rate;

/// A count with separators, such as `12,345`.
#[must_use]
pub fn grouped(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    if count < 0 {
        text.push('−');
    }
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count, readable for programs as well.
#[must_use]
pub fn count(count: i64) -> Markup {
    html! { data value=(count) { (grouped(count)) } }
}

/// `1 run`, `12,345 runs`.
#[must_use]
pub fn counted(count: i64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// A share of 1 as a percentage with one decimal.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A rate with numerator and denominator: `12.4 % (41 of 331)`. Below ten runs there is no rate.
#[must_use]
pub fn rate(rate: &Rate) -> Markup {
    let of = format!("{} of {}", grouped(rate.numerator), grouped(rate.denominator));
    match rate.rate {
        Some(share) => html! {
            span.rate { data value=(share) { (percent(share)) } " " small { "(" (of) ")" } }
        },
        None => html! { span.rate.few title="Fewer than ten runs: too few for a rate" { (of) } },
    }
}

/// How a rate changed, in percentage points; `None` if one of the two has too few runs.
#[must_use]
pub fn change(now: &Rate, before: &Rate) -> Option<String> {
    // The difference of the numbers that the reader sees.
    let shown = |rate: f64| (rate * 1000.0).round() / 10.0;
    let points = shown(now.rate?) - shown(before.rate?);
    let size = format!("{:.1} points", points.abs());
    Some(match points {
        points if points >= 0.05 => format!("▲ up {size}"),
        points if points <= -0.05 => format!("▼ down {size}"),
        _ => "unchanged".to_owned(),
    })
}

/// A UTC day, such as `2026-03-10`.
#[must_use]
pub fn day(day: NaiveDate) -> Markup {
    html! { time datetime=(day) { (day) } }
}

/// A time of day in UTC.
#[must_use]
pub fn moment(time: DateTime<Utc>) -> Markup {
    html! {
        time datetime=(time.to_rfc3339_opts(SecondsFormat::Millis, true)) { (time.format("%Y-%m-%d %H:%M:%S UTC")) }
    }
}

/// A duration in seconds, such as `2 min 5 s`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.round().max(0.0) as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(
            [0, 999, 1000, 1_234_567, -1000].map(grouped),
            ["0", "999", "1,000", "1,234,567", "−1,000"]
        );
        assert_eq!([0.4, 125.0, 3_720.0].map(duration), ["0 s", "2 min 5 s", "1 h 2 min"]);
        assert_eq!((counted(1, "run", "runs"), counted(2, "run", "runs")), ("1 run".into(), "2 runs".into()));
    }

    #[test]
    fn a_rate_stands_with_its_denominator() {
        let html = rate(&Rate::of(41, 331)).into_string();
        assert!(html.contains(">12.4 %<") && html.contains("(41 of 331)"), "{html}");
        let html = rate(&Rate::of(3, 9)).into_string();
        assert!(html.contains("few") && html.contains("3 of 9") && !html.contains('%'), "{html}");
    }

    #[test]
    fn a_change_needs_enough_runs_on_both_sides() {
        let change = |now: (i64, i64), before: (i64, i64)| {
            change(&Rate::of(now.0, now.1), &Rate::of(before.0, before.1))
        };
        assert_eq!(change((95, 100), (90, 100)).as_deref(), Some("▲ up 5.0 points"));
        assert_eq!(change((90, 100), (95, 100)).as_deref(), Some("▼ down 5.0 points"));
        assert_eq!(change((90, 100), (90, 100)).as_deref(), Some("unchanged"));
        assert_eq!(change((9, 9), (90, 100)), None);
    }
}
