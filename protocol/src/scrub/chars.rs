//! What the rules need to know about single bytes and about where a word begins.
//!
//! Rules work on bytes. Every byte of a character beyond ASCII counts as part of a word, so that a limit
//! found by a rule always lies next to an ASCII byte, which is a character boundary.

/// A letter, a digit, or part of a character beyond ASCII.
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// What tokens, base64 and base64url are made of.
pub(super) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-' | b'=')
}

/// What names of hosts and files are made of.
pub(super) const fn is_name(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'.' | b'_' | b'-')
}

/// One of the three quotes.
pub(super) const fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// The byte at `at`, 0 behind the end: a cleaned text has no zero bytes.
pub(super) fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// The byte before `at`, 0 at the start.
pub(super) fn before(text: &[u8], at: usize) -> u8 {
    if at == 0 { 0 } else { byte(text, at - 1) }
}

/// Whether `needle` (lower case) stands at `at`, in any case.
pub(super) fn stands_at(text: &[u8], at: usize, needle: &[u8]) -> bool {
    text.get(at..at + needle.len()).is_some_and(|part| part.eq_ignore_ascii_case(needle))
}

/// Whether `text` ends with `needle` (lower case), in any case.
pub(super) fn ends_with(text: &[u8], needle: &[u8]) -> bool {
    let last = |text: &[u8]| text.last().map(u8::to_ascii_lowercase);
    text.len() >= needle.len()
        && last(text) == last(needle)
        && text[text.len() - needle.len()..].eq_ignore_ascii_case(needle)
}

/// Whether `word` is one of `list` (lower case), in any case.
pub(super) fn is_one_of(word: &[u8], list: &[&str]) -> bool {
    list.iter().any(|listed| word.eq_ignore_ascii_case(listed.as_bytes()))
}

/// Whether an escape ends at `at`: `\n`, `\x1f`, `\u003c`, `%3D`. What follows it begins a word.
pub(super) fn escape_ends_at(text: &[u8], at: usize) -> bool {
    let hex = |from: usize| text[from..at].iter().all(u8::is_ascii_hexdigit);
    (at >= 2 && text[at - 2] == b'\\' && matches!(text[at - 1], b'n' | b'r' | b't' | b'b' | b'f' | b'v'))
        || (at >= 3 && text[at - 3] == b'%' && hex(at - 2))
        || (at >= 4 && text[at - 4] == b'\\' && text[at - 3] == b'x' && hex(at - 2))
        || (at >= 6 && text[at - 6] == b'\\' && text[at - 5] == b'u' && hex(at - 4))
}

/// Length of the hexadecimal digits of an escape (`\u003c`, `\x3c`, `%3c`) at `at`, which stand directly before
/// what could be read together with them; 0 if there are none.
pub(super) fn escape_digits(text: &[u8], at: usize) -> usize {
    let length = match before(text, at) {
        b'u' if at >= 2 && text[at - 2] == b'\\' => 4,
        b'x' if at >= 2 && text[at - 2] == b'\\' => 2,
        b'%' => 2,
        _ => return 0,
    };
    let digits = text.get(at..at + length);
    if digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) { length } else { 0 }
}

/// Whether a word can begin at `at`.
pub(super) fn begins_word(text: &[u8], at: usize) -> bool {
    !is_word(before(text, at)) || escape_ends_at(text, at)
}

/// Length of the line break at `at` in any encoding that reaches us, with the indentation behind it: a
/// newline, `\n` as two characters (also escaped twice), the `|` of generation 2, a shell continuation.
pub(super) fn line_break(text: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    loop {
        let slashes = text[end..].iter().take(4).take_while(|byte| **byte == b'\\').count();
        match byte(text, end + slashes) {
            b'\n' | b'|' => end += slashes + 1,
            b'n' | b'r' if slashes > 0 => end += slashes + 1,
            _ => break,
        }
    }
    if end == at {
        return None;
    }
    end += text[end..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    Some(end - at)
}

/// Start of the run before `at` whose bytes all are `wanted`, not before `floor`.
pub(super) fn run_start(text: &[u8], at: usize, floor: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let run = text[floor..at].iter().rev().take_while(|byte| wanted(**byte)).count();
    at - run
}

/// End of the run from `at` whose bytes all are `wanted`.
pub(super) fn run_end(text: &[u8], at: usize, wanted: impl Fn(u8) -> bool) -> usize {
    at + text[at.min(text.len())..].iter().take_while(|byte| wanted(**byte)).count()
}

/// The word before `at` (letters, digits, `_`, `-`) within 48 bytes and the same line, and its start. Empty
/// when there is none.
pub(super) fn word_before(text: &[u8], at: usize) -> (&[u8], usize) {
    let floor = at.saturating_sub(48);
    let is_part = |byte: u8| is_word(byte) || matches!(byte, b'_' | b'-');
    let end = run_start(text, at, floor, |byte| !is_part(byte) && byte != b'\n');
    let start = run_start(text, end, floor, is_part);
    (&text[start..end], start)
}
