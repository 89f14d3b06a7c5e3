//! Measures the reasons against logs whose reason people have labelled. To see what is wrong:
//! `cargo run -p telemetry-protocol --example evaluate -- protocol/tests/fixtures/reasons.jsonl --wrong`

mod labelled;

use labelled::{Outcome, compare, judge, read};

#[test]
fn labelled_logs_keep_their_reasons() {
    let text = include_str!("fixtures/reasons.jsonl");
    let outcomes: Vec<Outcome> = text.lines().map(|line| judge(read(line).unwrap())).collect();
    let share = |right: fn(&Outcome) -> bool| {
        outcomes.iter().filter(|one| right(one)).count() as f64 / outcomes.len() as f64
    };
    let pairs = compare(&outcomes);
    let figures = [
        ("reason", share(|one| one.reason_is_right), 0.97),
        ("category", share(|one| one.category_is_right), 0.95),
        ("rule", share(|one| one.diagnosis.as_ref().is_some_and(|found| found.rule.is_some())), 0.95),
        ("pairs", pairs.same as f64 / pairs.pairs as f64, 0.94),
    ];
    for (name, share, least) in figures {
        assert!(share >= least, "{name}: {share:.3} is less than {least}");
    }
    assert!(pairs.mixed <= 11, "{} signatures are shared by several causes", pairs.mixed);
    let left: Vec<&String> = outcomes.iter().flat_map(|one| &one.secrets_left).collect();
    assert!(left.is_empty(), "secrets are left: {left:?}");
}
