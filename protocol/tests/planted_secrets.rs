//! The scrubber removes every planted secret and leaves the output of tools as it is.

mod planted;

use planted::{Planted, clean_lines, report, secrets};
use telemetry_protocol::scrub::scrub;

#[test]
fn no_planted_secret_is_left() {
    let planted = secrets();
    let faults: Vec<(&Planted, String)> =
        planted.iter().filter_map(|text| Some((text, text.fault(&scrub(&text.text))?))).collect();
    assert!(faults.is_empty(), "{}", report(&planted, &faults));
}

#[test]
fn scrubbing_a_planted_text_twice_changes_nothing() {
    for text in secrets() {
        let once = scrub(&text.text);
        assert_eq!(scrub(&once), once, "{}", text.text);
    }
}

#[test]
fn at_most_one_line_in_a_hundred_of_the_output_of_tools_changes() {
    let lines = clean_lines();
    let changed: Vec<_> = lines
        .iter()
        .filter(|line| scrub(line) != line.as_str())
        .map(|line| format!("{line}\n  {}", scrub(line)))
        .collect();
    let (count, all) = (changed.len(), lines.len());
    assert!(count * 100 <= all, "{count} of {all}:\n{}", changed.join("\n"));
}
