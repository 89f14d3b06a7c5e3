//! A rule: a pattern for lines of logs, and what such a line says about the failure.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use super::category::{Blame, Category};

/// How much a line that matches says about the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// The line itself says why.
    Cause,
    /// The line says what failed; another line probably says why.
    Symptom,
    /// The line passes on that something failed.
    Echo,
    /// The line is never a reason.
    Noise,
}

impl Rank {
    /// The word in the files of rules.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cause => "cause",
            Self::Symptom => "symptom",
            Self::Echo => "echo",
            Self::Noise => "noise",
        }
    }
}

/// One rule, as the files in `data/reasons` write it. CONTRIBUTING.md explains the fields.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `tool.what-is-wrong`.
    pub id: String,
    pub(super) pattern: String,
    /// How much the line says.
    pub rank: Rank,
    /// What kind of failure it is; `unknown` for noise.
    #[serde(default)]
    pub category: Category,
    /// The side that has to act; `unknown` for noise.
    #[serde(default)]
    pub blame: Blame,
    /// What is wrong, in a few words; empty for noise.
    #[serde(default)]
    pub title: String,
    /// What to do about it; empty for noise.
    #[serde(default)]
    pub hint: String,
    /// Lines that the rule matches and that no better rule matches.
    pub examples: Vec<String>,
    #[serde(default)]
    pub(super) exit_codes: Vec<i32>,
    #[serde(default)]
    pub(super) command: Option<String>,
    #[serde(default)]
    pub(super) subject: Option<String>,
    #[serde(skip)]
    compiled: OnceLock<Option<Regex>>,
    #[serde(skip)]
    compiled_command: OnceLock<Option<Regex>>,
}

/// Ids are unique.
impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// Largest compiled pattern, in bytes.
const MAX_SIZE: usize = 1 << 20;

impl Rule {
    /// The first segment of the id.
    #[must_use]
    pub fn tool(&self) -> &str {
        self.id.split('.').next().unwrap_or_default()
    }

    /// The pattern, compiled when it is needed. A pattern that cannot be compiled matches nothing; a test fails for
    /// it.
    pub(super) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| compile(&self.pattern).ok()).as_ref()
    }

    /// Whether the rule has conditions besides its pattern.
    pub(super) const fn has_condition(&self) -> bool {
        !self.exit_codes.is_empty() || self.command.is_some()
    }

    /// Whether the rule applies to a failure with this exit code and command.
    pub(super) fn applies(&self, exit_code: Option<i32>, command: &str) -> bool {
        (self.exit_codes.is_empty() || exit_code.is_some_and(|code| self.exit_codes.contains(&code)))
            && self.command.as_ref().is_none_or(|pattern| {
                let compiled = self.compiled_command.get_or_init(|| compile(pattern).ok());
                compiled.as_ref().is_some_and(|regex| regex.is_match(command))
            })
    }

    /// What the failure is about, as the line says it.
    pub(super) fn subject_in(&self, line: &str) -> Option<String> {
        if let Some(subject) = &self.subject {
            return Some(subject.clone());
        }
        let captures = self.regex()?.captures(line)?;
        captures.name("subject").map(|subject| subject.as_str().to_owned())
    }
}

/// Compiles a pattern. `\b` is about ASCII, because the fast engines of `regex` do not know Unicode's.
pub(super) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&plain_boundaries(pattern)).size_limit(MAX_SIZE).build()
}

/// The pattern with `(?-u:\b)` for `\b`.
pub(super) fn plain_boundaries(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('b')) => out.push_str(r"(?-u:\b)"),
            ('\\', Some(escaped)) => out.extend(['\\', escaped]),
            (c, _) => out.push(c),
        }
    }
    out
}
