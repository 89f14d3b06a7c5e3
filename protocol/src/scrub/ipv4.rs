//! IPv4 addresses, also half masked ones (`192.x.x.42`), with prefix length and port. Versions survive.
//!
//! Four numbers are an address, unless what stands around them says that they are a version. For addresses
//! of private networks nothing around them counts.

use super::Placeholder;
use super::chars::{
    before, begins_word, byte, ends_with, escape_digits, is_one_of, is_word, run_end, run_start, stands_at,
    word_before,
};
use super::data::{DPKG_VERBS, FILE_ENDS, VERSION_LINKS, VERSION_WORDS};
use super::host;
use super::spans::Spans;

/// Numbers with dots between them; `groups` holds the first four, `None` for a masked one.
struct Dotted {
    groups: [Option<u8>; 4],
    count: usize,
    is_address: bool,
    /// End of the fourth group, and of all.
    fourth: usize,
    end: usize,
}

pub(super) fn find(text: &[u8], spans: &mut Spans) {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'.', &text[at..]) {
        let dot = at + found;
        if !before(text, dot).is_ascii_digit() {
            at = dot + 1;
            continue;
        }
        at = first_digit(text, dot, at);
        let dotted = read(text, at);
        if let Some(end) = address_end(text, at, &dotted) {
            spans.add(at, end, placeholder(&dotted));
            host::add_names_of_address(text, (at, end), spans);
            at = end;
        } else {
            at = dotted.end.max(at + 1);
        }
    }
}

/// Where the digits before a dot begin, nothing before `floor`: behind an escape, if they would be read
/// together with it.
fn first_digit(text: &[u8], dot: usize, floor: usize) -> usize {
    let start = run_start(text, dot, floor, |byte| byte.is_ascii_digit());
    let escapes = floor.max(start.saturating_sub(3))..=start;
    let ends = escapes.filter(|at| text[*at].is_ascii_digit()).map(|at| at + escape_digits(text, at));
    ends.fold(start, usize::max)
}

/// Whether four numbers at `start` are an address of a private network, whatever stands around.
pub(super) fn is_private(groups: [Option<u8>; 4]) -> bool {
    match groups {
        [Some(192), Some(168) | None, ..] | [Some(169), Some(254), ..] | [Some(127), ..] => true,
        [Some(172), Some(16..=31), ..] | [Some(100), Some(64..=127), ..] => true,
        [Some(10), ..] => true,
        groups => groups.contains(&None),
    }
}

fn placeholder(dotted: &Dotted) -> Placeholder {
    match dotted.groups {
        [Some(127), ..] => Placeholder::Loopback,
        [Some(0), Some(0), Some(0), Some(0)] => Placeholder::AnyAddress,
        _ => Placeholder::Ip,
    }
}

fn read(text: &[u8], start: usize) -> Dotted {
    let mut dotted = Dotted { groups: [None; 4], count: 0, is_address: true, fourth: start, end: start };
    let mut at = start;
    loop {
        let end = run_end(text, at, |byte| byte.is_ascii_digit());
        let masked = if end > at { at } else { run_end(text, at, |byte| matches!(byte, b'x' | b'X' | b'*')) };
        let group = if end > at {
            let number =
                (end - at <= 3).then(|| std::str::from_utf8(&text[at..end]).ok()?.parse::<u8>().ok());
            number.flatten()
        } else if dotted.count > 0 && masked > at && masked - at <= 3 {
            None
        } else {
            break;
        };
        dotted.is_address &= end == at || group.is_some() || dotted.count >= 4;
        if dotted.count < 4 {
            dotted.groups[dotted.count] = group;
        }
        dotted.count += 1;
        dotted.end = end.max(masked);
        if dotted.count == 4 {
            dotted.fourth = dotted.end;
        }
        if byte(text, dotted.end) != b'.' {
            break;
        }
        at = dotted.end + 1;
    }
    dotted
}

fn address_end(text: &[u8], start: usize, dotted: &Dotted) -> Option<usize> {
    if stands_at(text, dotted.end, b".in-addr.arpa") {
        return Some(dotted.end + ".in-addr.arpa".len());
    }
    if dotted.count < 4 || !dotted.is_address {
        return None;
    }
    let private = is_private(dotted.groups);
    let ten = dotted.groups[0] == Some(10);
    if dotted.count > 5 || (dotted.count == 5 && (!private || ten)) {
        return None;
    }
    if dotted.groups.iter().flatten().count() < 1 {
        return None;
    }
    // 10.x.y.z is also a version where a package name says so.
    if (!private || ten) && is_version(text, start, dotted.end, ten) {
        return None;
    }
    let mut end = dotted.end;
    for (sign, most) in [(b'/', 2), (b':', 5)] {
        let digits = run_end(text, end + 1, |byte| byte.is_ascii_digit());
        if byte(text, end) == sign
            && (end + 2..=end + 1 + most).contains(&digits)
            && !is_word(byte(text, digits))
        {
            end = digits;
        }
    }
    Some(end)
}

/// Whether what stands around four numbers says that they are a version. `strictly`: only if they are part
/// of the name or the version of a package.
fn is_version(text: &[u8], start: usize, end: usize, strictly: bool) -> bool {
    let previous = before(text, start);
    let next = byte(text, end);
    let after = byte(text, end + 1);
    let glued_before = is_word(previous) && !begins_word(text, start);
    let is_v = matches!(previous, b'v' | b'V') && begins_word(text, start - 1);
    if is_v
        || stands_at(text, end, b"_all.")
        || FILE_ENDS.iter().any(|part| stands_at(text, end, part.as_bytes()))
    {
        return !strictly || is_v || matches!(previous, b'_' | b'-');
    }
    let revision = run_end(text, end + 1, |byte| byte.is_ascii_digit());
    let has_revision = next == b'-' && revision > end + 1 && byte(text, revision) != b'.';
    let revision_goes_on =
        has_revision && (is_word(byte(text, revision)) || matches!(byte(text, revision), b'+' | b'~' | b'_'));
    if revision_goes_on || (has_revision && matches!(previous, b'=' | b'_')) {
        return true;
    }
    if matches!(next, b'+' | b'~') && is_word(after) {
        return true;
    }
    if strictly {
        return false;
    }
    let sign = start.checked_sub(2).map_or(&b""[..], |from| &text[from..start]);
    if matches!(sign, b"==" | b">=" | b"<=" | b"~=" | b"!=") || previous == b'^' {
        return true;
    }
    if glued_before || (next.is_ascii_alphabetic() && next != b'x') {
        return true;
    }
    if previous == b'/' && start > 1 && is_word(text[start - 2]) && is_in_url(text, start) {
        return true;
    }
    follows_version_word(text, start)
}

fn follows_version_word(text: &[u8], start: usize) -> bool {
    let (word, at) = word_before(text, start);
    let names_version = |word: &[u8]| is_one_of(word, VERSION_WORDS) || ends_with(word, b"_version");
    if names_version(word) || (is_one_of(word, VERSION_LINKS) && names_version(word_before(text, at).0)) {
        return true;
    }
    let floor = start.saturating_sub(120);
    let line =
        text[floor..start].iter().rposition(|byte| *byte == b'\n').map_or(floor, |end| floor + end + 1);
    before(text, start) == b'(' && DPKG_VERBS.iter().any(|verb| stands_at(text, line, verb.as_bytes()))
}

fn is_in_url(text: &[u8], start: usize) -> bool {
    let floor = start.saturating_sub(200);
    let word = text[floor..start]
        .iter()
        .rposition(|byte| byte.is_ascii_whitespace())
        .map_or(floor, |end| floor + end);
    text[word..start].windows(3).any(|part| part == b"://")
}
