//! IPv4 addresses, also half masked ones (`192.x.x.42`), with prefix length and port. Versions survive.
//!
//! Four numbers are an address, unless what stands around them says that they are a version. For addresses
//! of private networks nothing around them counts.

use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder};

use super::Placeholder;
use super::chars::{before, begins_word, byte, escape_digits, is_word, run_end, run_start};
use super::host;
use super::spans::Spans;

/// Numbers or masks with dots between them, then a prefix length and a port.
const NUMBERS: &str = r"\A([0-9]{1,3})\.([0-9]{1,3}|[xX*]{1,3})\.([0-9]{1,3}|[xX*]{1,3})\.([0-9]{1,3}|[xX*]{1,3})(\.in-addr\.arpa|(?:\.[0-9]+)*)((?:/[0-9]{1,2}\b)?(?::[0-9]{1,5}\b)?)";

/// What stands behind a version of a package, or a file.
const BEHIND_PACKAGE: &str = r"\A(?:_(?:all|any|arm|armhf|armv7l?|i386|i686|riscv64)\.|_(?:amd64|arm64|aarch64|x86_64|x64)|\.(?:tar|tgz|zip|deb|rpm|jar|whl|apk|gem|so|el|fc|dev|post)|[+~][0-9A-Za-z\x80-\xff]|-[0-9]+(?:[A-Za-z+~_\x80-\xff]|\.?[A-Za-z]))";

/// What stands before a version, up to its first number.
const BEFORE_VERSION: &str = r"(?ix)(?:
    [=<>~!]= | \^ | [0-9a-z_\x80-\xff] | ://[^\s]*[0-9a-z]/
    | \b(?:v|ver|versions?|[a-z]*_version|version_id|release|build|over|upgrading|candidate|installed|revision|rev)
      \W{1,4}(?:(?:is|to|from|of|number|at)\W{1,4})?
    | (?:setting\ up|unpacking|preparing\ to|removing)\ [^\n]*\()\z";

fn regex(pattern: &str) -> Regex {
    RegexBuilder::new(pattern).unicode(false).build().expect("a test compiles it")
}

static ADDRESS: LazyLock<Regex> = LazyLock::new(|| regex(NUMBERS));
static PACKAGE: LazyLock<Regex> = LazyLock::new(|| regex(BEHIND_PACKAGE));
static VERSION: LazyLock<Regex> = LazyLock::new(|| regex(BEFORE_VERSION));

pub(super) fn find(text: &[u8], spans: &mut Spans) {
    let mut groups = None;
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'.', &text[at..]) {
        let dot = at + found;
        // Two dots with a digit before and one or a mask behind each of them.
        let next = dot + 1 + text[dot + 1..].iter().take(4).take_while(|byte| **byte != b'.').count();
        if !before(text, dot).is_ascii_digit() || byte(text, next) != b'.' {
            at = dot + 1;
            continue;
        }
        let start = first_digit(text, dot, at);
        let groups = groups.get_or_insert_with(|| ADDRESS.capture_locations());
        let window = &text[start..text.len().min(start + MAX_LENGTH)];
        at = match ADDRESS.captures_read(groups, window) {
            Some(_) => {
                let part = |group| groups.get(group).map_or((0, 0), |(from, to)| (start + from, start + to));
                let numbers = [1, 2, 3, 4].map(|group| {
                    let (from, to) = part(group);
                    &text[from..to]
                });
                read(text, start, numbers, (part(5), part(6)), spans)
            }
            None => run_end(text, dot, |byte| byte.is_ascii_digit() || byte == b'.'),
        };
    }
}

/// Longest address with all that belongs to it, in bytes.
const MAX_LENGTH: usize = 48;

/// Where the digits before a dot begin, nothing before `floor`: behind an escape, if they would be read
/// together with it.
fn first_digit(text: &[u8], dot: usize, floor: usize) -> usize {
    let start = run_start(text, dot, floor, |byte| byte.is_ascii_digit());
    let escapes = floor.max(start.saturating_sub(3))..=start;
    let ends = escapes.filter(|at| text[*at].is_ascii_digit()).map(|at| at + escape_digits(text, at));
    ends.fold(start, usize::max)
}

/// The four numbers, `None` for a mask; nothing if one is too large.
pub(super) fn octets(parts: [&[u8]; 4]) -> Option<[Option<u8>; 4]> {
    let mut octets = [None; 4];
    for (octet, part) in octets.iter_mut().zip(parts) {
        let number = std::str::from_utf8(part).ok()?;
        if part.iter().any(u8::is_ascii_digit) {
            *octet = Some(number.parse().ok()?);
        }
    }
    Some(octets)
}

/// Whether four numbers are an address of a private network, whatever stands around.
pub(super) fn is_private(groups: [Option<u8>; 4]) -> bool {
    match groups {
        [Some(192), Some(168) | None, ..] | [Some(169), Some(254), ..] | [Some(127), ..] => true,
        [Some(172), Some(16..=31), ..] | [Some(100), Some(64..=127), ..] => true,
        [Some(10), ..] => true,
        groups => groups.contains(&None),
    }
}

/// Adds the numbers at `start` if they are an address; where to go on.
fn read(
    text: &[u8],
    start: usize,
    numbers: [&[u8]; 4],
    ((fourth, more), (_, end)): ((usize, usize), (usize, usize)),
    spans: &mut Spans,
) -> usize {
    let rest = &text[fourth..more];
    if rest.ends_with(b"arpa") {
        spans.add(start, more, Placeholder::Ip);
        return more;
    }
    let Some(octets) = octets(numbers).filter(|_| !is_word(byte(text, more)) || byte(text, more) == b'x')
    else {
        return more;
    };
    let (private, ten) = (is_private(octets), octets[0] == Some(10));
    // A fifth number may be a port. 10.x.y.z is also a version where a package name says so.
    let fifth = rest.iter().filter(|byte| **byte == b'.').count();
    let too_many = fifth > 1 || fifth == 1 && (!private || ten);
    // No address has a number such as `02`.
    let padded = numbers.iter().any(|number| number.len() > 1 && number[0] == b'0');
    if too_many || padded && !private || (!private || ten) && is_version(text, start, more, ten) {
        return more;
    }
    let placeholder = match octets {
        [Some(127), ..] => Placeholder::Loopback,
        [Some(0), Some(0), Some(0), Some(0)] => Placeholder::AnyAddress,
        _ => Placeholder::Ip,
    };
    spans.add(start, end, placeholder);
    host::add_names_of_address(text, (start, end), spans);
    end
}

/// Whether what stands around four numbers says that they are a version. `strictly`: only if they are part
/// of the name or the version of a package.
fn is_version(text: &[u8], start: usize, end: usize, strictly: bool) -> bool {
    let (previous, behind) = (before(text, start), &text[end..text.len().min(end + MAX_LENGTH)]);
    let is_v = matches!(previous, b'v' | b'V') && begins_word(text, start - 1);
    let of_file = PACKAGE.is_match(behind);
    let of_package = matches!(behind.first(), Some(b'+' | b'~' | b'-')) || matches!(previous, b'_' | b'-');
    let revision = run_end(behind, 1.min(behind.len()), |byte| byte.is_ascii_digit());
    let revised = behind.starts_with(b"-") && revision > 1 && byte(behind, revision) != b'.';
    if is_v || of_file && (!strictly || of_package) || revised && matches!(previous, b'=' | b'_') {
        return true;
    }
    let glued = is_word(previous) && begins_word(text, start);
    !strictly && !glued && VERSION.is_match(&text[start.saturating_sub(200)..start])
}
