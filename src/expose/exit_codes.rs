//! The catalogue of exit codes as the API shows it.

use std::collections::BTreeMap;

use serde::Serialize;
use telemetry_protocol::Generation;
use telemetry_protocol::exit_code::{Meaning, entries, explain};
use utoipa::ToSchema;

/// Code to text in the newest generation, as today's readers expect it.
#[must_use]
pub fn all() -> BTreeMap<i32, &'static str> {
    entries(Generation::NEWEST).map(|entry| (entry.code, entry.title)).collect()
}

/// What a code means in one generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExitCodeView {
    /// The exit code, 0 to 255.
    pub code: u8,
    /// The generation of the client that sends it.
    #[schema(value_type = u8)]
    pub generation: Generation,
    /// What happened.
    pub title: String,
    /// The kind of cause.
    pub category: &'static str,
    /// What to do about it.
    pub recovery: &'static str,
    /// The meanings in other generations where they differ.
    pub other_generations: Vec<OtherMeaning>,
}

/// What a code means in another generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OtherMeaning {
    /// That generation.
    #[schema(value_type = u8)]
    pub generation: Generation,
    /// What happened.
    pub title: String,
    /// The kind of cause.
    pub category: &'static str,
    /// What to do about it.
    pub recovery: &'static str,
}

/// Explains a code as `generation` means it.
#[must_use]
pub fn one(generation: Generation, code: u8) -> ExitCodeView {
    let Meaning { title, category, recovery, .. } = explain(generation, code.into());
    // Generation 0 shares the table of 1.
    let others = [Generation::One, Generation::Two, Generation::Three].into_iter();
    let other_generations = others
        .filter(|other| *other != generation.max(Generation::One))
        .map(|other| (other, explain(other, code.into())))
        .filter(|(_, meaning)| meaning.title != title)
        .map(|(generation, meaning)| OtherMeaning {
            generation,
            title: meaning.title.into_owned(),
            category: meaning.category.as_str(),
            recovery: meaning.recovery,
        })
        .collect();
    ExitCodeView {
        code,
        generation,
        title: title.into_owned(),
        category: category.as_str(),
        recovery,
        other_generations,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_whose_meaning_changed_shows_the_others() {
        let view = one(Generation::Three, 231);
        assert_eq!(view.other_generations.iter().map(|m| m.generation.number()).collect::<Vec<_>>(), [1]);
        assert_ne!(view.other_generations[0].title, view.title);
        assert_eq!(one(Generation::Three, 137).code, 137);
    }

    #[test]
    fn an_unknown_code_is_an_unknown_error() {
        assert_eq!(one(Generation::Three, 99).title, "Unknown error");
    }
}
