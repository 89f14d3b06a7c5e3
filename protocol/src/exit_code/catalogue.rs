//! Parses `data/exit_codes.tsv` once into arrays indexed by code, because every event needs a lookup.
//!
//! An invalid line is skipped at run time. A test fails for it, so a released catalogue has none.

use std::sync::LazyLock;

use super::{Category, Fault};
use crate::Generation;

/// The catalogue entry of one code in one generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The generation that the entry applies to, 1 to 3.
    pub generation: Generation,
    /// The exit code, 0 to 255.
    pub code: i32,
    /// What happened, in a few words.
    pub title: &'static str,
    /// Category of the cause.
    pub category: Category,
    /// Whether the script or the environment is at fault.
    pub fault: Fault,
    /// How to fix the cause.
    pub recovery: &'static str,
}

pub(super) const DATA: &str = include_str!("../../data/exit_codes.tsv");

pub(super) static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let entries = lines(DATA).filter_map(read_line).flatten();
    Catalogue::new(entries)
});

/// The entries of each of the three generations, indexed by code.
pub(super) struct Catalogue([Vec<Option<Entry>>; 3]);

impl Catalogue {
    fn new(entries: impl Iterator<Item = Entry>) -> Self {
        let mut vocabularies = [(); 3].map(|()| vec![None; 256]);
        for entry in entries {
            let vocabulary = &mut vocabularies[vocabulary(entry.generation)];
            if let Some(place) = usize::try_from(entry.code).ok().and_then(|code| vocabulary.get_mut(code)) {
                *place = Some(entry);
            }
        }
        Self(vocabularies)
    }

    pub(super) fn find(&self, generation: Generation, code: i32) -> Option<&Entry> {
        let code = usize::try_from(code).ok()?;
        self.0[vocabulary(generation)].get(code)?.as_ref()
    }

    pub(super) fn of(&self, generation: Generation) -> impl Iterator<Item = &Entry> {
        self.0[vocabulary(generation)].iter().flatten()
    }
}

const fn vocabulary(generation: Generation) -> usize {
    match generation {
        Generation::Zero | Generation::One => 0,
        Generation::Two => 1,
        Generation::Three => 2,
    }
}

/// The lines of a data file that are neither empty nor a comment.
pub(super) fn lines(data: &'static str) -> impl Iterator<Item = &'static str> {
    data.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Parses a line into one entry per generation; `None` if any column is invalid.
pub(super) fn read_line(line: &'static str) -> Option<Vec<Entry>> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [generations, code, title, category, fault, recovery] = columns[..] else {
        return None;
    };
    if title.is_empty() || recovery.is_empty() {
        return None;
    }
    let code = i32::from(code.parse::<u8>().ok()?);
    let (category, fault) = (Category::from_word(category)?, Fault::from_word(fault)?);
    generations
        .split(',')
        .map(|number| {
            let generation = Generation::try_from(number.parse::<u8>().ok()?).ok()?;
            (generation != Generation::Zero).then_some(Entry {
                generation,
                code,
                title,
                category,
                fault,
                recovery,
            })
        })
        .collect()
}
