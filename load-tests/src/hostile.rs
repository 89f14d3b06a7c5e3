//! Bodies of somebody who means no good: each has an id that was never seen, and most have one that
//! should not be.

use crate::events::random;

/// The next one.
pub(crate) fn body() -> String {
    let number = random();
    let id = match number % 8 {
        0 => "x".repeat(129),
        1 => String::new(),
        2 => format!("'; drop table execution; -- {number}"),
        3 => format!("../../{number}"),
        4 => format!(r"\u0000{number}"),
        5 => format!("💥{number}"),
        // Mostly they are just many: a limiter or cache by id would grow for ever.
        _ => format!("{number:032x}{:032x}", random()),
    };
    let app = if number.is_multiple_of(16) { "a".repeat(200) } else { format!("app-{}", number % 100_000) };
    format!(
        r#"{{"random_id":"{id}","nsapp":"{app}","type":"lxc","status":"installing","os_type":"{number}"}}"#
    )
}
