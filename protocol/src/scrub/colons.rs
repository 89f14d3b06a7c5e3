//! What is written in groups of hexadecimal digits: IPv6 addresses in every notation, with zone, prefix
//! length and port, and MAC addresses with `:`, `-`, `_` or Cisco's dots. Times, PCI addresses and paths of
//! Rust, C++ and Perl survive.

use std::net::Ipv6Addr;

use super::Placeholder;
use super::chars::{before, begins_word, byte, escape_digits, is_one_of, is_word, run_end, run_start};
use super::host;
use super::spans::Spans;

/// Longest run of digits and colons that is read together, in bytes.
const MAX_RUN: usize = 256;

/// Addresses with colons.
pub(super) fn find(text: &[u8], spans: &mut Spans) {
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let mut done = 0;
    while let Some(found) = memchr::memchr(b':', &text[done..]) {
        let colon = done + found;
        let start = run_start(text, colon, done, is_part);
        let limit = text.len().min(colon + MAX_RUN);
        let end = run_end(&text[..limit], colon, is_part);
        done = end;
        if end - start > 2 && text[start..end].iter().filter(|byte| **byte == b':').count() >= 2 {
            read_run(text, start, end, spans);
        }
    }
}

fn read_run(text: &[u8], start: usize, end: usize, spans: &mut Spans) {
    let start = start + escape_digits(text, start);
    let Some(start) = skip_label(text, start, end) else {
        return;
    };
    let end = run_start(text, end, start, |byte| byte == b'.');
    let run = &text[start..end];
    if has_octets(run, b':') {
        spans.add(start, end, Placeholder::Mac);
        return;
    }
    let without_colon =
        end - usize::from(run.ends_with(b":") && (!run.ends_with(b"::") || run.ends_with(b":::")));
    let port = run_start(text, end, start, |byte| byte != b':').saturating_sub(1);
    let dot = run_start(text, end, start, |byte| byte != b'.').saturating_sub(1);
    for end in [without_colon, port, dot] {
        if end <= start + 1 || (end == without_colon && is_word(byte(text, end))) {
            continue;
        }
        let address = &text[start..end];
        let parsed =
            (address.len() <= 48).then(|| std::str::from_utf8(address).ok()?.parse::<Ipv6Addr>().ok());
        if let Some(parsed) = parsed.flatten().filter(|_| is_plausible(address)) {
            let placeholder = if parsed.is_loopback() { Placeholder::Loopback } else { Placeholder::Ip };
            let end = if end == without_colon {
                end
            } else {
                run_end(text, end + 1, |byte| byte.is_ascii_hexdigit())
            };
            add_address(text, start, end, placeholder, spans);
            return;
        }
    }
    if is_cut_address(run) {
        add_address(text, start, without_colon, Placeholder::Ip, spans);
    }
}

/// Where the address begins in a run: `inet6:fe80::1` and `mac:bc:24:…` begin with a word. `None` for a path
/// as `std::dec`.
fn skip_label(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let mut start = run_end(text, start, |byte| byte == b'.');
    if start >= end {
        return None;
    }
    if !begins_word(text, start) && text[start] != b':' {
        start = run_end(text, start, |byte| byte != b':');
    } else if text[start] != b':' {
        return Some(start);
    }
    let labelled = is_word(before(text, start));
    match &text[start..end] {
        // `:::80` is a port of all addresses.
        [b':', b':', b':', port @ ..] => port.iter().any(|byte| !byte.is_ascii_digit()).then_some(start + 1),
        [b':', b':', ..] if labelled => None,
        [b':', b':', ..] => Some(start),
        [b':', ..] => Some(start + 1),
        _ => Some(start),
    }
}

/// Six or more groups of two digits in a row, or six of one or two with a letter among them.
fn has_octets(run: &[u8], separator: u8) -> bool {
    let (mut pairs, mut short, mut letters) = (0, 0, false);
    for group in run.split(|byte| *byte == separator) {
        let is_octet = matches!(group.len(), 1 | 2) && group.iter().all(u8::is_ascii_hexdigit);
        pairs = if is_octet && group.len() == 2 { pairs + 1 } else { 0 };
        short = if is_octet { short + 1 } else { 0 };
        letters = is_octet && (letters || group.iter().any(u8::is_ascii_alphabetic));
        if pairs >= 6 || (short == 6 && letters && run.len() >= 12) {
            return true;
        }
    }
    false
}

/// `a::b` and `abc::def` are paths; `::` alone says nothing about anybody.
fn is_plausible(address: &[u8]) -> bool {
    let groups = || address.split(|byte| *byte == b':').filter(|group| !group.is_empty());
    address.iter().any(u8::is_ascii_digit) || groups().count() >= 3 || groups().any(|group| group.len() == 4)
}

/// An address that is not whole: at least four groups, one of them long, and not a date with a time.
fn is_cut_address(run: &[u8]) -> bool {
    let groups = || run.split(|byte| *byte == b':').filter(|group| !group.is_empty());
    groups().count() >= 4
        && groups().all(|group| group.len() <= 4)
        && groups().any(|group| group.len() >= 3)
        && run.iter().any(u8::is_ascii_alphabetic)
        && !run.contains(&b'.')
}

/// Adds an address with its brackets, zone, prefix length and port.
fn add_address(text: &[u8], start: usize, end: usize, placeholder: Placeholder, spans: &mut Spans) {
    let (mut start, mut end) = (start, end);
    if byte(text, end) == b'%' && is_word(byte(text, end + 1)) {
        end = run_end(text, end + 1, |byte| is_word(byte) || matches!(byte, b'_' | b'-' | b'.'));
        end = run_start(text, end, start, |byte| byte == b'.');
    }
    let number_after = |end: usize, sign: u8, most: usize| {
        let digits = run_end(text, end + 1, |byte| byte.is_ascii_digit());
        let fits = byte(text, end) == sign && (end + 2..=end + 1 + most).contains(&digits);
        (fits && !is_word(byte(text, digits))).then_some(digits)
    };
    end = number_after(end, b'/', 3).unwrap_or(end);
    if before(text, start) == b'[' && byte(text, end) == b']' {
        start -= 1;
        end = number_after(end + 1, b':', 5).unwrap_or(end + 1);
    }
    spans.add(start, end, placeholder);
    host::add_names_of_address(text, (start, end), spans);
}

/// End of the MAC address at `start`, whose first word ends at `end`: with `-`, `_` or Cisco's dots, or in the name
/// of an interface.
pub(super) fn mac_at(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    let separator = byte(text, end);
    match end - start {
        2 if matches!(separator, b'-' | b'_') => {
            let end = run_end(text, start, |byte| byte.is_ascii_hexdigit() || byte == separator);
            let fits = end >= start + 17
                && text[start + 1].is_ascii_hexdigit()
                && has_pairs(&text[start..end], separator);
            fits.then_some((start, end))
        }
        4 if separator == b'.' && is_cisco(text, start) => Some((start, start + 14)),
        15 if is_one_of(&text[start..start + 3], &["enx", "wlx"]) => {
            text[start + 3..end].iter().all(u8::is_ascii_hexdigit).then_some((start + 3, end))
        }
        _ => None,
    }
}

fn has_pairs(run: &[u8], separator: u8) -> bool {
    let mut pairs = 0;
    run.split(|byte| *byte == separator).any(|group| {
        pairs = if group.len() == 2 { pairs + 1 } else { 0 };
        pairs >= 6
    })
}

/// Three groups of four digits. A first group as `2024` is a year.
fn is_cisco(text: &[u8], at: usize) -> bool {
    let Some(all) = text.get(at..at + 14).filter(|_| !is_word(byte(text, at + 14))) else {
        return false;
    };
    let groups_fit = all.iter().enumerate().all(|(index, byte)| match index {
        4 | 9 => *byte == b'.',
        _ => byte.is_ascii_hexdigit(),
    });
    let is_year = all.starts_with(b"19") || all.starts_with(b"20");
    groups_fit
        && !(byte(text, at + 14) == b'.' && byte(text, at + 15).is_ascii_digit())
        && (!is_year || all.iter().any(u8::is_ascii_alphabetic))
}
