//! Tests that the data files are valid and complete, and that `explain` covers every code.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    Category, Fault, catalogue, classification_fingerprint, entries, entry, explain, fnv1a, generation1,
};
use crate::Generation;

/// The codes known to clients of generation 3, by the category that they send.
const SENT_CATEGORIES: [(Category, &[i32]); 15] = [
    (Category::Config, &[10, 128, 203, 204, 205, 206, 207, 208]),
    (Category::Database, &[170, 171, 172, 173, 180, 181, 182, 183, 190, 191, 192, 193]),
    (Category::Dependency, &[100, 101, 102, 127, 160, 161, 162, 255]),
    (Category::Network, &[6, 7, 22, 35]),
    (Category::Permission, &[126, 152]),
    (Category::Proxmox, &[200, 209, 210, 212, 213, 215, 216, 218, 220, 221, 222, 223, 225, 227, 231]),
    (Category::Resource, &[134, 137]),
    (Category::Runtime, &[243, 245, 246, 247, 248, 249]),
    (Category::Service, &[150, 151, 153, 154]),
    (Category::Shell, &[1, 2]),
    (Category::Signal, &[139, 141]),
    (Category::Storage, &[214, 217, 219, 224]),
    (Category::Timeout, &[28, 124, 211]),
    (
        Category::Unknown,
        &[
            3, 4, 5, 8, 16, 18, 23, 24, 25, 26, 27, 30, 32, 33, 34, 36, 39, 44, 45, 46, 47, 48, 51, 52, 55,
            56, 57, 59, 61, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 92, 95, 103,
            104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122,
            123, 125, 131, 132, 144, 146, 226, 232, 233, 234, 235, 236, 237, 238, 239, 250, 251, 252, 253,
            254,
        ],
    ),
    (Category::UserAborted, &[129, 130, 143]),
];

#[test]
fn every_line_of_the_catalogue_is_valid() {
    for line in catalogue::lines(catalogue::DATA) {
        assert!(catalogue::read_line(line).is_some(), "{line:?}");
    }
}

#[test]
fn no_code_occurs_twice_in_a_generation() {
    let mut seen = BTreeSet::new();
    for entry in catalogue::lines(catalogue::DATA).filter_map(catalogue::read_line).flatten() {
        assert!(seen.insert((entry.generation, entry.code)), "{entry:?}");
    }
    let found: usize =
        [Generation::One, Generation::Two, Generation::Three].map(|g| entries(g).count()).iter().sum();
    assert_eq!(found, seen.len(), "every line can be looked up");
}

#[test]
fn lines_are_in_order_of_section_and_code() {
    // The sections: all generations, generation 1, generations 2 and 3.
    let place = |entries: Vec<catalogue::Entry>| {
        let first = entries.first().expect("a line has a generation");
        let section = match (entries.len(), first.generation) {
            (3, _) => 0,
            (_, Generation::One) => 1,
            _ => 2,
        };
        (section, first.code, first.generation.number())
    };
    let lines = catalogue::lines(catalogue::DATA).filter_map(catalogue::read_line);
    let places: Vec<_> = lines.map(place).collect();
    let misplaced = places.windows(2).find(|pair| pair[0] >= pair[1]);
    assert_eq!(misplaced, None, "section, code and generation of two lines");
}

#[test]
fn every_code_known_to_clients_has_an_entry_with_the_category_they_send() {
    for (category, sent) in SENT_CATEGORIES {
        for &code in sent {
            for generation in [Generation::Two, Generation::Three] {
                let found = entry(generation, code).map(|entry| entry.category);
                let expected = (generation == Generation::Three || code != 227).then_some(category);
                assert_eq!(found, expected, "{code} of {generation:?}");
            }
        }
    }
}

#[test]
fn every_code_of_a_generation_1_text_has_an_entry() {
    for line in catalogue::lines(generation1::DATA) {
        let code = generation1::read_line(line).map(|(_, code)| code);
        assert!(code.is_some_and(|code| entry(Generation::One, code).is_some()), "{line:?}");
    }
}

#[test]
fn generation_0_counts_as_generation_1() {
    assert_eq!(explain(Generation::Zero, 231), explain(Generation::One, 231));
    assert!(entries(Generation::Zero).eq(entries(Generation::One)));
}

#[test]
fn codes_whose_meaning_changed_are_explained_by_generation() {
    for code in [210, 211, 212, 217, 231, 232, 233, 234, 241, 242, 244, 249, 251, 252, 253, 254] {
        let (old, new) = (explain(Generation::One, code), explain(Generation::Three, code));
        assert_ne!(old.title, new.title, "{code}");
        assert_ne!(old.recovery, new.recovery, "{code}");
    }
    assert_eq!(explain(Generation::One, 231).category, Category::Database);
    assert_eq!(explain(Generation::Two, 231).category, Category::Proxmox);
    assert_eq!(explain(Generation::Two, 227).title, "Unknown error");
}

#[test]
fn the_recovery_names_the_second_meaning_of_a_generation_1_code() {
    for (code, words) in
        [(210, "quorate"), (211, "lock"), (231, "LXC stack"), (243, "MySQL"), (254, "MongoDB")]
    {
        let recovery = explain(Generation::One, code).recovery;
        assert!(recovery.contains("Also documented as") && recovery.contains(words), "{code}: {recovery}");
    }
}

#[test]
fn only_refusals_to_start_are_the_environments_fault() {
    let environment = |generation| -> Vec<i32> {
        entries(generation)
            .filter(|entry| entry.fault == Fault::Environment)
            .map(|entry| entry.code)
            .collect()
    };
    let refusals = [
        10, 103, 104, 105, 106, 107, 108, 109, 113, 114, 116, 118, 119, 120, 121, 122, 203, 204, 205, 206,
        210, 212, 213, 214, 217, 219, 224, 232, 233, 234, 236, 238,
    ];
    assert_eq!(environment(Generation::One), [203, 204, 205, 206, 214, 217]);
    assert_eq!(environment(Generation::Two), refusals);
    assert_eq!(environment(Generation::Three), refusals);
}

#[test]
fn failures_during_an_install_are_the_scripts_fault() {
    for code in [1, 6, 28, 100, 102, 127, 137, 153, 209, 239, 255] {
        assert_eq!(explain(Generation::Three, code).fault, Fault::Script, "{code}");
    }
}

#[test]
fn a_code_without_an_entry_is_an_unknown_error() {
    for code in [-1, 9, 99, 163, 256, i32::MIN, i32::MAX] {
        let meaning = explain(Generation::Three, code);
        assert_eq!(meaning.title, "Unknown error", "{code}");
        assert_eq!((meaning.category, meaning.fault), (Category::Unknown, Fault::Script), "{code}");
    }
}

#[test]
fn a_signal_without_an_entry_is_named() {
    for (generation, code, title, category) in [
        (Generation::Three, 159, "Killed by signal 31 (SIGSYS)", Category::Unknown),
        (Generation::Three, 133, "Killed by signal 5 (SIGTRAP)", Category::Unknown),
        (Generation::One, 129, "Killed by signal 1 (SIGHUP)", Category::UserAborted),
    ] {
        let meaning = explain(generation, code);
        assert_eq!((meaning.title.as_ref(), meaning.category), (title, category));
    }
}

#[test]
fn code_0_is_success() {
    for generation in Generation::ALL {
        assert_eq!(explain(generation, 0).title, "Success");
    }
}

#[test]
fn words_round_trip() {
    for category in Category::ALL {
        assert_eq!(Category::from_word(category.as_str()), Some(category));
        assert_eq!(serde_json::to_value(category).ok(), Some(category.as_str().into()));
    }
    for fault in [Fault::Script, Fault::Environment] {
        assert_eq!(Fault::from_word(fault.as_str()), Some(fault));
        assert_eq!(serde_json::to_value(fault).ok(), Some(fault.as_str().into()));
    }
}

#[test]
fn the_fingerprint_is_fnv_1a_and_deterministic() {
    assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    assert_eq!(classification_fingerprint(), classification_fingerprint());
}

proptest! {
    #[test]
    fn every_number_has_a_meaning(code: i32) {
        for generation in Generation::ALL {
            let meaning = explain(generation, code);
            prop_assert!(!meaning.title.is_empty() && !meaning.recovery.is_empty());
        }
    }
}
