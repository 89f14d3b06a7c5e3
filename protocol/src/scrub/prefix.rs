//! Tokens that show whose they are: by the prefix their service gives them, or by their build (bots,
//! password hashes).

use super::chars::{byte, is_token, run_end, run_start, stands_at};
use super::random::may_be_rest;
use super::triples::Triples;
use super::wrap::with_rest;

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

/// Most words begin like no prefix.
const BEGINNINGS: Triples = Triples::of_beginnings(PREFIXES);

/// For each letter the set of prefixes that begin with it.
const BY_LETTER: [u128; 26] = {
    let mut sets = [0; 26];
    let mut at = 0;
    while at < PREFIXES.len() {
        sets[(PREFIXES[at].0.as_bytes()[0] - b'a') as usize] |= 1 << at;
        at += 1;
    }
    sets
};

/// End of the token that begins at `start` with the prefix of a service.
pub(super) fn prefixed_end(text: &[u8], start: usize) -> Option<usize> {
    if !BEGINNINGS.may_begin(text, start) || !text[start].is_ascii_alphabetic() {
        return None;
    }
    let mut candidates = BY_LETTER[usize::from((text[start] | 0x20) - b'a')];
    let (prefix, fewest) = loop {
        if candidates == 0 {
            return None;
        }
        let candidate = PREFIXES[candidates.trailing_zeros() as usize];
        if stands_at(text, start, candidate.0.as_bytes()) {
            break candidate;
        }
        candidates &= candidates - 1;
    };
    let body = start + prefix.len();
    let judged = token_end(&text[..text.len().min(body + MAX_JUDGED)], body);
    if judged - body >= fewest {
        return is_credible(prefix, &text[body..judged]).then(|| token_end(text, body));
    }
    let end = judged;
    // The token goes on behind a line break.
    let rest = with_rest(text, end);
    (rest > end && rest - body >= fewest).then_some(rest)
}

/// How much of a token it takes to judge it, in bytes.
const MAX_JUDGED: usize = 96;

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
pub(super) fn bot_end(text: &[u8], start: usize, end: usize) -> Option<usize> {
    if end - start < 8 {
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
    if byte(text, first) == b'.' && (23..=30).contains(&(first - start)) {
        let second = part(first + 1);
        let third = part(second + 1);
        let is_bot =
            (5..=8).contains(&(second - first - 1)) && byte(text, second) == b'.' && third - second > 25;
        return is_bot.then_some(third);
    }
    None
}

/// End of the password hash at `at`; `at` if there is none.
pub(super) fn crypt_end(text: &[u8], at: usize) -> usize {
    let Some(prefix) = CRYPT.iter().find(|prefix| stands_at(text, at, prefix.as_bytes())) else {
        return at;
    };
    let body = at + prefix.len();
    let end = run_end(text, body, |byte| is_token(byte) || matches!(byte, b'$' | b'.' | b','));
    if end - body >= 12 { with_rest(text, end) } else { at }
}
