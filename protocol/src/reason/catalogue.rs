//! The rules of all files in `data/reasons`, and the search for those that can match a line.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::literal;
use super::rule::{Rank, Rule, plain_boundaries};

/// The files of rules. Of rules with the same rank, the one of the earlier file wins, and in a file the earlier
/// one. So what can be said about any program (a full disk) comes first, and general messages come last.
macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../data/reasons/", $name))),)*]
    };
}
pub(super) const FILES: &[(&str, &str)] = files! {
    "noise.toml"
    "kernel.toml"
    "apt.toml"
    "packages.toml"
    "javascript.toml"
    "python.toml"
    "compilers.toml"
    "php_ruby.toml"
    "jvm_dotnet.toml"
    "containers.toml"
    "databases.toml"
    "proxmox.toml"
    "services.toml"
    "archives.toml"
    "network.toml"
    "shell.toml"
    "scripts.toml"
};

/// All rules.
pub(super) static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let rules = FILES.iter().filter_map(|(_, text)| read(text).ok()).flatten();
    Catalogue::new(rules.collect())
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Rule>,
}

/// Reads the rules of one file.
pub(super) fn read(text: &str) -> Result<Vec<Rule>, toml::de::Error> {
    toml::from_str(text).map(|file: File| file.rule)
}

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
            let parsed = regex_syntax::parse(&plain_boundaries(&rule.pattern)).ok();
            let Some(required) = parsed.as_ref().and_then(literal::required) else {
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
        let texts = AhoCorasick::builder().ascii_case_insensitive(true).build(&texts).ok();
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
            for hit in texts.find_overlapping_iter(line) {
                found.extend(&self.needed_by[hit.pattern().as_usize()]);
            }
        }
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|at| &self.rules[at]).collect()
    }
}

/// A hash of all rules and of the version of the code that applies them.
pub(super) fn hash_of_files(version: &str) -> u64 {
    let mut hash = Sha256::new().chain_update(version);
    for (name, text) in FILES {
        hash.update(name);
        hash.update(text);
    }
    hash.finalize().iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte))
}
