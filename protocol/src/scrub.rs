//! Removes secrets and personal data from free text: on the host before a report is sent, and on the server
//! before it is stored.
//!
//! ```text
//! text ─▶ clean ─▶ rules ─▶ spans ─▶ text with placeholders
//!          │         │        │
//!       terminal   one a    overlapping ones
//!       codes      kind     become one
//! ```
//!
//! Most rules are data (`data/secrets.toml`): one search finds the keywords of all of them, and a rule looks only at
//! the places of its own (`rules`). Code decides what needs its context: where a value ends, addresses against
//! versions, what stands around an `@`, key blocks, words that look random.
//!
//! Every rule reads the cleaned text and adds its findings; no rule sees those of another. So a rule cannot hide a
//! secret from another one, and the result does not depend on their order. The time is linear, because rules examine
//! only a bounded number of bytes around a place. Placeholders match no rule. After a finding the result is scrubbed
//! again until nothing is found, because the text around a finding may now match other rules. This makes scrubbing
//! idempotent, which is required because both the client and the server scrub.
//!
//! | placeholder | replaces |
//! |---|---|
//! | `<key>` | key blocks (PEM, OpenSSH, PGP), public keys of ssh |
//! | `<secret>` | values of `password=`-like pairs, authorization headers, credentials in URLs, password hashes |
//! | `<token>` | API tokens by prefix, JWTs, random words, API tokens of Proxmox VE, web hooks |
//! | `<query>` | query and fragment of a URL |
//! | `<email>` | e-mail addresses |
//! | `<mac>` | MAC addresses, fingerprints in octets |
//! | `<ip>`, `<loopback>`, `<any-ip>` | IPv4 and IPv6 addresses with prefix length and port |
//! | `<host>` | hosts of private networks, host names where the words around say so |
//! | `<user>` | users in home paths and before `@host` |
//! | `<id>` | UUIDs |
//!
//! The examples in `data/secrets.toml` and `tests/examples` show what is replaced and what is kept.

mod chars;
mod random;
mod spans;
mod clean;
mod wrap;
mod data;
mod value;
mod pair;
mod host;
mod ipv4;
mod colons;
mod token;
mod rules;
mod at_sign;
mod key_block;

use std::borrow::Cow;
use std::ops::Range;

use self::spans::Spans;

/// Changes whenever the same text may be scrubbed otherwise. Texts that were stored with another fingerprint should be
/// scrubbed again.
pub const FINGERPRINT: u64 = data::FINGERPRINT;

/// The replacement of a removed text. If findings overlap, the first in this order is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Placeholder {
    /// A key block or a public key.
    Key,
    /// Query or fragment of a URL.
    Query,
    /// A password, or another value that its name makes secret.
    Secret,
    /// A token that is recognisable on its own.
    Token,
    /// An e-mail address.
    Email,
    /// A hardware address.
    Mac,
    /// A network address.
    Ip,
    /// The address of the machine itself.
    Loopback,
    /// `0.0.0.0`.
    AnyAddress,
    /// The name of a host.
    Host,
    /// The name of a person's account.
    User,
    /// A UUID.
    Id,
}

impl Placeholder {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Key,
        Self::Query,
        Self::Secret,
        Self::Token,
        Self::Email,
        Self::Mac,
        Self::Ip,
        Self::Loopback,
        Self::AnyAddress,
        Self::Host,
        Self::User,
        Self::Id,
    ];

    /// The text of the placeholder.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "<key>",
            Self::Secret => "<secret>",
            Self::Token => "<token>",
            Self::Query => "<query>",
            Self::Email => "<email>",
            Self::Mac => "<mac>",
            Self::Ip => "<ip>",
            Self::Loopback => "<loopback>",
            Self::AnyAddress => "<any-ip>",
            Self::Host => "<host>",
            Self::User => "<user>",
            Self::Id => "<id>",
        }
    }
}

/// Removes secrets and personal data from `text`. Borrowed if there are none.
///
/// The result is at most three times as long as `text`. Newlines and tabs stay, `\r\n` becomes `\n`.
#[must_use]
pub fn scrub(text: &str) -> Cow<'_, str> {
    // A short word is no secret on its own. Many fields are such words, and need no search.
    if text.len() < SHORTEST && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Cow::Borrowed(text);
    }
    let mut text = clean::clean(text);
    let mut changed = Vec::from([Range { start: 0, end: text.len() }]);
    for _ in 0..MAX_ROUNDS {
        let mut spans = Spans::default();
        for part in changed {
            spans.read_from(part.start);
            find(&text.as_bytes()[part], &mut spans);
        }
        if spans.is_empty() {
            break;
        }
        spans.add_repeated(text.as_bytes());
        let (replaced, places) = spans.replace_in(&text);
        changed = lines_around(replaced.as_bytes(), &places);
        text = Cow::Owned(replaced);
    }
    text
}

/// Shortest word that a rule may remove without anything around it, in bytes.
const SHORTEST: usize = 9;

/// Maximum number of passes. The second rarely finds anything, and the third almost never.
const MAX_ROUNDS: usize = 8;

/// How many lines before and behind a finding are read again, more than any rule reads.
const MARGIN_LINES: usize = 8;

/// How many bytes behind a finding suffice, if its lines are long.
const MARGIN: usize = 4096;

/// The lines around the placeholders at `places`, in order.
fn lines_around(text: &[u8], places: &[usize]) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    for place in places {
        if parts.last().is_some_and(|part| *place + MARGIN < part.end) {
            continue;
        }
        let start = memchr::memrchr_iter(b'\n', &text[..*place]).nth(MARGIN_LINES).map_or(0, |end| end + 1);
        let end = memchr::memchr_iter(b'\n', &text[*place..]).nth(MARGIN_LINES);
        let end = end.map_or(text.len(), |end| place + end);
        match parts.last_mut() {
            Some(part) if start <= part.end => part.end = end.max(part.end),
            _ => parts.push(start..end),
        }
    }
    parts
}

/// Like [`scrub`], for the version of a program: four numbers are a version unless they are an address of a
/// private network.
#[must_use]
pub fn scrub_version(text: &str) -> Cow<'_, str> {
    let number = text.trim();
    let mut parts = number.strip_prefix(['v', 'V']).unwrap_or(number).split('.').map(str::as_bytes);
    let four = [(); 4].map(|()| parts.next().unwrap_or_default());
    let is_quad = parts.next().is_none() && four.iter().all(|part| part.iter().all(u8::is_ascii_digit));
    if is_quad && four[3] != b"" && ipv4::octets(four).is_some_and(|octets| !ipv4::is_private(octets)) {
        return Cow::Borrowed(text);
    }
    scrub(text)
}

/// How much more is scrubbed than is kept, in bytes, so that the start of a truncated key block is seen.
const TAIL_MARGIN: usize = 48 * 1024;

/// Scrubs the end of a log like [`scrub`] and keeps at most its last `max_bytes`.
///
/// The text is scrubbed before it is cut, with 48 KiB more than is kept, because truncated secrets are harder to
/// recognise.
#[must_use]
pub fn scrub_tail(text: &str, max_bytes: usize) -> Cow<'_, str> {
    match scrub(cut_tail(text, max_bytes.saturating_add(TAIL_MARGIN))) {
        Cow::Borrowed(text) => Cow::Borrowed(cut_tail(text, max_bytes)),
        Cow::Owned(text) if text.len() <= max_bytes => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(cut_tail(&text, max_bytes).to_owned()),
    }
}

/// How far the cut may move forward to the start of a line, in bytes.
const LINE_REACH: usize = 256;

/// At most the last `max_bytes` of `text`, starting at a line if one is near, or else at a character.
#[must_use]
pub fn cut_tail(text: &str, max_bytes: usize) -> &str {
    let Some(mut start) = text.len().checked_sub(max_bytes).filter(|start| *start > 0) else {
        return text;
    };
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let tail = &text[start..];
    let reach = tail.len().min(LINE_REACH);
    tail.as_bytes()[..reach].iter().position(|byte| *byte == b'\n').map_or(tail, |end| &tail[end + 1..])
}

fn find(text: &[u8], spans: &mut Spans) {
    rules::find(text, spans);
    key_block::find(text, spans);
    ipv4::find(text, spans);
    colons::find(text, spans);
    at_sign::find(text, spans);
    token::find(text, spans);
}
