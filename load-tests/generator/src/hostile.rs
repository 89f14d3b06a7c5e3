//! Bodies of a hostile client. No id occurs twice, and most ids are malformed.

use crate::events::random;

/// The next body.
pub(crate) fn body() -> String {
    let number = random();
    let id = match number % 8 {
        0 => "x".repeat(129),
        1 => String::new(),
        2 => format!("'; drop table execution; -- {number}"),
        3 => format!("../../{number}"),
        4 => format!(r"\u0000{number}"),
        5 => format!("💥{number}"),
        // Well-formed, but never seen before: a cache or limiter keyed by id must not grow forever.
        _ => format!("{number:032x}{:032x}", random()),
    };
    let app = if number.is_multiple_of(16) { "a".repeat(200) } else { format!("app-{}", number % 100_000) };
    format!(
        r#"{{"random_id":"{id}","nsapp":"{app}","type":"lxc","status":"installing","os_type":"{number}"}}"#
    )
}
