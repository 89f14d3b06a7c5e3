//! Precision: the scrubber leaves lines of real logs without secrets unchanged.

use telemetry_protocol::scrub::scrub;

const LINES: &str = include_str!("data/clean_lines.txt");

#[test]
fn at_most_one_clean_line_in_a_hundred_changes() {
    let lines: Vec<&str> = LINES.lines().filter(|line| !line.is_empty()).collect();
    let changed: Vec<_> = lines
        .iter()
        .filter(|line| scrub(line) != **line)
        .map(|line| format!("{line}\n  {}", scrub(line)))
        .collect();
    assert!(lines.len() >= 400, "{} lines are too few", lines.len());
    assert!(
        changed.len() * 100 <= lines.len(),
        "{} of {}:\n{}",
        changed.len(),
        lines.len(),
        changed.join("\n")
    );
}

#[test]
fn a_whole_log_changes_no_more_than_its_single_lines() {
    // The scrubber joins the parts of a wrapped token, but must not join unrelated lines.
    let by_line: Vec<_> = LINES.lines().map(|line| scrub(line).into_owned()).collect();
    let whole = scrub(LINES);
    let differing = whole.lines().zip(&by_line).filter(|(whole, line)| whole != line).count();
    assert_eq!((whole.lines().count(), differing), (by_line.len(), 0));
}
