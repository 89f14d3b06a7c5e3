//! The exit codes as the API explains them.

use std::collections::BTreeMap;

use serde::Serialize;
use telemetry_protocol::Generation;
use telemetry_protocol::exit_code::{Category, Meaning, entries, explain};
use utoipa::ToSchema;

/// Every code with its text in the newest generation.
#[must_use]
pub fn all() -> BTreeMap<i32, &'static str> {
    entries(Generation::NEWEST).map(|entry| (entry.code, entry.title)).collect()
}

/// The meaning of an exit code for clients of one generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExitCodeView {
    /// The exit code, 0 to 255.
    pub code: u8,
    /// Generation of the client, 0 to 3.
    #[schema(value_type = u8)]
    pub generation: Generation,
    /// What happened.
    pub title: String,
    /// Category of the cause.
    pub category: &'static str,
    /// How to recover.
    pub recovery: &'static str,
    /// Meanings in other generations, where they differ.
    pub other_generations: Vec<OtherMeaning>,
}

/// The meaning of an exit code in another generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OtherMeaning {
    /// Generation of the client, 0 to 3.
    #[schema(value_type = u8)]
    pub generation: Generation,
    /// What happened.
    pub title: String,
    /// Category of the cause.
    pub category: &'static str,
    /// How to recover.
    pub recovery: &'static str,
}

/// Explains a code as clients of `generation` mean it.
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

/// A code as rollups count it, for an answer: the code, `None` for -1, and its description and category.
#[must_use]
pub fn counted(code: i16, generation: i16) -> (Option<i16>, String, Category) {
    let generation = u8::try_from(generation).ok().and_then(|number| Generation::try_from(number).ok());
    let Meaning { title, category, .. } = explain(generation.unwrap_or(Generation::NEWEST), code.into());
    match code {
        -1 => (None, "No exit code".to_owned(), category),
        _ => (Some(code), title.into_owned(), category),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_whose_meaning_changed_lists_the_others() {
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
