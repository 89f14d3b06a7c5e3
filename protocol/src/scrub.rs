//! Takes secrets and personal data out of free text, on the host before anything leaves it and on the server
//! before anything is stored.
//!
//! ```text
//! text ─▶ clean ─▶ rules ─▶ spans ─▶ text with placeholders
//!          │         │        │
//!       terminal   one a    overlapping ones
//!       codes      kind     become one
//! ```
//!
//! Every rule reads the cleaned text once from left to right and adds what it finds; none sees what another
//! found. So a rule can never hide a secret from another one, the result does not depend on their order, and
//! the time is linear: rules look around a place for a bounded number of bytes only, or past what they read
//! already. Where the signs stand that rules look for is found for all of them in one pass before (`places`), so
//! most bytes of a log are looked at by no rule. Placeholders match no rule. Where something was found, the
//! result is read again until nothing is: what stood beside it may mean something else now. So scrubbing is
//! idempotent, as it must be, because the client scrubs, and the server again.
//!
//! The rules are written by hand instead of as regular expressions: half of the work is the context (is this a
//! version or an address?), and the client stays small.
//!
//! | placeholder | instead of |
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
//! What is replaced and what survives is told by the tests in `tests/scrub_*.rs`.

mod chars;
mod spans;
mod places;
mod triples;
mod clean;
mod random;
mod hash;
mod ipv4;
mod colons;
mod host;
mod host_label;
mod home;
mod url;
mod at_sign;
mod wrap;
mod prefix;
mod token;
mod value;
mod command;
mod pair;
mod key_block;

use std::borrow::Cow;

use self::chars::Classes;
use self::places::Places;
use self::spans::Spans;

/// What stands where something was taken out. If findings overlap, the first in this order is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Placeholder {
    /// A key block or a public key.
    Key,
    /// Query or fragment of a URL.
    Query,
    /// A password, or another value that its name makes secret.
    Secret,
    /// A token that shows what it is.
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

    /// As it stands in the text.
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

/// `text` without secrets and personal data. Borrowed if there are none.
///
/// The result is at most three times as long as `text`. Newlines and tabs stay, `\r\n` becomes `\n`.
#[must_use]
pub fn scrub(text: &str) -> Cow<'_, str> {
    let mut text = clean::clean(text);
    for _ in 0..MAX_ROUNDS {
        if text.len() < SHORTEST_PLAIN && !Classes::of(text.as_bytes()).has(!Classes::WIDE) {
            return text;
        }
        let mut spans = Spans::default();
        find(text.as_bytes(), &mut spans);
        if spans.is_empty() {
            return text;
        }
        text = spans.replace_in(text);
    }
    text
}

/// How often a text is read. The second time rarely finds anything, the third time next to never.
const MAX_ROUNDS: usize = 4;

/// The version of a program: as [`scrub`], but four numbers are a version unless they are an address of a
/// private network.
#[must_use]
pub fn scrub_version(text: &str) -> Cow<'_, str> {
    let number = text.trim();
    let number = number.strip_prefix(['v', 'V']).unwrap_or(number);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = [None; 4];
    for (group, part) in groups.iter_mut().zip(number.split('.')) {
        *group = part.parse::<u8>().ok();
    }
    let quad = number.split('.').count() == 4 && number.split('.').all(digits);
    if quad && groups.iter().all(Option::is_some) && !ipv4::is_private(groups) {
        return Cow::Borrowed(text);
    }
    scrub(text)
}

/// How much more is scrubbed than is kept, in bytes: a key block that reaches into the end begins there.
const MARGIN: usize = 48 * 1024;

/// The end of a log: as [`scrub`], then at most `max_bytes` of its end. The end of a log says why.
///
/// The text is scrubbed before it is cut, with 48 KiB more than is kept: what is cut in half is harder to
/// recognise.
#[must_use]
pub fn scrub_tail(text: &str, max_bytes: usize) -> Cow<'_, str> {
    match scrub(cut_tail(text, max_bytes.saturating_add(MARGIN))) {
        Cow::Borrowed(text) => Cow::Borrowed(cut_tail(text, max_bytes)),
        Cow::Owned(text) if text.len() <= max_bytes => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(cut_tail(&text, max_bytes).to_owned()),
    }
}

/// How far behind the cut a line may begin for the cut to move there, in bytes.
const LINE_REACH: usize = 256;

/// At most the last `max_bytes` of `text`, from the beginning of a line if there is one nearby, else of a
/// character.
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

/// A text with nothing but letters, digits and blanks needs this length to be a secret, in bytes.
const SHORTEST_PLAIN: usize = random::SHORTEST;

fn find(text: &[u8], spans: &mut Spans) {
    let places = Places::of(text);
    key_block::find(text, &places, spans);
    ipv4::find(text, &places, spans);
    host::find(text, &places, spans);
    colons::find(text, &places, spans);
    colons::find_mac(text, &places, spans);
    home::find(text, &places, spans);
    url::find(text, &places, spans);
    at_sign::find(text, &places, spans);
    token::find(text, &places, spans);
    pair::find(text, &places, spans);
    host_label::find(text, &places, spans);
    host_label::find_in_lines(text, &places, spans);
}
