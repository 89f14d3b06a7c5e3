//! Names of hosts: under domains of private networks and of services that name somebody's home, and where the
//! words around say so. Names of public hosts survive.

use super::Placeholder;
use super::chars::{before, byte, ends_with, is_name, is_one_of, is_word, run_end, run_start};
use super::data::{FILE_DOMAINS, GENERIC_HOSTS, NOT_HOSTS, NOT_NAMES, PROSE};
use super::spans::Spans;

/// Adds the name that ends with the private domain at `dot..end`.
pub(super) fn add_under_domain(text: &[u8], (dot, end): (usize, usize), spans: &mut Spans) {
    let rest = run_end(text, end, is_name);
    let is_whole = text[end..rest].iter().all(|byte| matches!(byte, b'.' | b'-' | b'_'));
    let start = run_start(text, dot, dot.saturating_sub(253), is_name);
    let start = run_end(text, start, |byte| matches!(byte, b'.' | b'-' | b'_'));
    if !is_whole || start >= dot || byte(text, rest) == b'(' {
        return;
    }
    let (name, domain) = (&text[start..end], &text[dot..end]);
    let previous = before(text, start);
    let in_path = previous == b'/' && start > 1 && (is_word(text[start - 2]) || text[start - 2] == b'.');
    if is_one_of(name, NOT_HOSTS) || (previous == b'.' || in_path) && is_one_of(domain, FILE_DOMAINS) {
        return;
    }
    // `\nnas.lan` is a line break and a name.
    let escape = previous == b'\\' && matches!(name[0], b'n' | b't' | b'r');
    spans.add(start + usize::from(escape), end, Placeholder::Host);
}

/// Adds the name at `start`, which the words before it announce; one with dots only if `dotted`.
pub(super) fn add_name(text: &[u8], start: usize, dotted: bool, spans: &mut Spans) {
    let end = run_end(text, start, is_name);
    let end = run_start(text, end, start, |byte| matches!(byte, b'.' | b'-'));
    let name = &text[start..end];
    let is_number = name.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let is_platform = name.starts_with(b"linux")
        || name.starts_with(b"x86_64")
        || name.starts_with(b"aarch64")
        || ends_with(name, b"-gnu");
    let is_placeholder = before(text, start) == b'<' && byte(text, end) == b'>';
    let is_code = matches!(byte(text, end), b'(' | b'$') || byte(text, end) == b'/' && !dotted;
    if name.is_empty() || name[0] == b'-' || name.contains(&b'.') && !dotted || is_number || is_placeholder {
        return;
    }
    if !is_platform && !is_code && !is_one_of(name, GENERIC_HOSTS) && !is_one_of(name, PROSE) {
        spans.add(start, end, Placeholder::Host);
    }
}

/// Longest line of `/etc/hosts`, in bytes.
const MAX_LINE: usize = 256;

/// Adds the names behind the address at `start..end` if it begins a line with nothing but names:
/// `192.168.1.2 nas.example.org nas`.
pub(super) fn add_names_of_address(text: &[u8], (start, end): (usize, usize), spans: &mut Spans) {
    let begin = run_start(text, start, start.saturating_sub(MAX_LINE), |byte| matches!(byte, b' ' | b'\t'));
    let line_end = run_end(&text[..text.len().min(end + MAX_LINE)], end, |byte| byte != b'\n');
    if !matches!(before(text, begin), 0 | b'\n') || !matches!(byte(text, end), b' ' | b'\t') {
        return;
    }
    let words = || text[end..line_end].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let is_host = |word: &[u8]| {
        word.iter().all(|byte| is_name(*byte))
            && word[0].is_ascii_alphanumeric()
            && word.iter().any(u8::is_ascii_alphabetic)
            && !is_one_of(word, NOT_NAMES)
    };
    if !(1..=6).contains(&words().count()) || !words().all(|word| is_host(word) || word == b"<host>") {
        return;
    }
    let mut at = end;
    while at < line_end {
        at = run_end(text, at, |byte| matches!(byte, b' ' | b'\t'));
        add_name(text, at, true, spans);
        at = run_end(text, at, |byte| !byte.is_ascii_whitespace()).max(at + 1);
    }
}
