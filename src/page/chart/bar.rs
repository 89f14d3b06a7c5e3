//! A horizontal bar in a row of a table. The number stands beside it.

use maud::{Markup, html};

/// A bar for `value` in a table whose largest value is `largest`.
#[must_use]
pub fn bar(value: i64, largest: i64) -> Markup {
    let width = (value as f64 / largest.max(1) as f64 * 100.0).clamp(0.0, 100.0).round();
    html! {
        svg.bar viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect width=(width) height="10" {}
        }
    }
}

/// A mark at `share` (0 to 1) over a bar for `baseline`, to compare two shares.
#[must_use]
pub fn compared(share: f64, baseline: f64) -> Markup {
    let width = |share: f64| (share * 100.0).clamp(0.0, 100.0).round();
    html! {
        svg.bar viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect width=(width(share)) height="6" {}
            rect.baseline y="6" width=(width(baseline)) height="4" {}
        }
    }
}
