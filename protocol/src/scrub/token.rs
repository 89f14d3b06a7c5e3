//! Tokens, by the prefix that their service gives them, by their build, or because they look random. UUIDs become
//! `<id>`. Hashes of packages, images and commits survive where the line says what they are.

use super::Placeholder;
use super::chars::{
    before, begins_word, byte, ends_with, escape_digits, is_one_of, is_token, is_word, run_end, run_start,
    stands_at,
};
use super::colons::mac_at;
use super::data::{CHECKSUMS, HASHES};
use super::random::{SHORTEST, is_hex, is_odd, is_random, may_be_rest};
use super::spans::Spans;
use super::wrap::{with_front, with_rest};

/// Adds the token with a known prefix at `start..body` if at least `min` characters follow; where it ends.
pub(super) fn add_prefixed(
    text: &[u8],
    (start, body): (usize, usize),
    min: usize,
    spans: &mut Spans,
) -> Option<usize> {
    let end = run_end(text, body, |byte| is_token(byte) || matches!(byte, b'.' | b'~'));
    let end = run_start(text, end, body, |byte| matches!(byte, b'.' | b'-' | b'/'));
    let judged = &text[body..end.min(body + MAX_JUDGED)];
    let longest = judged.split(|byte| matches!(byte, b'_' | b'-' | b'.')).map(<[u8]>::len).max().unwrap_or(0);
    let is_odd = judged.iter().any(u8::is_ascii_digit) || may_be_rest(judged) || longest >= 20;
    // The token may go on behind a line break.
    let rest = if end - body < min || is_odd { with_rest(text, end) } else { end };
    let credible = end - body >= min && longest >= min.min(10) && is_odd;
    if !credible && (rest == end || rest - body < min) {
        return None;
    }
    spans.add(with_front(text, start, 0), rest, Placeholder::Token);
    Some(rest)
}

/// How much of a token it takes to judge it, in bytes.
const MAX_JUDGED: usize = 96;

/// Adds tokens that no keyword announces.
pub(super) fn find(text: &[u8], spans: &mut Spans) {
    let mut lines = HashLines::default();
    let mut judged = (0, 0);
    let (mut done, mut at) = (0, 0);
    loop {
        at = run_end(text, at, |byte| !byte.is_ascii_alphanumeric());
        if at >= text.len() {
            return;
        }
        let word_end = run_end(text, at, |byte| byte.is_ascii_alphanumeric());
        // `\nabc` is a line break and a word.
        let start = match (before(text, at), text[at]) {
            (b'\\', b'n' | b't' | b'r') => at + 1,
            (b'\\', b'u' | b'x') => at + 1 + escape_digits(text, at + 1),
            _ => at + escape_digits(text, at),
        };
        at = word_end;
        if start >= word_end {
            continue;
        }
        let whole = !is_token(byte(text, word_end));
        let found = if word_end - start == 8 && is_uuid(text, start) {
            Some((start, start + 36, Placeholder::Id))
        } else if let Some((start, end)) = mac_at(text, start, word_end) {
            Some((start, end, Placeholder::Mac))
        } else if whole && (is_label_of_url(text, start, word_end) || is_account(&text[start..word_end])) {
            Some((start, word_end, Placeholder::Token))
        } else if let Some(end) = bot_end(text, start, word_end) {
            Some((with_front(text, start, done), with_rest(text, end), Placeholder::Token))
        } else if word_end - start >= if whole { SHORTEST } else { 1 } {
            random(text, (start, word_end), done, &mut lines, &mut judged)
        } else {
            None
        };
        if let Some((start, end, placeholder)) = found {
            spans.add(start, end, placeholder);
            (done, at) = (end, end.max(word_end));
        }
    }
}

fn is_uuid(text: &[u8], at: usize) -> bool {
    let Some(all) = text.get(at..at + 36) else {
        return false;
    };
    let fits = all.iter().enumerate().all(|(index, byte)| match index {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    fits && !is_word(byte(text, at + 36)) && begins_word(text, at)
}

/// `https://3f9a7c21b4e8d06f.tunnel.example.com`
fn is_label_of_url(text: &[u8], start: usize, end: usize) -> bool {
    let label = &text[start..end];
    end - start >= 16
        && byte(text, end) == b'.'
        && text[..start].ends_with(b"://")
        && is_hex(label)
        && is_odd(label)
}

/// Two capitals and 32 hexadecimal digits: accounts and keys of Twilio.
fn is_account(word: &[u8]) -> bool {
    word.len() == 34
        && word[..2].iter().all(u8::is_ascii_uppercase)
        && is_hex(&word[2..])
        && word[2..].iter().any(u8::is_ascii_digit)
}

/// Tokens of bots: `123456789:AA…` (Telegram), three random parts with dots (Discord).
fn bot_end(text: &[u8], start: usize, end: usize) -> Option<usize> {
    if end - start < 8 || !matches!(byte(text, end), b':' | b'.' | b'-' | b'_') {
        return None;
    }
    let text = &text[..text.len().min(end + 2 * MAX_JUDGED)];
    let part =
        |at: usize| run_end(text, at, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let word = &text[start..end];
    if byte(text, end) == b':' && (8..=10).contains(&word.len()) && word.iter().all(u8::is_ascii_digit) {
        let close = part(end + 1);
        return (33..=40).contains(&(close - end - 1)).then_some(close);
    }
    let first = part(start);
    let (second, third) = (part(first + 1), part(part(first + 1) + 1));
    let is_bot = byte(text, first) == b'.'
        && (23..=30).contains(&(first - start))
        && (6..=9).contains(&(second - first));
    (is_bot && byte(text, second) == b'.' && third - second > 25).then_some(third)
}

/// The random word around the letters and digits from `at` to `end`, nothing before `done`.
fn random(
    text: &[u8],
    (at, end): (usize, usize),
    done: usize,
    lines: &mut HashLines,
    judged: &mut (usize, u32),
) -> Option<(usize, usize, Placeholder)> {
    let word = &text[at..end];
    // Names that compilers make: `_ZN4core3fmt…`.
    if word.starts_with(b"Z") && before(text, at) == b'_' {
        return None;
    }
    let found = if word.len() >= SHORTEST && is_random(word) {
        end
    } else {
        // A long path has many words; two of them are judged together with the rest.
        if at >= judged.0 {
            *judged = (run_end(&text[..text.len().min(at + 512)], end, is_token), 0);
        }
        judged.1 += 1;
        let whole = judged.0;
        if judged.1 > 2 || whole < at + 24 || whole <= end || !is_joined_random(&text[at..whole]) {
            return None;
        }
        whole
    };
    if found == end && is_hex(word) && lines.say_so(text, at, end) || is_checksum(text, at) {
        return None;
    }
    let start = with_front(text, with_sides(text, at, done), done);
    Some((start, with_rest(text, with_tail(text, found)), Placeholder::Token))
}

/// Parts that are short for themselves, as base64 has them between its `/`, `+`, `-` and `_`.
fn is_joined_random(run: &[u8]) -> bool {
    let run = &run[..run.len().min(256)];
    let separators = run.iter().filter(|byte| !byte.is_ascii_alphanumeric()).count();
    let parts = || run.split(|byte| !byte.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let odd = parts().filter(|part| part.len() >= 3 && may_be_rest(part)).count();
    let plain = parts().filter(|part| part.len() >= 5 && !may_be_rest(part)).count();
    // Padding says base64.
    if run.ends_with(b"==") && odd >= 1 && separators * 2 <= run.len() {
        return true;
    }
    odd >= 2
        && is_random(run)
        && separators * 5 <= run.len()
        && plain == 0
        && run.iter().any(u8::is_ascii_uppercase)
        && run.iter().any(u8::is_ascii_lowercase)
}

/// `sha512-…`, `h1:…`: checksums of package managers.
fn is_checksum(text: &[u8], at: usize) -> bool {
    let run = run_start(text, at, at.saturating_sub(160), is_token);
    CHECKSUMS.iter().any(|mark| {
        stands_at(text, run, mark.as_bytes())
            || mark.ends_with(':') && ends_with(&text[..run], mark.as_bytes())
    })
}

/// Beginning of the random word, with odd parts before `at`.
fn with_sides(text: &[u8], at: usize, floor: usize) -> usize {
    let mut start = at;
    loop {
        let signs = run_start(text, start, floor, |byte| matches!(byte, b'+' | b'/' | b'_' | b'-'));
        let floor = floor.max(signs.saturating_sub(64));
        let part = run_start(text, signs, floor, |byte| byte.is_ascii_alphanumeric());
        if signs == start || part == signs || !may_be_rest(&text[part..signs]) {
            return start;
        }
        start = part;
    }
}

/// End of the random word, with odd parts and padding behind `at`.
fn with_tail(text: &[u8], at: usize) -> usize {
    let mut end = at;
    loop {
        let signs = run_end(text, end, |byte| is_token(byte) && !byte.is_ascii_alphanumeric());
        let part = run_end(text, signs, |byte| byte.is_ascii_alphanumeric());
        if signs == end || part == signs || !may_be_rest(&text[signs..part]) {
            return run_end(text, end, |byte| matches!(byte, b'=' | b'+'));
        }
        end = part;
    }
}

/// Whether a line says that a word in hexadecimal digits is the hash of something public. Remembers the last line.
#[derive(Default)]
struct HashLines {
    line: (usize, usize),
    says: bool,
}

impl HashLines {
    fn say_so(&mut self, text: &[u8], start: usize, end: usize) -> bool {
        if !matches!(end - start, 32 | 40 | 50 | 56 | 64 | 96 | 128) {
            return false;
        }
        if start < self.line.0 || self.line.1 < end {
            let from = run_start(text, start, start.saturating_sub(400), |byte| byte != b'\n');
            let to = run_end(&text[..text.len().min(end + 400)], end, |byte| byte != b'\n');
            let mut words = text[from..to].split(|byte| !byte.is_ascii_alphanumeric());
            // Public keys are listed and named by their fingerprints.
            let is_fingerprint = end - start == 40
                && text[start..end].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
                && (text[from..to].trim_ascii().len() == 40 || ends_with(&text[from..start], b"key "));
            self.says = is_fingerprint || words.any(|word| is_one_of(word, HASHES));
            self.line = (from, to);
        }
        // `sha256sum` writes two blanks and the name of the file.
        self.says
            || stands_at(text, end, b"  ") && is_word(byte(text, end + 2))
            || stands_at(text, end, b" *")
    }
}
