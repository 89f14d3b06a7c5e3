//! The rules of `data/secrets.toml`, and the one search for all of their keywords.
//!
//! A rule looks only at the places of its keywords. The pattern of a rule is anchored at the keyword, reads to the
//! end of its line and no further than [`REACH`], and is compiled when its keyword first occurs.

use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, MatchKind};
use regex::bytes::{CaptureLocations, Regex, RegexBuilder};

use super::chars::{begins_word, is_one_of, is_word, run_end, word_before};
use super::data::{KEYWORDS, Kind, RULES, Rule, Value};
use super::random::is_odd;
use super::spans::Spans;
use super::value::{self, Sign};
use super::{host, pair, token};

/// How far a pattern reads, in bytes.
const REACH: usize = 1024;

/// How often a pattern may fail within its reach, so that a line of keywords is not read once for each of them.
const MAX_FAILURES: u32 = 3;

static SEARCH: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .ascii_case_insensitive(true)
        .kind(Some(aho_corasick::AhoCorasickKind::ContiguousNFA))
        .build(KEYWORDS.iter().map(|(keyword, _)| keyword))
        .expect("keywords are few and short")
});

static PATTERNS: [OnceLock<Regex>; RULES.len()] = [const { OnceLock::new() }; RULES.len()];

/// The pattern of a rule, with all of its text at the keyword. Works on bytes: `.` and the like may match a part of
/// a character, and findings are widened to whole ones.
fn pattern(index: usize, pattern: &str) -> &'static Regex {
    PATTERNS[index].get_or_init(|| {
        let anchored = format!(r"\A(?:{pattern})");
        RegexBuilder::new(&anchored).unicode(false).build().expect("a test compiles every pattern")
    })
}

/// How far a rule has read.
struct Progress {
    done: usize,
    reach: usize,
    failures: u32,
    groups: Option<CaptureLocations>,
}

/// Adds the findings of all rules.
pub(super) fn find(text: &[u8], spans: &mut Spans) {
    let mut progress = [const { Progress { done: 0, reach: 0, failures: 0, groups: None } }; RULES.len()];
    for hit in SEARCH.find_overlapping_iter(text) {
        let index = KEYWORDS[hit.pattern().as_usize()].1;
        let rule = &RULES[index];
        let (start, end) = (hit.start(), hit.end());
        let progress = &mut progress[index];
        let inside = is_word(text[start]) && !rule.glued && !begins_word(text, start);
        if start < progress.done
            || inside && !(text[start].is_ascii_uppercase() && text[start - 1].is_ascii_lowercase())
        {
            continue;
        }
        let is_fresh =
            start == 0 || text[start - 1].is_ascii_whitespace() || b"\"'`=:([>".contains(&text[start - 1]);
        if rule.fresh && !is_fresh {
            continue;
        }
        if !rule.unless_after.is_empty() && is_one_of(word_before(text, start).0, rule.unless_after) {
            continue;
        }
        match rule.kind {
            Kind::Pattern { pattern, lines, value } => {
                if start < progress.reach && progress.failures >= MAX_FAILURES {
                    continue;
                }
                let window = window(text, start, lines);
                if start >= progress.reach {
                    (progress.reach, progress.failures) = (window, 0);
                }
                let pattern = self::pattern(index, pattern);
                let groups = progress.groups.get_or_insert_with(|| pattern.capture_locations());
                match rule.read(text, (start, window), pattern, groups, value, spans) {
                    Some(end) => progress.done = end,
                    None => progress.failures += 1,
                }
            }
            Kind::Name(name) => {
                progress.done = pair::read(text, (start, end), name, spans).unwrap_or(progress.done);
            }
            Kind::Domain => host::add_under_domain(text, (start, end), spans),
            Kind::Prefix(min) => {
                progress.done = token::add_prefixed(text, (start, end), min, spans).unwrap_or(progress.done);
            }
        }
    }
}

/// How far a pattern at `start` reads.
fn window(text: &[u8], start: usize, lines: usize) -> usize {
    let limit = text.len().min(start + REACH);
    let line = memchr::memchr_iter(b'\n', &text[start..limit]).nth(lines - 1);
    line.map_or(limit, |line| start + line)
}

impl Rule {
    /// Adds the secrets of the pattern at `start`; where the match ends.
    fn read(
        &self,
        text: &[u8],
        (start, limit): (usize, usize),
        pattern: &Regex,
        groups: &mut CaptureLocations,
        value: Value,
        spans: &mut Spans,
    ) -> Option<usize> {
        let end = start + pattern.captures_read(groups, &text[start..limit])?.end();
        let is_cut = limit == start + REACH;
        for (from, to) in (1..groups.len()).filter_map(|group| groups.get(group)) {
            let (from, to) = (start + from, start + to);
            if from < to {
                let to = if is_cut && to == limit {
                    run_end(text, to, |byte| !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\''))
                } else {
                    to
                };
                if !self.keeps(&text[from..to]) {
                    spans.add(from, to, self.placeholder);
                }
                continue;
            }
            match value {
                Value::Host | Value::ShortHost => {
                    host::add_name(text, from, matches!(value, Value::Host), spans);
                }
                Value::Word | Value::Phrase => {
                    let (from, to) = value::bounds(text, from);
                    let to = if matches!(value, Value::Phrase) { value::phrase_end(text, to) } else { to };
                    if !self.keeps(&text[from..to]) {
                        spans.add(from, to, self.placeholder);
                    }
                }
            }
        }
        Some(end)
    }

    /// Whether a value stays.
    fn keeps(&self, value: &[u8]) -> bool {
        value::says_nothing(value, Sign::Equals) || is_one_of(value, self.keep) || self.odd && !is_odd(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles_and_has_a_group() {
        for (index, rule) in RULES.iter().enumerate() {
            if let Kind::Pattern { pattern, lines, .. } = rule.kind {
                assert!(self::pattern(index, pattern).captures_len() > 1, "{pattern} has no group");
                assert!(lines > 0, "{pattern}");
            }
        }
    }
}
