//! Values that a name before them makes secret: `password=x`, `"api_key": "x"`, `--token x`,
//! `Authorization: Bearer x`, `PASSWORD 'x'`, `<password>x</password>`, with quotes and escapes
//! as they come.

use super::chars::{before, byte, ends_with, is_one_of, run_end, run_start, stands_at, word_before};
use super::command;
use super::places::{Class, Places};
use super::spans::Spans;
use super::triples::Triples;
use super::value::{self, Sign};

/// Ends of names whose value is a secret; a name may end so without a separator (`PGPASSWORD`).
const ENDINGS: &[&str] = &[
    "password",
    "passwords",
    "passwd",
    "pwd",
    "passwort",
    "kennwort",
    "passphrase",
    "passcode",
    "secret",
    "secrets",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "authkey",
    "masterkey",
    "encryptionkey",
    "signingkey",
    "sharedkey",
    "presharedkey",
    "appkey",
    "licensekey",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "userpass",
    "dbpass",
    "adminpass",
    "rootpass",
    "passwrd",
];
/// Names and parts of names that must stand alone.
const WORDS: &[&str] = &[
    "pass",
    "pw",
    "psk",
    "auth",
    "authtoken",
    "tokens",
    "cookies",
    "jwt",
    "otp",
    "salt",
    "webhook",
    "pin",
    "rocommunity",
    "rwcommunity",
    "community",
];
/// What makes a `key` a secret one.
const KEY_KINDS: &[&str] = &[
    "api",
    "access",
    "secret",
    "private",
    "encryption",
    "master",
    "auth",
    "signing",
    "account",
    "shared",
    "app",
    "license",
    "admin",
    "jwt",
    "service",
    "storage",
    "session",
    "cookie",
    "crypt",
    "hmac",
    "s3",
    "preshared",
];
/// Last parts of a name that make its value harmless.
const HARMLESS: &[&str] = &[
    "file",
    "path",
    "dir",
    "stdin",
    "count",
    "limit",
    "length",
    "len",
    "type",
    "policy",
    "expiry",
    "expires",
    "expiration",
    "ttl",
    "url",
    "uri",
    "name",
    "format",
    "method",
    "size",
    "min",
    "max",
    "field",
    "prompt",
    "manager",
    "store",
    "module",
    "provider",
    "service",
    "server",
    "socket",
    "scripts",
    "required",
    "enabled",
    "disabled",
    "age",
    "timeout",
    "endpoint",
    "algorithm",
    "mode",
    "conf",
    "py",
    "js",
    "ts",
    "rs",
    "go",
    "rb",
    "pl",
    "sh",
    "log",
    "php",
    "cpp",
];

pub(super) fn find(text: &[u8], places: &Places, spans: &mut Spans) {
    let mut done = 0;
    let mut at = places.next(Class::Letter, 0);
    while at < text.len() {
        let end = places.end(Class::Letter, at);
        let word = &text[at..end];
        let is_flag = before(text, at) == b'-' && command::FLAGS.contains(&text[at]);
        if NAMES.may_end(word) || is_flag || (matches!(word[0], b'p' | b'P') && camel_password(word)) {
            done = Name::read(text, at, end, done).map_or(done, |name| name.find_value(text, spans));
            command::read(text, at, end, spans);
        }
        at = places.next(Class::Letter, end.max(done));
    }
}

/// How the words end that make a value secret or announce one.
const NAMES: Triples = Triples::of_endings(&[ENDINGS, WORDS, &["key"], command::WORDS]);

struct Name {
    start: usize,
    end: usize,
    /// The part of the name that makes it secret.
    word: (usize, usize),
}

impl Name {
    /// The whole name around a word, if it makes its value secret.
    fn read(text: &[u8], start: usize, end: usize, done: usize) -> Option<Self> {
        let word = &text[start..end];
        let floor = done.min(start).max(start.saturating_sub(64));
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let secret = ENDINGS.iter().any(|ending| ends_with(word, ending.as_bytes()))
            || is_one_of(word, WORDS)
            || camel_password(word)
            || (is_one_of(word, &["key"]) && follows_kind(text, start));
        if !secret || is_one_of(word, &["bypass", "compass"]) {
            return None;
        }
        let name = Self {
            start: run_start(text, start, floor, is_part),
            end: run_end(&text[..text.len().min(end + 64)], end, is_part),
            word: (start, end),
        };
        let end_of_name = run_start(text, name.end, end, |byte| matches!(byte, b'.' | b'-'));
        let rest = &text[end..end_of_name];
        let last = rest.rsplit(|byte| !byte.is_ascii_alphabetic()).next().unwrap_or(rest);
        // Of `auth_token` the token counts.
        let rest_end = run_start(text, end_of_name, end, |byte| !byte.is_ascii_alphabetic());
        let last_word = (rest_end - last.len().min(rest_end - end), rest_end);
        let is_last =
            ENDINGS.iter().any(|ending| ends_with(&text[last_word.0..last_word.1], ending.as_bytes()));
        let name = if is_last { Self { word: last_word, ..name } } else { name };
        let is_community = is_one_of(word, &["community"]) && (!rest.is_empty() || name.start != start);
        (!is_one_of(last, HARMLESS) && !is_community).then_some(Self { end: end_of_name, ..name })
    }

    /// Adds the value; returns up to where names need no second look.
    fn find_value(&self, text: &[u8], spans: &mut Spans) -> usize {
        let word = &text[self.word.0..self.word.1];
        if byte(text, self.end) == b'>' {
            value::add_element(text, self.end + 1, spans);
            return self.end;
        }
        let Some((sign, start)) = value::sign_after(text, self.end) else {
            return self.end;
        };
        let previous = || word_before(text, self.start).0;
        let is_flag = text[self.start] == b'-';
        let is_password = [&b"password"[..], b"passwd", b"passphrase", b"pass", b"pwd"]
            .iter()
            .any(|end| ends_with(word, end));
        let is_header = is_one_of(word, &["authorization", "cookie"]);
        match sign {
            Sign::Colon if is_header => return value::add_header(text, start, spans).unwrap_or(self.end),
            Sign::Equals | Sign::Colon => {
                let parse_error = is_one_of(word, &["token"])
                    && is_one_of(
                        previous(),
                        &["unexpected", "expected", "near", "illegal", "syntax", "unknown"],
                    );
                // `self.token = token` is a program, `/etc/passwd: not found` a file.
                let program =
                    byte(text, self.end) == b' ' && stands_at(text, start, &word.to_ascii_lowercase());
                let folder = is_one_of(word, &["pwd"]) && byte(text, start) == b'/';
                let file = folder || (sign == Sign::Colon && before(text, self.start) == b'/');
                if !(parse_error || program || file) {
                    return value::add(text, start, sign, spans).unwrap_or(self.end);
                }
            }
            Sign::Space if is_flag && byte(text, start) != b'-' => {
                value::add(text, start, Sign::Equals, spans);
            }
            Sign::Space if is_password && value::is_quoted(text, start) && !is_prose_quote(text, start) => {
                value::add(text, start, Sign::Equals, spans);
            }
            Sign::Space if is_password && stands_at(text, start, b"for ") => {
                if let Some(start) = answer_of_prompt(text, self.start, start) {
                    value::add(text, start, Sign::Colon, spans);
                }
            }
            Sign::Space => {
                let words = [&b"is: "[..], b"is ", b"set to ", b"was set to ", b"to "];
                let linking = words.iter().find(|word| stands_at(text, start, word));
                if let Some(linking) =
                    linking.filter(|_| !is_one_of(word, &["auth", "salt", "pin", "webhook", "community"]))
                {
                    let start = start + linking.len();
                    let path = text[start..].iter().take(2).any(|byte| *byte == b'/');
                    if !path {
                        value::add(text, start, Sign::Colon, spans);
                    }
                }
            }
        }
        self.end
    }
}

/// `password "x"` is SQL; `password 'x' is too short` as well, better safe.
fn is_prose_quote(text: &[u8], start: usize) -> bool {
    stands_at(text, start, b"''") || stands_at(text, start, b"\"\"")
}

/// What was typed behind `Enter password for bob: ` or `[sudo] password for bob: `; a prompt begins its line, or
/// asks in one word for the password.
fn answer_of_prompt(text: &[u8], name: usize, rest: usize) -> Option<usize> {
    let asks =
        ["enter", "type", "retype", "repeat", "confirm", "new", "old", "current", "sudo", "host", "unix"];
    let line = run_start(text, name, name.saturating_sub(1), |byte| byte != b'\n') == name;
    if !line
        && !is_one_of(word_before(text, name).0, &asks)
        && !stands_at(text, name.saturating_sub(7), b"[sudo] ")
    {
        return None;
    }
    let limit = text.len().min(rest + 80);
    let colon = run_end(&text[..limit], rest, |byte| !matches!(byte, b':' | b'\n'));
    (byte(text, colon) == b':' && byte(text, colon + 1) == b' ')
        .then(|| run_end(text, colon + 1, |byte| matches!(byte, b' ' | b'\t')))
}

/// `passwordHash`, `passwdNew`.
fn camel_password(word: &[u8]) -> bool {
    (word.len() > 8
        && stands_at(word, 0, b"password")
        && word[8].is_ascii_uppercase()
        && word[7].is_ascii_lowercase())
        || (word.len() > 6
            && stands_at(word, 0, b"passwd")
            && word[6].is_ascii_uppercase()
            && word[5].is_ascii_lowercase())
}

fn follows_kind(text: &[u8], start: usize) -> bool {
    if !matches!(before(text, start), b'_' | b'-' | b'.' | b' ') {
        return false;
    }
    let kind = run_start(text, start - 1, start.saturating_sub(24), |byte| byte.is_ascii_alphanumeric());
    is_one_of(&text[kind..start - 1], KEY_KINDS)
}
