//! Tokens that show what they are: by the prefix their service gives them, by their build (JWT, bots,
//! password hashes), or by looking random. UUIDs become `<id>`. Hashes of packages, images and commits
//! survive where the line says what they are.

use super::Placeholder;
use super::chars::{
    before, begins_word, byte, escape_digits, is_token, is_word, line_break, run_end, run_start, stands_at,
};
use super::hash::HashLines;
use super::random::{SHORTEST, is_hex, is_random, may_be_rest};
use super::spans::Spans;

/// Prefix in lower case and the fewest bytes behind it.
const PREFIXES: &[(&str, usize)] = &[
    ("ghp_", 16),
    ("gho_", 16),
    ("ghu_", 16),
    ("ghs_", 16),
    ("ghr_", 16),
    ("github_pat_", 16),
    ("glpat-", 10),
    ("gldt-", 10),
    ("glrt-", 10),
    ("glcbt-", 10),
    ("glptt-", 10),
    ("glft-", 10),
    ("gloas-", 10),
    ("glsoat-", 10),
    ("xoxa-", 8),
    ("xoxb-", 8),
    ("xoxp-", 8),
    ("xoxr-", 8),
    ("xoxs-", 8),
    ("xoxe-", 8),
    ("xoxe.", 8),
    ("xapp-", 8),
    ("sk-", 16),
    ("sk_live_", 8),
    ("sk_test_", 8),
    ("rk_live_", 8),
    ("rk_test_", 8),
    ("pk_live_", 8),
    ("whsec_", 8),
    ("akia", 16),
    ("asia", 16),
    ("aroa", 16),
    ("aida", 16),
    ("aiza", 20),
    ("ya29.", 8),
    ("npm_", 20),
    ("pypi-", 16),
    ("dckr_pat_", 10),
    ("dckr_oat_", 10),
    ("hf_", 20),
    ("sg.", 16),
    ("dop_v1_", 16),
    ("doo_v1_", 16),
    ("tskey-", 8),
    ("age-secret-key-", 8),
    ("shpat_", 16),
    ("shpss_", 16),
    ("lin_api_", 16),
    ("nvapi-", 16),
    ("gsk_", 20),
    ("r8_", 20),
    ("hvs.", 16),
    ("hvb.", 16),
    ("glsa_", 16),
    ("glc_", 16),
    ("sntrys_", 16),
    ("rubygems_", 16),
    ("nrak-", 16),
    ("xkeysib-", 16),
    ("ptla_", 16),
    ("ptlc_", 16),
    ("tk_", 20),
    ("atatt3", 16),
    ("figd_", 16),
    ("dp.pt.", 16),
    ("pul-", 16),
    ("eyj", 16),
    ("secret_", 20),
];
/// Password hashes as crypt and its like write them.
const CRYPT: &[&str] = &[
    "$1$", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$7$", "$y$", "$gy$", "$apr1$", "$argon2", "$scrypt$",
    "$pbkdf2", "$sha1$",
];

pub(super) fn find(text: &[u8], spans: &mut Spans) {
    let mut hashes = HashLines::default();
    let mut done = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'$' {
            let end = crypt_end(text, at);
            spans.add(at, end, Placeholder::Secret);
            at = end.max(at + 1);
            continue;
        }
        if !text[at].is_ascii_alphanumeric() {
            at += 1;
            continue;
        }
        at = past_escape(text, at);
        let end = run_end(text, at, |byte| byte.is_ascii_alphanumeric());
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
        if end - at >= 4
            && let Some((start, end)) = random(text, at, end, done, &mut hashes)
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

fn prefixed_end(text: &[u8], start: usize) -> Option<usize> {
    let first = byte(text, start) | 0x20;
    if !matches!(
        first,
        b'a' | b'd'
            | b'e'
            | b'f'
            | b'g'
            | b'h'
            | b'l'
            | b'n'
            | b'p'
            | b'r'
            | b's'
            | b't'
            | b'w'
            | b'x'
            | b'y'
    ) {
        return None;
    }
    let mut prefixes = PREFIXES.iter().filter(|(prefix, _)| prefix.as_bytes()[0] == first);
    let (prefix, fewest) = prefixes.find(|(prefix, _)| stands_at(text, start, prefix.as_bytes()))?;
    let body = start + prefix.len();
    let end = token_end(text, body);
    if end - body >= *fewest {
        return is_credible(prefix, &text[body..end]).then_some(end);
    }
    // The token goes on behind a line break.
    let rest = with_rest(text, end);
    (rest > end && rest - body >= *fewest).then_some(rest)
}

fn token_end(text: &[u8], at: usize) -> usize {
    let end = run_end(text, at, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'=' | b'+' | b'/' | b'~')
    });
    run_start(text, end, at, |byte| matches!(byte, b'.' | b'-' | b'/'))
}

/// Short prefixes also begin words: `sk-learn-contrib`, `hf_transfer`, `asian…`.
fn is_credible(prefix: &str, body: &[u8]) -> bool {
    let has_digit = body.iter().any(u8::is_ascii_digit);
    let run = body.split(|byte| matches!(byte, b'_' | b'-' | b'.')).map(<[u8]>::len).max().unwrap_or(0);
    match prefix {
        "akia" | "asia" | "aroa" | "aida" => {
            has_digit && body.len() <= 32 && body[..16].iter().all(u8::is_ascii_alphanumeric)
                || body.len() == 16 && body.iter().all(u8::is_ascii_uppercase)
        }
        "sk-" | "hf_" | "tk_" | "r8_" | "gsk_" | "sg." | "npm_" | "pul-" | "pypi-" | "secret_" => {
            run >= 12 && (has_digit || may_be_rest(body))
        }
        "eyj" => body.len() >= 24 && has_digit || body.contains(&b'.') && may_be_rest(body),
        _ => has_digit || may_be_rest(body) || body.len() >= 20,
    }
}

/// Tokens of bots: `123456789:AA…` (Telegram), three random parts with dots (Discord).
fn bot_end(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let part =
        |at: usize| run_end(text, at, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let word = &text[start..end];
    if byte(text, end) == b':' && (8..=10).contains(&word.len()) && word.iter().all(u8::is_ascii_digit) {
        let close = part(end + 1);
        return (33..=40).contains(&(close - end - 1)).then_some(close);
    }
    let first = part(start);
    if byte(text, first) == b'.' && (23..=30).contains(&(first - start)) {
        let second = part(first + 1);
        let third = part(second + 1);
        let is_bot =
            (5..=8).contains(&(second - first - 1)) && byte(text, second) == b'.' && third - second > 25;
        return is_bot.then_some(third);
    }
    None
}

fn crypt_end(text: &[u8], at: usize) -> usize {
    let Some(prefix) = CRYPT.iter().find(|prefix| stands_at(text, at, prefix.as_bytes())) else {
        return at;
    };
    let body = at + prefix.len();
    let end = run_end(text, body, |byte| is_token(byte) || matches!(byte, b'$' | b'.' | b','));
    if end - body >= 12 { with_rest(text, end) } else { at }
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
fn random(text: &[u8], at: usize, end: usize, done: usize, hashes: &mut HashLines) -> Option<(usize, usize)> {
    let word = &text[at..end];
    // Names that compilers make.
    if word.starts_with(b"ZN") || word.starts_with(b"ZSt") || word.starts_with(b"ZTV") {
        return None;
    }
    let limit = text.len().min(at + 512);
    let whole_end = run_end(&text[..limit.max(end)], end, is_token);
    let found = if word.len() >= SHORTEST && is_random(word) {
        Some(end)
    } else if whole_end - at >= 24 && whole_end > end && is_joined_random(&text[at..whole_end]) {
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

/// Parts that are short for themselves, as base64 has them between its `/`, `+`, `-` and `_`.
fn is_joined_random(run: &[u8]) -> bool {
    let run = &run[..run.len().min(256)];
    let separators = run.iter().filter(|byte| !byte.is_ascii_alphanumeric()).count();
    let parts = || run.split(|byte| !byte.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let odd = parts().filter(|part| part.len() >= 3 && may_be_rest(part)).count();
    let plain = parts().filter(|part| part.len() >= 5 && !may_be_rest(part)).count();
    if odd < 2 || !is_random(run) {
        return false;
    }
    // Padding says base64.
    run.ends_with(b"==") && separators * 3 <= run.len()
        || separators * 5 <= run.len()
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

/// Shortest piece of a token behind or before a line break, in bytes.
const SHORTEST_PIECE: usize = 5;

/// End of a token that ends at `end`, with what stands of it behind line breaks.
pub(super) fn with_rest(text: &[u8], end: usize) -> usize {
    let mut end = end;
    while let Some(length) = line_break(text, end) {
        let start = end + length;
        let rest = run_end(text, start, |byte| is_token(byte) || byte == b'.');
        let rest = run_start(text, rest, start, |byte| byte == b'.');
        let closes = !is_word(byte(text, rest)) && !matches!(byte(text, rest), b':' | b'(' | b'@');
        if rest - start < SHORTEST_PIECE
            || !closes
            || !may_be_rest(&text[start..rest])
            || is_plain(&text[start..rest])
        {
            break;
        }
        end = rest;
    }
    end
}

/// Beginning of a token that begins at `start`, with what stands of it before a line break.
fn with_front(text: &[u8], start: usize, floor: usize) -> usize {
    let is_blank = |byte: u8| matches!(byte, b' ' | b'\t');
    let blank = run_start(text, start, floor, is_blank);
    let break_start = run_start(text, blank, floor, |byte| matches!(byte, b'\n' | b'|'));
    if break_start == blank {
        return start;
    }
    let piece = run_start(text, break_start, floor.max(break_start.saturating_sub(128)), is_token);
    let word = &text[piece..break_start];
    if word.len() >= SHORTEST_PIECE && !is_word(before(text, piece)) && may_be_rest(word) && !is_plain(word) {
        piece
    } else {
        start
    }
}

/// Dates, paths and names of packages with a version.
fn is_plain(word: &[u8]) -> bool {
    let parts = word.split(|byte| !byte.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    word.starts_with(b"/")
        || word.starts_with(b"-")
        || parts.clone().count() > 1
            && parts.into_iter().all(|part| {
                let letters = part.iter().filter(|byte| byte.is_ascii_lowercase()).count();
                letters == part.len()
                    || part.iter().all(u8::is_ascii_digit)
                    || (letters + 2 >= part.len() && letters > 2)
            })
}
