//! Where a value begins and ends: behind `=`, `:`, `=>` or white space, in quotes of any kind and any depth
//! of escaping, or up to the next white space. Values that say nothing survive.

use super::Placeholder;
use super::chars::{before, byte, is_one_of, is_quote, is_word, line_break, run_end, run_start, stands_at};
use super::spans::Spans;
use super::wrap::with_rest;

/// What stands between a name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Equals,
    Colon,
    Space,
}

/// Longest value in quotes, in bytes.
const MAX_QUOTED: usize = 512;

/// Values that say nothing, behind any sign.
const EMPTY_VALUES: &[&str] = &[
    "true",
    "false",
    "yes",
    "no",
    "null",
    "none",
    "nil",
    "undefined",
    "on",
    "off",
    "string",
    "str",
    "bool",
    "any",
    "number",
    "int",
    "bytes",
    "object",
    "self",
    "optional",
    "required",
    "enabled",
];
/// What follows a colon where it begins a sentence.
const PROSE: &[&str] = &[
    "not",
    "is",
    "was",
    "missing",
    "invalid",
    "incorrect",
    "failed",
    "authentication",
    "permission",
    "must",
    "cannot",
    "could",
    "unable",
    "expected",
    "the",
    "a",
    "an",
    "error",
    "no",
    "unauthorized",
    "expired",
    "wrong",
    "too",
    "access",
    "unknown",
    "denied",
    "connection",
    "failure",
    "required",
    "disabled",
    "changed",
    "updated",
    "set",
    "empty",
    "unset",
    "using",
    "unexpected",
    "accepted",
    "rejected",
    "be",
    "password",
    "token",
];

/// The sign behind a name that ends at `end`, past the quotes that close the name, and where its value begins.
pub(super) fn sign_after(text: &[u8], end: usize) -> Option<(Sign, usize)> {
    let at = run_end(text, end, |byte| is_quote(byte) || matches!(byte, b'\\' | b']'));
    let blank = run_end(text, at, |byte| matches!(byte, b' ' | b'\t'));
    let (sign, length) = match byte(text, blank) {
        b'=' => (Sign::Equals, run_end(text, blank, |byte| matches!(byte, b'=' | b'>')) - blank),
        b':' if byte(text, blank + 1) == b'=' => (Sign::Equals, 2),
        b':' if byte(text, blank + 1) == b':' || stands_at(text, blank, b"://") => return None,
        b':' => (Sign::Colon, 1),
        b'%' if stands_at(text, blank, b"%3d") || stands_at(text, blank, b"%3a") => (Sign::Equals, 3),
        b'\\' if stands_at(text, blank, b"\\u003d") => (Sign::Equals, 6),
        _ if at > end && stands_at(text, at - 1, b"\\u003d") => (Sign::Equals, 5),
        _ if blank > at => return Some((Sign::Space, blank)),
        _ => return None,
    };
    let after = blank + length;
    Some((sign, run_end(text, after, |byte| matches!(byte, b' ' | b'\t'))))
}

/// Whether a quote, escaped or not, begins at `at`.
pub(super) fn is_quoted(text: &[u8], at: usize) -> bool {
    is_quote(byte(text, run_end(text, at, |byte| byte == b'\\')))
}

/// Adds the value at `start`; its end, or `None` if it says nothing.
pub(super) fn add(text: &[u8], start: usize, sign: Sign, spans: &mut Spans) -> Option<usize> {
    let quote = run_end(text, start, |byte| is_quote(byte) || byte == b'\\');
    if stands_at(text, quote, b"$(") {
        return None;
    }
    let (start, end) = bounds(text, start);
    let value = &text[start..end];
    if value.is_empty() || says_nothing(value, sign) {
        return None;
    }
    let end = with_rest(text, end);
    spans.add(start, end, Placeholder::Secret);
    Some(end)
}

/// Start and end of the value at `at`, without its quotes.
fn bounds(text: &[u8], at: usize) -> (usize, usize) {
    let slashes = run_end(text, at, |byte| byte == b'\\') - at;
    let at = if byte(text, at) == b'$' && byte(text, at + 1) == b'\'' { at + 1 } else { at };
    let quote = byte(text, at + slashes);
    if is_quote(quote) {
        let start = at + slashes + 1;
        if let Some(end) = closing(text, start, quote, slashes) {
            return (start, end);
        }
        // No end: the text was cut, or never had one.
        let limit = text.len().min(start + MAX_QUOTED);
        let end = run_end(&text[..limit], start, |byte| byte != b'\n');
        return (start, if end == limit { word_end(text, start) } else { end });
    }
    (at, word_end(text, at))
}

fn closing(text: &[u8], start: usize, quote: u8, slashes: usize) -> Option<usize> {
    let limit = text.len().min(start + MAX_QUOTED);
    let mut at = start;
    while let Some(found) = text[at..limit].iter().position(|byte| *byte == quote) {
        let sign = at + found;
        let escapes = sign - run_start(text, sign, start, |byte| byte == b'\\');
        let quoted = slashes == 0 && (escapes.is_multiple_of(2) || quote == b'\'');
        if escapes <= slashes || quoted {
            return Some(sign - escapes.min(slashes));
        }
        at = sign + 1;
    }
    None
}

/// End of a value without quotes: white space, or a quote that closes what the pair stands in.
fn word_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        let end = run_end(text, at, |byte| !byte.is_ascii_whitespace() && !is_quote(byte) && byte != b'<');
        if byte(text, end) == b'<' {
            // The end of an element.
            if byte(text, end + 1) == b'/' {
                return end;
            }
            at = end + 1;
            continue;
        }
        if !is_quote(byte(text, end)) {
            return end;
        }
        let next = byte(text, end + 1);
        if !is_word(next) {
            return run_start(text, end, start, |byte| byte == b'\\');
        }
        at = end + 1;
    }
}

fn says_nothing(value: &[u8], sign: Sign) -> bool {
    let plain = &value[..run_start(value, value.len(), 0, |byte| {
        matches!(byte, b',' | b';' | b')' | b'}' | b']' | b'.' | b'?')
    })];
    let is_mask =
        |byte: &u8| b"*.-_<>[]{}(),;".contains(byte) || (value.len() > 2 && matches!(byte, b'x' | b'X'));
    let masked = value.iter().all(is_mask);
    let number = plain.len() <= 3 && plain.iter().all(u8::is_ascii_digit);
    masked
        || is_placeholder(plain)
        || is_variable(plain)
        || is_one_of(plain, EMPTY_VALUES)
        || (sign == Sign::Colon && (number || is_one_of(plain, PROSE)))
}

fn is_placeholder(value: &[u8]) -> bool {
    Placeholder::ALL.iter().any(|placeholder| placeholder.as_str().as_bytes() == value)
}

/// `$NAME`, `${name}`, `$(command)`: what a script says, not what it is.
fn is_variable(value: &[u8]) -> bool {
    let Some(rest) = value.strip_prefix(b"$") else {
        return false;
    };
    match rest.first() {
        Some(b'(') => true,
        Some(b'{') => {
            rest.ends_with(b"}") || rest[1..].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        }
        Some(_) => rest.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_'),
        None => false,
    }
}

/// `Authorization: Bearer x`, `Cookie: a=b; c=d`: all up to the end of the line or the closing quote.
pub(super) fn add_header(text: &[u8], start: usize, spans: &mut Spans) -> Option<usize> {
    if is_quoted(text, start) {
        return add(text, start, Sign::Equals, spans);
    }
    let first = &text[start..run_end(text, start, u8_is_letter)];
    let is_prose = is_one_of(first, PROSE) || is_one_of(first, EMPTY_VALUES);
    if is_prose && byte(text, start + first.len()) != b'=' {
        return None;
    }
    let end = run_end(text, start, |byte| !matches!(byte, b'\n' | b'"' | b'\'' | b'`' | b'|'));
    let end = run_start(text, end, start, |byte| matches!(byte, b'\\' | b' ' | b'\t'));
    let end = match text[start..end].windows(2).position(|pair| pair == b"\\n") {
        Some(found) if before(text, start + found) != b'\\' => start + found,
        _ => end,
    };
    if is_placeholder(&text[start..end]) {
        return None;
    }
    let end = with_rest(text, end);
    spans.add(start, end, Placeholder::Secret);
    Some(end)
}

const fn u8_is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic()
}

/// The word behind `Bearer` or `Basic`. `strictly`: only one that no sentence has.
pub(super) fn add_credentials(text: &[u8], start: usize, strictly: bool, spans: &mut Spans) {
    let end = word_end(text, start);
    let value = &text[start..end];
    let prose = [
        "token",
        "tokens",
        "auth",
        "authentication",
        "authorization",
        "scheme",
        "realm",
        "credentials",
        "error",
    ];
    let plain = value.len() < 4 || is_one_of(value, &prose) || says_nothing(value, Sign::Colon);
    let odd = value.iter().any(u8::is_ascii_digit)
        || value.ends_with(b"=")
        || value[1.min(value.len())..].iter().any(u8::is_ascii_uppercase);
    if !plain && (!strictly || (odd && value.len() >= 8)) {
        spans.add(start, with_rest(text, end), Placeholder::Secret);
    }
}

/// The password in `name:password` behind a flag.
pub(super) fn add_after_colon(text: &[u8], at: usize, spans: &mut Spans) {
    let (start, end) = bounds(text, run_end(text, at, |byte| byte == b' '));
    if let Some(colon) = text[start..end].iter().position(|byte| *byte == b':') {
        let value = &text[start + colon + 1..end];
        if !value.starts_with(b"//") && !value.is_empty() && !says_nothing(value, Sign::Equals) {
            spans.add(start + colon + 1, end, Placeholder::Secret);
        }
    }
}

/// The content of an XML element that begins at `start`.
pub(super) fn add_element(text: &[u8], start: usize, spans: &mut Spans) {
    let limit = text.len().min(start + MAX_QUOTED);
    let end = run_end(&text[..limit], start, |byte| byte != b'<' && byte != b'\n');
    let end = if is_placeholder_at(text, end) {
        end + run_end(&text[end..limit], 0, |byte| byte != b'>')
    } else {
        end
    };
    if byte(text, end) == b'<' && byte(text, end + 1) == b'/' && line_break(text, start).is_none() {
        spans.add(start, end, Placeholder::Secret);
    }
}

fn is_placeholder_at(text: &[u8], at: usize) -> bool {
    Placeholder::ALL.iter().any(|placeholder| text[at..].starts_with(placeholder.as_str().as_bytes()))
}
