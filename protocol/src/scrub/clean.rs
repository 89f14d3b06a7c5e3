//! Terminal codes and control characters, also where a client wrote them out (`\x1b[31m`, `\033[0m`, `^[[K`)
//! or lost the escape character (`[31m`). `\r\n` and a lone `\r` become `\n`.

use std::borrow::Cow;

use super::chars::byte;

/// `text` without terminal codes and control characters other than newline and tab.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    let raw = text.bytes().any(|byte| byte < b' ' && byte != b'\n' && byte != b'\t' || byte == 0x7f)
        || !text.is_ascii() && text.chars().any(is_invisible);
    let text = if raw { Cow::Owned(without_controls(text)) } else { Cow::Borrowed(text) };
    without_written_codes(text)
}

/// Control characters of Unicode, and the ones that hide or turn text.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

fn without_controls(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let next = at + c.len_utf8();
        at = match c {
            '\x1b' => code_end(bytes, next),
            '\u{9b}' => sequence_end(bytes, next),
            '\r' => {
                if byte(bytes, next) != b'\n' {
                    out.push('\n');
                }
                next
            }
            '\n' | '\t' => {
                out.push(c);
                next
            }
            _ if c.is_ascii_control() || is_invisible(c) => next,
            _ => {
                out.push(c);
                next
            }
        };
    }
    out
}

/// Longest title or other string that a terminal code may carry, in bytes.
const MAX_CODE_STRING: usize = 256;

/// End of the terminal code whose escape character ends at `at`.
fn code_end(text: &[u8], at: usize) -> usize {
    match byte(text, at) {
        b'[' => sequence_end(text, at + 1),
        b']' | b'P' | b'^' | b'_' | b'X' => {
            let rest = &text[at..text.len().min(at + MAX_CODE_STRING)];
            let end = rest.iter().position(|byte| matches!(byte, 0x07 | 0x1b | b'\n'));
            end.map_or(at + 1, |end| at + end)
        }
        b'(' | b')' | b'#' | b'%' if byte(text, at + 1).is_ascii_alphanumeric() => at + 2,
        b'0'..=b'~' => at + 1,
        _ => at,
    }
}

/// End of a control sequence: parameters, then one final byte.
fn sequence_end(text: &[u8], at: usize) -> usize {
    let mut end = at;
    while matches!(byte(text, end), 0x20..=0x3f) && end - at < 32 {
        end += 1;
    }
    if matches!(byte(text, end), 0x40..=0x7e) { end + 1 } else { end }
}

fn without_written_codes(text: Cow<'_, str>) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let (mut done, mut at) = (0, 0);
    while let Some(found) = memchr::memchr3(b'\\', b'[', b'^', &bytes[at..]) {
        at += found;
        let Some(end) = written_code_end(bytes, at) else {
            at += 1;
            continue;
        };
        out.push_str(&text[done..at]);
        // What now stands side by side must not be read as a code the next time.
        if end < bytes.len() && !bytes[end].is_ascii_whitespace() && ends_like_a_code(out.as_bytes()) {
            out.push(' ');
        }
        (done, at) = (end, end);
    }
    if done == 0 {
        return text;
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// The ways in which the escape character is written.
const WRITTEN: &[&[u8]] =
    &[b"\\x1b", b"\\u001b", b"\\u{1b}", b"\\033", b"\\0033", b"\\e", b"\\27", b"\\u009b", b"^["];

fn written_code_end(text: &[u8], at: usize) -> Option<usize> {
    if text[at] == b'[' {
        return orphan_end(text, at);
    }
    let slashes = text[at..].iter().take(4).take_while(|byte| **byte == b'\\').count();
    let from = at + slashes.saturating_sub(1);
    let escape = WRITTEN.iter().find(|escape| {
        text.get(from..from + escape.len()).is_some_and(|part| part.eq_ignore_ascii_case(escape))
    })?;
    let end = from + escape.len();
    let plain = matches!(*escape, b"\\e" | b"\\27" | b"^[");
    match byte(text, end) {
        b'[' => {
            let close = sequence_end(text, end + 1);
            // `^[[]` and the like are regular expressions.
            (!plain || byte(text, close - 1).is_ascii_alphabetic() && close > end + 1).then_some(close)
        }
        b'(' if byte(text, end + 1).is_ascii_alphanumeric() && !plain => Some(end + 2),
        _ => (!plain).then_some(end),
    }
}

/// End of a colour or cursor code at `at` that lost its escape character.
fn orphan_end(text: &[u8], at: usize) -> Option<usize> {
    let is_private = byte(text, at + 1) == b'?';
    let mut end = at + 1 + usize::from(is_private);
    let mut numbers = 0;
    loop {
        let digits = text[end..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 || digits > 3 {
            break;
        }
        numbers += 1;
        end += digits;
        if byte(text, end) != b';' {
            break;
        }
        end += 1;
    }
    let last = byte(text, end);
    let closes = if is_private { matches!(last, b'h' | b'l') } else { last == b'm' };
    // `[5m]` is a range of time.
    (numbers > 0 && closes && byte(text, end + 1) != b']').then_some(end + 1)
}

fn ends_like_a_code(out: &[u8]) -> bool {
    let tail = &out[out.len().saturating_sub(24)..];
    let Some(opening) = tail.iter().rposition(|byte| matches!(byte, b'[' | b'\\' | b'^')) else {
        return false;
    };
    let is_part = |byte: &u8| {
        matches!(
            byte,
            b'0'..=b'9' | b';' | b'?' | b'x' | b'X' | b'u' | b'U' | b'b' | b'B' | b'{' | b'}' | b'e' | b'E'
        )
    };
    tail[opening + 1..].iter().all(is_part)
}
