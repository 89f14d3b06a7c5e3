//! Secrets that follow a word without being named by it: `Bearer x`, `IDENTIFIED BY 'x'`, `-psecret` of mysql,
//! `-u name:x` of curl, `echo name:x | chpasswd`, `openssl passwd x`, public keys of ssh.

use super::Placeholder;
use super::chars::{before, byte, is_one_of, is_quote, run_end, run_start, stands_at, word_before};
use super::spans::Spans;
use super::value::{self, Sign};

/// First letters of the flags of [`read_flag`].
pub(super) const FLAGS: &[u8] = b"pauU";

/// The words that [`read`] knows.
pub(super) const WORDS: &[&str] =
    &["bearer", "basic", "digest", "negotiate", "by", "chpasswd", "ssh", "user", "passwd"];

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
    "login",
];

const CURL: &[&str] = &["curl", "wget", "curl:"];

/// Adds the secrets that the word from `start` to `end` announces.
pub(super) fn read(text: &[u8], start: usize, end: usize, spans: &mut Spans) {
    let word = &text[start..end];
    let space = byte(text, end) == b' ';
    if space && is_one_of(word, &["bearer"]) {
        value::add_credentials(text, end + 1, false, spans);
    } else if space && is_one_of(word, &["basic", "digest", "negotiate"]) {
        value::add_credentials(text, end + 1, true, spans);
    } else if space && is_one_of(word, &["by"]) {
        let verb = word_before(text, start).0;
        let quoted = value::is_quoted(text, end + 1);
        if is_one_of(verb, &["identified"]) || (quoted && is_one_of(verb, &["encrypted"])) {
            value::add(text, end + 1, Sign::Equals, spans);
        }
    } else if is_one_of(word, &["user"]) && before(text, start) == b'-' && is_argument_of(text, start, CURL) {
        let sign = run_end(text, end, |byte| byte == b'=');
        value::add_after_colon(text, sign, spans);
    } else if before(text, start) == b'-' && FLAGS.contains(&word[0]) {
        read_flag(text, start, end, spans);
    } else if space && is_one_of(word, &["passwd"]) && is_one_of(word_before(text, start).0, &["openssl"]) {
        add_arguments(text, end, spans);
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
    let command = |names: &[&str]| is_argument_of(text, start, names);
    match text[start] {
        b'p' if command(MYSQL) => {
            let glued = end > start + 1 || !byte(text, start + 1).is_ascii_whitespace();
            // `mysql -p database` asks for the password.
            if glued {
                value::add(text, start + 1, Sign::Equals, spans);
            } else if command(&["sshpass", "mongosh", "smbclient", "login"]) {
                value::add(text, start + 2, Sign::Equals, spans);
            }
        }
        b'a' if end == start + 1 && command(&["redis-cli"]) => {
            value::add(text, start + 2, Sign::Equals, spans);
        }
        b'u' if command(CURL) => value::add_after_colon(text, end, spans),
        b'U' if command(&["smbclient", "curl"]) => value::add_after_colon(text, end, spans),
        _ => {}
    }
}

/// How many arguments of a command are read.
const MAX_ARGUMENTS: usize = 8;

/// Whether one of these commands stands before `at` in its line.
fn is_argument_of(text: &[u8], at: usize, commands: &[&str]) -> bool {
    let line = run_start(text, at - 1, at.saturating_sub(160), |byte| !matches!(byte, b'\n' | b';'));
    let mut words = text[line..at]
        .split(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'"' | b'\'' | b'|' | b'('));
    words.any(|word| is_one_of(word, commands))
}

/// `openssl passwd -6 -salt x secret`: all arguments up to the end of the command that are no options.
fn add_arguments(text: &[u8], end: usize, spans: &mut Spans) {
    let mut at = end;
    for _ in 0..MAX_ARGUMENTS {
        let start = run_end(text, at, |byte| matches!(byte, b' ' | b'\t'));
        if start == at || matches!(byte(text, start), b'\n' | b'|' | b'&' | b';' | b'<' | b'>' | b')' | 0) {
            return;
        }
        at = match byte(text, start) {
            b'-' => run_end(text, start, |byte| !byte.is_ascii_whitespace()),
            _ => value::add(text, start, Sign::Equals, spans)
                .unwrap_or_else(|| run_end(text, start, |byte| !byte.is_ascii_whitespace())),
        };
        // The quote that closes the value.
        at = run_end(text, at, is_quote);
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
