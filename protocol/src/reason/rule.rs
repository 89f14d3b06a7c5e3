//! A rule: a pattern for lines of logs, and what such a line says about the failure.

use std::fmt;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};

use super::category::{Blame, Category};

/// How much a line that matches says about the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

    /// Parses exactly a word; `None` for any other text.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Cause, Self::Symptom, Self::Echo, Self::Noise].into_iter().find(|rank| rank.as_str() == word)
    }
}

/// The texts of a rule in `data/reasons`, compiled into the program by the build script.
pub(super) struct Text {
    pub(super) id: &'static str,
    pub(super) pattern: &'static str,
    pub(super) rank: &'static str,
    pub(super) category: &'static str,
    pub(super) blame: &'static str,
    pub(super) title: &'static str,
    pub(super) hint: &'static str,
    pub(super) exit_codes: &'static [i32],
    pub(super) command: Option<&'static str>,
    pub(super) subject: Option<&'static str>,
    pub(super) url_of_command: bool,
}

/// All rules, in the order of the files.
pub(super) static TEXTS: &[Text] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// One rule.
pub struct Rule {
    /// `tool.what-is-wrong`.
    pub id: &'static str,
    /// How much the line says.
    pub rank: Rank,
    /// What kind of failure it is; `unknown` for noise.
    pub category: Category,
    /// The side that has to act; `unknown` for noise.
    pub blame: Blame,
    /// What is wrong, in a few words; empty for noise.
    pub title: &'static str,
    /// What to do about it; empty for noise.
    pub hint: &'static str,
    pub(super) pattern: &'static str,
    exit_codes: &'static [i32],
    command: Option<&'static str>,
    subject: Option<&'static str>,
    /// Whether the address in the failed command is the subject if the line has none.
    pub(super) url_of_command: bool,
    compiled: OnceLock<Option<Regex>>,
    compiled_command: OnceLock<Option<Regex>>,
}

impl fmt::Debug for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Rule").field(&self.id).finish()
    }
}

impl From<&Text> for Rule {
    /// Unknown words count as noise or unknown. A test fails for them.
    fn from(text: &Text) -> Self {
        Self {
            id: text.id,
            rank: Rank::from_word(text.rank).unwrap_or(Rank::Noise),
            category: Category::from_word(text.category).unwrap_or_default(),
            blame: Blame::from_word(text.blame).unwrap_or_default(),
            title: text.title,
            hint: text.hint,
            pattern: text.pattern,
            exit_codes: text.exit_codes,
            command: text.command,
            subject: text.subject,
            url_of_command: text.url_of_command,
            compiled: OnceLock::new(),
            compiled_command: OnceLock::new(),
        }
    }
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
    pub fn tool(&self) -> &'static str {
        self.id.split('.').next().unwrap_or_default()
    }

    /// The pattern, compiled when it is needed. A pattern that cannot be compiled matches nothing; a test fails for
    /// it.
    pub(super) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| compile(self.pattern).ok()).as_ref()
    }

    /// Whether the rule has conditions besides its pattern.
    pub(super) const fn has_condition(&self) -> bool {
        !self.exit_codes.is_empty() || self.command.is_some()
    }

    /// Whether the rule applies to a failure with this exit code and command.
    pub(super) fn applies(&self, exit_code: Option<i32>, command: &str) -> bool {
        (self.exit_codes.is_empty() || exit_code.is_some_and(|code| self.exit_codes.contains(&code)))
            && self.command.is_none_or(|pattern| {
                let compiled = self.compiled_command.get_or_init(|| compile(pattern).ok());
                compiled.as_ref().is_some_and(|regex| regex.is_match(command))
            })
    }

    /// What the failure is about, as the line says it.
    pub(super) fn subject_in(&self, line: &str) -> Option<String> {
        if let Some(subject) = self.subject {
            return Some(subject.to_owned());
        }
        let captures = self.regex()?.captures(line)?;
        captures.name("subject").map(|subject| subject.as_str().to_owned())
    }
}

/// Compiles a pattern. `\w`, `\d` and `\b` are about ASCII, because the tables of Unicode make regular expressions
/// large and slow.
pub(super) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&with_ascii_classes(pattern)).size_limit(MAX_SIZE).build()
}

fn with_ascii_classes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() * 2);
    let mut chars = pattern.chars();
    let mut depth = 0_usize;
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next() } else { None };
        match (c, escaped) {
            ('\\', Some('b')) if depth == 0 => out.push_str(r"(?-u:\b)"),
            ('\\', Some('w')) => out.push_str(if depth == 0 { "[0-9A-Za-z_]" } else { "0-9A-Za-z_" }),
            ('\\', Some('d')) => out.push_str(if depth == 0 { "[0-9]" } else { "0-9" }),
            ('\\', Some(escaped)) => out.extend(['\\', escaped]),
            (c, _) => {
                depth += usize::from(c == '[');
                depth -= usize::from(c == ']' && depth > 0);
                out.push(c);
            }
        }
    }
    out
}
