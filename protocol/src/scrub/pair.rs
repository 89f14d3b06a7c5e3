//! Values that a name before them makes secret: `password=x`, `"api_key": "x"`, `--token x`, `-psecret` of
//! mysql, `Authorization: Bearer x`, `IDENTIFIED BY 'x'`, `<password>x</password>`, with quotes and escapes
//! as they come.

use super::Placeholder;
use super::chars::{
    before, byte, ends_with, is_one_of, is_quote, run_end, run_start, stands_at, word_before,
};
use super::spans::Spans;
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

/// Last letters of all of these names, and of the words of [`read_command`].
const LAST_LETTERS: &[u8] = b"dstenylkhwpcr";
/// First letters of the flags of [`read_flag`].
const FLAGS: &[u8] = b"pauU";

pub(super) fn find(text: &[u8], spans: &mut Spans) {
    let mut done = 0;
    let mut at = 0;
    while at < text.len() {
        if !text[at].is_ascii_alphabetic() {
            at += 1;
            continue;
        }
        let end = run_end(text, at, |byte| byte.is_ascii_alphabetic());
        // Every name in the lists ends with one of these.
        let last = text[end - 1] | 0x20;
        if (end - at >= 2 && LAST_LETTERS.contains(&last))
            || (before(text, at) == b'-' && FLAGS.contains(&text[at]))
        {
            done = Name::read(text, at, end, done).map_or(done, |name| name.find_value(text, spans));
            read_command(text, at, end, spans);
        }
        at = end.max(done.min(end));
    }
}

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
            || is_one_of(word, &WORDS)
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
        let is_community = is_one_of(word, &["community"]) && (!rest.is_empty() || name.start != start);
        (!is_one_of(last, &HARMLESS) && !is_community).then_some(Self { end: end_of_name, ..name })
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
            Sign::Colon if is_header => value::add_header(text, start, spans),
            Sign::Equals | Sign::Colon => {
                let parse_error = is_one_of(word, &["token"])
                    && is_one_of(
                        previous(),
                        &["unexpected", "expected", "near", "illegal", "syntax", "unknown"],
                    );
                // `self.token = token` is a program, `/etc/passwd: not found` a file.
                let program =
                    byte(text, self.end) == b' ' && stands_at(text, start, &word.to_ascii_lowercase());
                let file = sign == Sign::Colon && before(text, self.start) == b'/';
                if !(parse_error || program || file) {
                    value::add(text, start, sign, spans);
                }
            }
            Sign::Space if is_flag && byte(text, start) != b'-' => {
                value::add(text, start, Sign::Equals, spans)
            }
            Sign::Space if is_password && value::is_quoted(text, start) && !is_prose_quote(text, start) => {
                value::add(text, start, Sign::Equals, spans);
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
    is_one_of(&text[kind..start - 1], &KEY_KINDS)
}

const MYSQL: &[&str] = &[
    "mysql",
    "mysqldump",
    "mysqladmin",
    "mariadb",
    "mysqlimport",
    "mysqlcheck",
    "sshpass",
    "smbclient",
    "ldapsearch",
    "mongosh",
];

/// Secrets that follow a word without being named by it.
fn read_command(text: &[u8], start: usize, end: usize, spans: &mut Spans) {
    let word = &text[start..end];
    let space = byte(text, end) == b' ';
    if space && is_one_of(word, &["bearer"]) {
        value::add_credentials(text, end + 1, false, spans);
    } else if space && is_one_of(word, &["basic", "digest", "negotiate"]) {
        value::add_credentials(text, end + 1, true, spans);
    } else if is_one_of(word, &["by"]) && space && is_one_of(word_before(text, start).0, &["identified"]) {
        value::add(text, end + 1, Sign::Equals, spans);
    } else if is_one_of(word, &["by"])
        && space
        && value::is_quoted(text, end + 1)
        && is_one_of(word_before(text, start).0, &["encrypted"])
    {
        value::add(text, end + 1, Sign::Equals, spans);
    } else if before(text, start) == b'-' && FLAGS.contains(&word[0]) {
        read_flag(text, start, end, spans);
    } else if is_one_of(word, &["chpasswd"]) {
        read_chpasswd(text, start, spans);
    } else if is_one_of(word, &["ssh"]) {
        read_public_key(text, start, spans);
    }
}

/// `-psecret` and `-p secret` of database clients, `-u name:secret` of curl.
fn read_flag(text: &[u8], start: usize, end: usize, spans: &mut Spans) {
    if before(text, start) != b'-'
        || !matches!(byte(text, start.wrapping_sub(2)), b' ' | b'\n' | b'"' | b'\'' | b'|')
    {
        return;
    }
    let floor = start.saturating_sub(160);
    let line = run_start(text, start - 1, floor, |byte| !matches!(byte, b'\n' | b';'));
    let command = |names: &[&str]| {
        let mut words = text[line..start]
            .split(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'"' | b'\'' | b'|' | b'('));
        words.any(|word| is_one_of(word, names))
    };
    match text[start] {
        b'p' if command(&MYSQL) => {
            let glued = end > start + 1 || !byte(text, start + 1).is_ascii_whitespace();
            // `mysql -p database` asks for the password.
            if glued {
                value::add(text, start + 1, Sign::Equals, spans);
            } else if command(&["sshpass", "mongosh", "smbclient"]) {
                value::add(text, start + 2, Sign::Equals, spans);
            }
        }
        b'a' if end == start + 1 && command(&["redis-cli"]) => {
            value::add(text, start + 2, Sign::Equals, spans)
        }
        b'u' if command(&["curl", "wget", "curl:"]) => value::add_after_colon(text, end, spans),
        b'U' if command(&["smbclient", "curl"]) => value::add_after_colon(text, end, spans),
        _ => {}
    }
}

/// `echo "name:secret" | chpasswd`
fn read_chpasswd(text: &[u8], start: usize, spans: &mut Spans) {
    let floor = start.saturating_sub(200);
    let line = run_start(text, start, floor, |byte| byte != b'\n');
    let piped = text[line..start].contains(&b'|') && text[line..start].windows(4).any(|word| word == b"echo");
    let colon = text[line..start].iter().position(|byte| *byte == b':');
    if let Some(colon) = colon.filter(|colon| piped && *colon > 0) {
        value::add(text, line + colon + 1, Sign::Equals, spans);
    }
    if stands_at(text, start + 8, b" <<<") {
        value::add_after_colon(text, start + 13, spans);
    }
}

/// `ssh-ed25519 AAAA… name@host`
fn read_public_key(text: &[u8], start: usize, spans: &mut Spans) {
    let kind =
        run_end(text, start, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'@' | b'.'));
    if byte(text, kind) != b' ' || !stands_at(text, kind + 1, b"aaaa") {
        return;
    }
    let key =
        run_end(text, kind + 1, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
    let comment =
        run_end(text, key + 1, |byte| !byte.is_ascii_whitespace() && !is_quote(byte) && byte != b'|');
    let end = if byte(text, key) == b' ' { comment } else { key };
    spans.add(kind + 1, end, Placeholder::Key);
}
