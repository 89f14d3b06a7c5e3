//! Texts that a pattern needs: every line that matches contains at least one of them. A single search for the
//! texts of all rules then tells which patterns a line can match, so hardly any pattern is compiled or run.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Shortest useful text, in bytes. Shorter ones occur in almost every line.
const SHORTEST: usize = 3;
/// Most texts for one pattern.
const MOST: usize = 64;

/// The texts of a pattern, in lower case: a line that matches contains one of them, ignoring ASCII case. `None` if
/// the pattern needs no particular text.
pub(super) fn required(pattern: &Hir) -> Option<Vec<String>> {
    let texts: Option<Vec<String>> =
        walk(pattern)?.into_iter().map(|text| String::from_utf8(text).ok()).collect();
    texts.filter(|texts| shortest(texts) >= SHORTEST)
}

fn shortest<T: AsRef<[u8]>>(texts: &[T]) -> usize {
    texts.iter().map(|text| text.as_ref().len()).min().unwrap_or(0)
}

/// The best set of texts of which a match contains one.
fn walk(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Literal(_) | HirKind::Class(_) => exact(hir).map(|text| vec![text]),
        HirKind::Capture(capture) => walk(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => walk(&repetition.sub),
        HirKind::Empty | HirKind::Look(_) | HirKind::Repetition(_) => None,
        HirKind::Alternation(branches) => {
            let mut texts = Vec::new();
            for branch in branches {
                texts.extend(walk(branch)?);
            }
            (texts.len() <= MOST).then_some(texts)
        }
        HirKind::Concat(parts) => {
            let mut best: Option<Vec<Vec<u8>>> = None;
            let mut keep = |texts: Vec<Vec<u8>>| {
                if best.as_ref().is_none_or(|best| score(&texts) > score(best)) {
                    best = Some(texts);
                }
            };
            let mut run = Vec::new();
            for part in parts {
                if let Some(text) = exact(part) {
                    run.extend(text);
                    continue;
                }
                keep(vec![std::mem::take(&mut run)]);
                if let Some(texts) = walk(part) {
                    keep(texts);
                }
            }
            keep(vec![run]);
            best
        }
    }
}

/// Longer is better, fewer is better; more than a dozen bytes make no difference.
fn score(texts: &[Vec<u8>]) -> (usize, usize) {
    (shortest(texts).min(12), MOST.saturating_sub(texts.len()))
}

/// The one text that `hir` matches, ignoring ASCII case.
fn exact(hir: &Hir) -> Option<Vec<u8>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(literal.0.to_ascii_lowercase()),
        HirKind::Look(_) | HirKind::Empty => Some(Vec::new()),
        HirKind::Class(Class::Unicode(class)) => {
            // `[Kk]`, which is what `(?i)k` becomes; the third one is the sign of Kelvin or the long s.
            let mut letter = None;
            for range in class.iter() {
                if range.start() != range.end() {
                    return None;
                }
                let folded = match range.start() {
                    '\u{212a}' => 'k',
                    '\u{17f}' => 's',
                    other => other.to_ascii_lowercase(),
                };
                if letter.is_some_and(|letter| letter != folded) {
                    return None;
                }
                letter = Some(folded);
            }
            let letter = letter.filter(char::is_ascii)?;
            Some(vec![u8::try_from(letter).ok()?])
        }
        HirKind::Concat(parts) => {
            let texts: Option<Vec<Vec<u8>>> = parts.iter().map(exact).collect();
            Some(texts?.concat())
        }
        HirKind::Capture(capture) => exact(&capture.sub),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pattern: &str) -> Option<Vec<String>> {
        required(&regex_syntax::parse(pattern).unwrap())
    }

    #[test]
    fn the_longest_text_of_a_sequence_is_required() {
        assert_eq!(
            of(r"^E: The repository '\S+' is not signed"),
            Some(vec!["e: the repository '".to_owned()])
        );
        assert_eq!(of(r"\bheap (?:out of )?memory"), Some(vec!["memory".to_owned()]));
    }

    #[test]
    fn one_text_of_each_branch_is_required() {
        assert_eq!(of("not found|\\d+ missing"), Some(vec!["not found".to_owned(), " missing".to_owned()]));
        assert_eq!(of("not found|\\d+"), None);
    }

    #[test]
    fn case_is_ignored() {
        assert_eq!(of("(?i)no such disk"), Some(vec!["no such disk".to_owned()]));
    }

    #[test]
    fn a_pattern_of_classes_requires_no_text() {
        assert_eq!(of(r"\w+: \d+"), None);
        assert_eq!(of("a.*b"), None);
    }
}
