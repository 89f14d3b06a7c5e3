//! Tokens, known ones and words that look random. UUIDs become `<id>`. Hashes of packages, images and commits
//! survive where the line says what they are.

use super::Placeholder;
use super::chars::{
    before, begins_word, byte, escape_digits, is_token, is_word, run_end, run_start, stands_at,
};
use super::hash::HashLines;
use super::places::{Class, Places};
use super::prefix::{bot_end, crypt_end, prefixed_end};
use super::random::{SHORTEST, is_hex, is_random, may_be_rest};
use super::spans::Spans;
use super::wrap::{with_front, with_rest};

pub(super) fn find(text: &[u8], places: &Places, spans: &mut Spans) {
    let mut hashes = HashLines::default();
    let mut judged = Joined::default();
    let mut done = 0;
    let mut at = 0;
    loop {
        at = places.next(Class::Beginning, at);
        if at == text.len() {
            return;
        }
        if text[at] == b'$' {
            let end = crypt_end(text, at);
            spans.add(at, end, Placeholder::Secret);
            at = end.max(at + 1);
            continue;
        }
        at = past_escape(text, at);
        let end = places.end(Class::Alphanumeric, at);
        if end == at {
            continue;
        }
        if let Some(end) = prefixed_end(text, at).or_else(|| bot_end(text, at, end)) {
            let start = with_front(text, at, done);
            let end = with_rest(text, end);
            spans.add(start, end, Placeholder::Token);
            (done, at) = (end, end);
            continue;
        }
        if end - at == 8 && is_uuid(text, at) {
            spans.add(at, at + 36, Placeholder::Id);
            (done, at) = (at + 36, at + 36);
            continue;
        }
        let whole = !is_token(byte(text, end));
        if end - at >= if whole { SHORTEST } else { 1 }
            && let Some((start, end)) = random(text, places, (at, end), done, &mut hashes, &mut judged)
        {
            spans.add(start, end, Placeholder::Token);
            (done, at) = (end, end.max(at + 1));
            continue;
        }
        at = end;
    }
}

/// Where the word at `at` begins behind an escape: `\nghp_…` is a line break and a token.
fn past_escape(text: &[u8], at: usize) -> usize {
    match (before(text, at), text[at]) {
        (b'\\', b'n' | b't' | b'r') => at + 1,
        (b'\\', b'u' | b'x') => at + 1 + escape_digits(text, at + 1),
        _ => at + escape_digits(text, at),
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

/// The random word around the letters and digits from `at` to `end`, nothing before `done`.
fn random(
    text: &[u8],
    places: &Places,
    (at, end): (usize, usize),
    done: usize,
    hashes: &mut HashLines,
    judged: &mut Joined,
) -> Option<(usize, usize)> {
    let word = &text[at..end];
    // Names that compilers make.
    if word.starts_with(b"ZN") || word.starts_with(b"ZSt") || word.starts_with(b"ZTV") {
        return None;
    }
    let limit = text.len().min(at + 512);
    let whole_end =
        if judged.may_be_again(at) { places.end(Class::Token, end).min(limit.max(end)) } else { end };
    let found = if word.len() >= SHORTEST && is_random(word) {
        Some(end)
    } else if judged.count(at, whole_end)
        && whole_end - at >= 24
        && whole_end > end
        && is_joined_random(&text[at..whole_end])
    {
        Some(whole_end)
    } else {
        None
    }?;
    if found == end && is_hex(word) && hashes.say_so(text, at, end) {
        return None;
    }
    if is_checksum(text, at) {
        return None;
    }
    Some((with_front(text, with_sides(text, at, done), done), with_rest(text, with_tail(text, found))))
}

/// How often words of one run were judged together. A long path has many words.
#[derive(Default)]
struct Joined {
    end: usize,
    times: u32,
}

impl Joined {
    fn may_be_again(&self, at: usize) -> bool {
        at >= self.end || self.times < 2
    }

    fn count(&mut self, at: usize, end: usize) -> bool {
        if at >= self.end {
            (self.end, self.times) = (end, 0);
        }
        self.times += 1;
        true
    }
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
    before(text, run) == b':' && stands_at(text, run.saturating_sub(3), b"h1:")
        || [&b"sha512-"[..], b"sha384-", b"sha256-", b"sha1-"].iter().any(|mark| stands_at(text, run, mark))
}

/// Beginning of the random word, with odd parts before `at`.
fn with_sides(text: &[u8], at: usize, floor: usize) -> usize {
    let mut start = at;
    loop {
        let signs = run_start(text, start, floor, |byte| matches!(byte, b'+' | b'/' | b'_' | b'-'));
        let part =
            run_start(text, signs, floor.max(signs.saturating_sub(64)), |byte| byte.is_ascii_alphanumeric());
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
        let signs = run_end(text, end, |byte| matches!(byte, b'+' | b'/' | b'_' | b'-' | b'='));
        let part = run_end(text, signs, |byte| byte.is_ascii_alphanumeric());
        if signs == end || part == signs || !may_be_rest(&text[signs..part]) {
            return run_end(text, end, |byte| matches!(byte, b'=' | b'+'));
        }
        end = part;
    }
}
