//! All rules, and the search for those that can match a line.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use sha2::{Digest, Sha256};

use super::literal;
use super::rule::{Rank, Rule, TEXTS, Text};

/// All rules.
pub(super) static CATALOGUE: LazyLock<Catalogue> =
    LazyLock::new(|| Catalogue::new(TEXTS.iter().map(Rule::from).collect()));

/// Rules in the order of preference.
pub(super) struct Catalogue {
    rules: Vec<Rule>,
    /// The texts that rules need.
    texts: Option<AhoCorasick>,
    /// The rules that need each text, by position.
    needed_by: Vec<Vec<usize>>,
    /// The rules that need no text.
    always: Vec<usize>,
}

impl Catalogue {
    fn new(mut rules: Vec<Rule>) -> Self {
        // Noise decides first; the sort is stable.
        rules.sort_by_key(|rule| (rule.rank != Rank::Noise, rule.rank, !rule.has_condition()));
        let mut texts: Vec<String> = Vec::new();
        let mut needed_by: Vec<Vec<usize>> = Vec::new();
        let mut always = Vec::new();
        let mut positions = std::collections::HashMap::new();
        for (at, rule) in rules.iter().enumerate() {
            let Some(required) = literal::required(rule.pattern) else {
                always.push(at);
                continue;
            };
            for text in required {
                let position = *positions.entry(text.clone()).or_insert_with(|| {
                    texts.push(text);
                    needed_by.push(Vec::new());
                    texts.len() - 1
                });
                needed_by[position].push(at);
            }
        }
        let texts = AhoCorasick::builder().kind(Some(AhoCorasickKind::NoncontiguousNFA)).build(&texts).ok();
        Self { rules, texts, needed_by, always }
    }

    /// All rules in the order of preference.
    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules that can match `line`, in the order of preference, each once.
    pub(super) fn candidates(&self, line: &str) -> Vec<&Rule> {
        let mut found = self.always.clone();
        if let Some(texts) = &self.texts {
            for hit in texts.find_overlapping_iter(&line.to_ascii_lowercase()) {
                found.extend(&self.needed_by[hit.pattern().as_usize()]);
            }
        }
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|at| &self.rules[at]).collect()
    }
}

/// A hash of what decides about reasons and signatures: all texts of the rules but the hints, and the version of the
/// code.
pub(super) fn hash_of_rules(version: &str) -> u64 {
    let mut hash = Sha256::new().chain_update(version);
    for text in TEXTS {
        let Text { id, pattern, rank, category, blame, title, hint: _, exit_codes, command, subject } = text;
        hash.update(format!(
            "{id}\n{pattern}\n{rank}\n{category}\n{blame}\n{title}\n{exit_codes:?}\n{command:?}\n{subject:?}\n"
        ));
    }
    hash.finalize().iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte))
}
