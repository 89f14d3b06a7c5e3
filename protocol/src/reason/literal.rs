//! Texts that a pattern needs: every line that matches contains at least one of them. A single search for the
//! texts of all rules then tells which patterns a line can match, so hardly any pattern is compiled or run.
//!
//! The syntax tree of `regex` is read before its classes are expanded, because that takes most of the time.

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{Ast, RepetitionKind, RepetitionRange};

/// Shortest useful text, in bytes. Shorter ones occur in almost every line.
const SHORTEST: usize = 3;
/// Longest useful text, in characters. More make the search slower and hardly more precise.
const LONGEST: usize = 12;
/// Most texts for one pattern.
const MOST: usize = 64;

/// The texts of a pattern, in lower case: a line that matches contains one of them, ignoring ASCII case. `None` if
/// the pattern needs no particular text, or is invalid.
pub(super) fn required(pattern: &str) -> Option<Vec<String>> {
    let ast = Parser::new().parse(pattern).ok()?;
    let reader = Reader { ignores_case: pattern.contains("(?i") };
    let mut texts = reader.walk(&ast).filter(|texts| shortest(texts) >= SHORTEST)?;
    for text in &mut texts {
        let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(end, _)| end);
        text.truncate(end);
    }
    Some(texts)
}

fn shortest(texts: &[String]) -> usize {
    texts.iter().map(String::len).min().unwrap_or(0)
}

struct Reader {
    ignores_case: bool,
}

impl Reader {
    /// The best set of texts of which a match contains one.
    fn walk(&self, ast: &Ast) -> Option<Vec<String>> {
        match ast {
            Ast::Group(group) => self.walk(&group.ast),
            Ast::Repetition(repetition) if is_at_least_once(&repetition.op.kind) => {
                self.walk(&repetition.ast)
            }
            Ast::Alternation(alternation) => {
                let mut texts = Vec::new();
                for branch in &alternation.asts {
                    texts.extend(self.walk(branch)?);
                }
                (texts.len() <= MOST).then_some(texts)
            }
            Ast::Concat(concat) => {
                let mut best = None;
                let mut run = String::new();
                for part in &concat.asts {
                    if self.exact(part, &mut run) {
                        continue;
                    }
                    best = better(best, Some(vec![std::mem::take(&mut run)]));
                    best = better(best, self.walk(part));
                }
                better(best, Some(vec![run]))
            }
            _ => {
                let mut text = String::new();
                self.exact(ast, &mut text).then(|| vec![text])
            }
        }
    }

    /// Appends the only text that `ast` matches, ignoring ASCII case. `false` if it matches others as well.
    fn exact(&self, ast: &Ast, text: &mut String) -> bool {
        match ast {
            // Letters outside of ASCII may be matched in another case.
            Ast::Literal(literal) if literal.c.is_ascii() || !self.ignores_case => {
                text.push(literal.c.to_ascii_lowercase());
                true
            }
            Ast::Empty(_) | Ast::Flags(_) | Ast::Assertion(_) => true,
            Ast::Group(group) => matches!(&*group.ast, Ast::Literal(_)) && self.exact(&group.ast, text),
            _ => false,
        }
    }
}

/// The better of two sets: longer texts, then fewer.
fn better(one: Option<Vec<String>>, other: Option<Vec<String>>) -> Option<Vec<String>> {
    let score = |texts: &[String]| (shortest(texts).min(LONGEST), MOST.saturating_sub(texts.len()));
    match (one, other) {
        (Some(one), Some(other)) => Some(if score(&other) > score(&one) { other } else { one }),
        (one, other) => one.or(other),
    }
}

fn is_at_least_once(kind: &RepetitionKind) -> bool {
    match kind {
        RepetitionKind::OneOrMore => true,
        RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore => false,
        RepetitionKind::Range(range) => match range {
            RepetitionRange::Exactly(least)
            | RepetitionRange::AtLeast(least)
            | RepetitionRange::Bounded(least, _) => *least > 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pattern: &str) -> Option<Vec<String>> {
        required(pattern)
    }

    #[test]
    fn the_longest_text_of_a_sequence_is_required() {
        assert_eq!(of(r"^E: The repository '\S+' is not signed"), Some(vec!["e: the repos".to_owned()]));
        assert_eq!(of(r"\bheap (?:out of )?memory"), Some(vec!["memory".to_owned()]));
        assert_eq!(of("abc(?:def)+"), Some(vec!["abc".to_owned()]));
    }

    #[test]
    fn one_text_of_each_branch_is_required() {
        assert_eq!(of("not found|\\d+ missing"), Some(vec!["not found".to_owned(), " missing".to_owned()]));
        assert_eq!(of("not found|\\d+"), None);
    }

    #[test]
    fn case_is_ignored() {
        assert_eq!(of("(?i)no such DISK"), Some(vec!["no such disk".to_owned()]));
        assert_eq!(of("(?i)größe von"), Some(vec!["e von".to_owned()]));
    }

    #[test]
    fn a_pattern_of_classes_requires_no_text() {
        assert_eq!(of(r"\w+: \d+"), None);
        assert_eq!(of("a.*b"), None);
        assert_eq!(of("(?:abc)*"), None);
        assert_eq!(of("(abc"), None);
    }
}
