//! PRIVACY.md describes exactly the fields that the server reads.

use std::collections::BTreeSet;
use std::fs;

use telemetry_protocol::wire::FIELDS;

#[test]
fn privacy_md_describes_every_wire_field_and_no_other() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/PRIVACY.md")).expect("it is there");
    let (_, received) = text.split_once("\n## What is received\n").expect("the section");
    let (received, _) = received.split_once("\n## ").expect("the next section");
    let rows = received.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut described = BTreeSet::new();
    for row in rows {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 5, "{row}");
        assert!(cells[1..4].iter().all(|cell| !cell.is_empty()), "{row}");
        for field in cells[0].split(", ") {
            assert!(described.insert(field.trim_matches('`')), "{field} twice");
        }
    }
    assert_eq!(described, FIELDS.iter().copied().collect());
}
