//! Terminal codes and control characters, also where a client wrote them out (`\x1b[31m`, `\033[0m`, `^[[K`)
//! or lost the escape character (`[31m`). `\r\n` and a lone `\r` become `\n`.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::bytes::{Match, Regex, RegexBuilder};

/// Terminal codes, control characters, and characters of Unicode that hide or turn text. Of titles and other strings
/// at most 256 bytes belong to a code.
const CONTROLS: &str = r"(?x)
    (?:\x1b\[|\xc2\x9b)[\x20-\x3f]{0,32}[\x40-\x7e]?
    | \x1b[\]P^_X][^\x07\x1b\n]{0,256}(?:\x07|\x1b\\)
    | \x1b[()\#%][0-9A-Za-z] | \x1b[\x30-\x7e]
    | \r\n | [\x00-\x08\x0b-\x1f\x7f]
    | \xc2[\x80-\x9f\xad] | \xe2\x80[\x8b-\x8f\xaa-\xae] | \xe2\x81[\xa0-\xa9] | \xef\xbb\xbf";

/// Codes whose escape character is written out or lost.
const WRITTEN: &str = r"(?x)
    \\{1,4}(?i:x1b|u001b|u\{1b\}|0{0,2}33|u009b)(?:\[[\x20-\x3f]{0,32}[\x40-\x7e]?|\([0-9A-Za-z])?
    | (?:\\{1,4}(?:e|27)|\^\[)\[[\x20-\x3f]{0,31}[A-Za-z]
    | \[\?[0-9]{1,3}(?:;[0-9]{1,3})*[hl] | \[[0-9]{1,3}(?:;[0-9]{0,3})*m";

fn regex(pattern: &str) -> Regex {
    RegexBuilder::new(pattern).unicode(false).build().expect("a test compiles it")
}

/// `text` without terminal codes and control characters other than newline and tab.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    static CONTROL: LazyLock<Regex> = LazyLock::new(|| regex(CONTROLS));
    static CODE: LazyLock<Regex> = LazyLock::new(|| regex(WRITTEN));
    let is_control = |byte: u8| byte < b' ' && byte != b'\n' && byte != b'\t' || byte == 0x7f;
    let may_hide = |byte: u8| matches!(byte, 0xc2 | 0xe2 | 0xef);
    let mut text = Cow::Borrowed(text);
    if text.bytes().any(|byte| is_control(byte) || may_hide(byte)) {
        text = without(text, &CONTROL, |out, code, _| {
            if code.as_bytes().starts_with(b"\r") {
                out.push('\n');
            }
            true
        });
    }
    if memchr::memchr3(b'\\', b'[', b'^', text.as_bytes()).is_none() {
        return text;
    }
    without(text, &CODE, |out, code, rest| {
        // `[5m]` is a range of time.
        let is_range = code.as_bytes().starts_with(b"[") && rest.starts_with(']');
        // What now stands side by side must not be read as a code the next time.
        if !is_range && rest.starts_with(|next: char| !next.is_whitespace()) && ends_like_a_code(out) {
            out.push(' ');
        }
        !is_range
    })
}

/// `text` without the matches for which `remove` returns true; it gets what is before, the match, and what is behind.
fn without<'t>(
    text: Cow<'t, str>,
    pattern: &Regex,
    mut remove: impl FnMut(&mut String, Match<'_>, &str) -> bool,
) -> Cow<'t, str> {
    let mut out = String::new();
    let mut done = 0;
    for code in pattern.find_iter(text.as_bytes()) {
        out.push_str(&text[done..code.start()]);
        let kept = if remove(&mut out, code, &text[code.end()..]) { code.end() } else { code.start() };
        done = kept;
    }
    if done == 0 && out.is_empty() {
        return text;
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

fn ends_like_a_code(out: &str) -> bool {
    let tail = &out.as_bytes()[out.len().saturating_sub(24)..];
    let opening = tail.iter().rposition(|byte| matches!(byte, b'[' | b'\\' | b'^'));
    opening.is_some_and(|opening| {
        tail[opening + 1..].iter().all(|byte| b"0123456789;?xXuUbB{}eE".contains(byte))
    })
}
