//! Names of hosts without a private domain: what stands around them says that they are a host's
//! (`hostname=x`, `--node x`, `/nodes/x/`, `resolve host x`, a line of syslog, of `/etc/hosts` or of `uname`).

use super::Placeholder;
use super::chars::{
    before, byte, ends_with, is_name, is_one_of, is_quote, is_word, run_end, run_start, stands_at,
    word_before,
};
use super::places::{Class, Places};
use super::spans::Spans;
use super::triples::Triples;

/// Names that everybody has.
const GENERIC_NAMES: &[&str] = &[
    "localhost",
    "ip6-localhost",
    "ip6-loopback",
    "ip6-allnodes",
    "ip6-allrouters",
    "ip6-localnet",
    "ip6-mcastprefix",
    "db",
    "database",
    "postgres",
    "postgresql",
    "mysql",
    "mariadb",
    "redis",
    "mongo",
    "mongodb",
    "memcached",
    "rabbitmq",
    "elasticsearch",
    "none",
    "null",
    "true",
    "false",
    "any",
    "all",
    "key",
    "not",
    "is",
    "unknown",
    "address",
    "names",
    "system",
    "name",
    "debian",
    "ubuntu",
    "alpine",
    "undefined",
    "default",
    "string",
    "str",
    "has",
    "the",
    "was",
    "yes",
    "no",
    "or",
];

/// How the name follows its label.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Equals,
    Colon,
    Space,
}

/// Names that a label stands before.
pub(super) fn find(text: &[u8], places: &Places, spans: &mut Spans) {
    let mut at = places.next(Class::Label, 0);
    while at < text.len() {
        let end = places.end(Class::Label, at);
        if LABELS.may_end(&text[at..end]) {
            read_label(text, at, end, spans);
        }
        at = places.next(Class::Label, end);
    }
}

/// How the words end that [`read_label`] knows.
const LABELS: Triples = Triples::of_endings(&[&[
    "nodes", "hostname", "nodename", "fqdn", "hn", "domain", "name", "host", "node",
]]);

fn read_label(text: &[u8], start: usize, end: usize, spans: &mut Spans) {
    let label = &text[start..end];
    let segment = label.rsplit(|byte| matches!(byte, b'_' | b'-')).next().unwrap_or(label);
    if ends_with(label, b"nodes") && before(text, start) == b'/' && byte(text, end) == b'/' {
        add_name(text, end + 1, true, spans);
        return;
    }
    let names = ends_with(segment, b"hostname")
        || is_one_of(segment, &["nodename", "fqdn", "hn", "searchdomain"])
        || (is_one_of(label, &["name"]) && is_one_of(word_before(text, start).0, &["host"]));
    let is_host = is_one_of(segment, &["host"]);
    let is_node = is_one_of(segment, &["node"]);
    let is_domain = is_one_of(segment, &["domain"]) || is_one_of(label, &["server_name"]);
    if !(names || is_host || is_node || is_domain) {
        return;
    }
    let Some((sign, value)) = value_after(text, end) else {
        return;
    };
    let is_flag =
        label.starts_with(b"-") || ends_with(label, b"set-hostname") || is_one_of(label, &["server_name"]);
    let quoted = value > end + 1 && is_quote(text[value - 1]);
    match sign {
        Sign::Equals => add_name(text, value, !is_host, spans),
        Sign::Colon if names || is_domain => add_name(text, value, true, spans),
        Sign::Colon if is_host => add_name(text, value, false, spans),
        Sign::Space if is_flag => add_name(text, value, !is_host, spans),
        Sign::Space if quoted && (is_host || is_node || names) => add_name(text, value, false, spans),
        Sign::Space if is_host && is_one_of(word_before(text, start).0, &["resolve", "to", "of", "on"]) => {
            add_name(text, value, false, spans);
        }
        Sign::Space if is_node && is_one_of(word_before(text, start).0, &["on"]) => {
            add_name(text, value, false, spans);
        }
        Sign::Space
            if names
                && is_one_of(
                    word_before(text, start).0,
                    &["set", "static", "transient", "new", "resolve"],
                ) =>
        {
            let value = if stands_at(text, value, b"to ") { value + 3 } else { value };
            let value = run_end(text, value, |byte| byte == b'<' || is_quote(byte));
            add_name(text, value, true, spans);
        }
        _ => {}
    }
}

/// Where the name behind a label begins, past closing quotes, the sign and opening quotes.
fn value_after(text: &[u8], end: usize) -> Option<(Sign, usize)> {
    let is_closing = |byte: u8| is_quote(byte) || matches!(byte, b'\\' | b']');
    let mut at = run_end(text, end, is_closing);
    let blank = run_end(text, at, |byte| matches!(byte, b' ' | b'\t'));
    let sign = match byte(text, blank) {
        b'=' => Sign::Equals,
        b':' if byte(text, blank + 1) != b':' => Sign::Colon,
        _ if blank > at => Sign::Space,
        _ => return None,
    };
    at = blank;
    if sign != Sign::Space {
        at = run_end(text, at + 1, |byte| matches!(byte, b' ' | b'\t' | b'>'));
    }
    Some((sign, run_end(text, at, |byte| is_quote(byte) || byte == b'\\')))
}

/// Adds the name at `start`; one with dots only if `dotted`.
fn add_name(text: &[u8], start: usize, dotted: bool, spans: &mut Spans) {
    let end = run_end(text, start, is_name);
    let end = run_start(text, end, start, |byte| matches!(byte, b'.' | b'-'));
    let name = &text[start..end];
    let has_dot = name.contains(&b'.');
    let is_number = name.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let is_platform = [&b"linux"[..], b"x86_64", b"aarch64"]
        .iter()
        .any(|part| name.starts_with(part) || ends_with(name, b"-gnu"));
    if name.is_empty()
        || name[0] == b'-'
        || (has_dot && !dotted)
        || is_number
        || (before(text, start) == b'<' && name == b"host")
        || is_platform
        || is_one_of(name, GENERIC_NAMES)
        || matches!(byte(text, end), b'(' | b'$' | b'/') && !dotted
    {
        return;
    }
    spans.add(start, end, Placeholder::Host);
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// What follows the address in a line that is not one of `/etc/hosts`.
const NOT_NAMES: &[&str] = &[
    "dev", "via", "src", "is", "not", "port", "from", "to", "and", "in", "on", "proto", "scope", "metric",
    "link", "ok",
];

/// Lines that name the host they come from.
pub(super) fn find_in_lines(text: &[u8], places: &Places, spans: &mut Spans) {
    let mut start = 0;
    while start < text.len() {
        let end = places.next(Class::LineEnd, start);
        let line = start + text[start..end].iter().take_while(|byte| matches!(**byte, b' ' | b'\t')).count();
        match byte(text, line) {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'f' | b':' | b'<' => {
                read_syslog(text, line, end, spans);
                read_hosts(text, line, end, spans);
                read_uname(text, line, end, spans);
            }
            _ => {}
        }
        start = end + 1;
    }
}

fn word_end(text: &[u8], at: usize) -> usize {
    run_end(text, at, |byte| !byte.is_ascii_whitespace() && byte != b'|')
}

/// `Nov 20 14:02:11 pve1 pveproxy[123]: …`, also with an ISO time.
fn read_syslog(text: &[u8], start: usize, line_end: usize, spans: &mut Spans) {
    let text = &text[..text.len().min(start + MAX_HOSTS_LINE)];
    let first = word_end(text, start);
    let is_time =
        |word: &[u8]| word.len() >= 8 && word[2] == b':' && word[5] == b':' && word[0].is_ascii_digit();
    let time_end = if is_one_of(&text[start..first], MONTHS) {
        let day = run_end(text, first, |byte| byte == b' ');
        let time = run_end(text, word_end(text, day), |byte| byte == b' ');
        let end = word_end(text, time);
        if !is_time(&text[time..end]) {
            return;
        }
        end
    } else {
        match text[start..first].iter().position(|byte| *byte == b'T') {
            Some(10) if is_time(&text[start + 11..first]) => first,
            _ => return,
        }
    };
    if byte(text, time_end) != b' ' {
        return;
    }
    let name = time_end + 1;
    let name_end = run_end(text, name, is_name);
    let program_end = word_end(text, name_end + 1);
    let is_program = program_end <= line_end && text.get(program_end - 1) == Some(&b':');
    if name_end > name
        && byte(text, name_end) == b' '
        && is_program
        && text[name_end + 1].is_ascii_alphabetic()
    {
        add_name(text, name, true, spans);
    }
}

/// Longest line of `/etc/hosts` and longest beginning of a line of syslog, in bytes.
const MAX_HOSTS_LINE: usize = 256;

/// `192.168.1.2 nas.example.org nas`: an address and nothing but names.
fn read_hosts(text: &[u8], start: usize, line_end: usize, spans: &mut Spans) {
    if line_end - start > MAX_HOSTS_LINE {
        return;
    }
    let first = word_end(text, start);
    let address = &text[start..first];
    let is_address = address.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':'))
        && address.iter().filter(|byte| matches!(byte, b'.' | b':')).count() >= 2
        || address == b"<ip>"
        || address == b"<loopback>";
    let is_time = address.len() >= 3 && address[2] == b':' && !address.contains(&b'.');
    if !is_address || is_time || address.iter().filter(|byte| **byte == b'.').count() == 2 {
        return;
    }
    let words = || text[first..line_end].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let is_host = |word: &[u8]| {
        word.iter().all(|byte| is_name(*byte)) && !is_one_of(word, NOT_NAMES) || word == b"<host>"
    };
    let lettered = |word: &[u8]| {
        word[0].is_ascii_alphanumeric() && word.iter().any(u8::is_ascii_alphabetic) || word == b"<host>"
    };
    if !(1..=6).contains(&words().count()) || !words().all(|word| is_host(word) && lettered(word)) {
        return;
    }
    let mut at = first;
    while at < line_end {
        at = run_end(text, at, |byte| byte.is_ascii_whitespace());
        let end = word_end(text, at);
        add_name(text, at, true, spans);
        at = end.max(at + 1);
    }
}

/// `Linux pve1 6.8.12-4-pve #1 SMP …`
fn read_uname(text: &[u8], start: usize, line_end: usize, spans: &mut Spans) {
    let name = start + 6;
    if !text[start..].starts_with(b"Linux ") || name >= line_end || !is_word(text[name]) {
        return;
    }
    let end = run_end(text, name, is_name);
    if byte(text, end) == b' '
        && byte(text, end + 1).is_ascii_digit()
        && text[end + 1..line_end].contains(&b'#')
    {
        add_name(text, name, true, spans);
    }
}
