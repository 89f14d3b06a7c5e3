//! What an address of the web carries besides host and path: credentials, query, fragment, and the part of
//! the path that is a secret where the service is known (web hooks, bots, log-in links).

use super::Placeholder;
use super::chars::{before, byte, is_name, is_word, run_end, run_start, stands_at};
use super::places::{Class, Places};
use super::spans::Spans;

/// Services whose path is a secret from here on.
const SECRET_PATHS: &[&[u8]] = &[
    b"hooks.slack.com/",
    b"discord.com/api/webhooks/",
    b"discordapp.com/api/webhooks/",
    b"api.telegram.org/bot",
    b"login.tailscale.com/a/",
    b"maker.ifttt.com/",
    b"hc-ping.com/",
    b"webhook.site/",
    b"hooks.zapier.com/",
    b"outlook.office.com/webhook/",
    b"chat.googleapis.com/v1/",
    b"ntfy.sh/",
    b"plex.tv/claim/",
];

pub(super) fn find(text: &[u8], places: &Places, spans: &mut Spans) {
    let mut at = 0;
    loop {
        at = places.next(Class::Link, at);
        if at == text.len() {
            return;
        }
        at = match text[at] {
            b':' => match byte(text, at + 1) {
                b'/' if byte(text, at + 2) == b'/' => read_url(text, at, at + 3, spans),
                b'\\' if stands_at(text, at + 1, b"\\/\\/") => read_url(text, at, at + 5, spans),
                _ => at + 1,
            },
            b'?' => read_query(text, at, spans),
            _ => at + 1,
        };
    }
}

fn is_end(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'<' | b'>' | b'`' | b'{' | b'}' | b'|')
}

/// Reads behind `://`; returns where to go on.
fn read_url(text: &[u8], colon: usize, start: usize, spans: &mut Spans) -> usize {
    if !is_word(before(text, colon)) {
        return start;
    }
    let authority_end =
        run_end(text, start, |byte| !is_end(byte) && !matches!(byte, b'/' | b'?' | b'#' | b'\\' | b'\''));
    let mut host = start;
    if let Some(sign) = text[start..authority_end].iter().rposition(|byte| *byte == b'@') {
        spans.add(start, start + sign, Placeholder::Secret);
        host = start + sign + 1;
    } else if let Some(sign) = far_sign(text, start, authority_end) {
        spans.add(start, sign, Placeholder::Secret);
        host = sign + 1;
    }
    let path_end = run_end(text, host, |byte| !is_end(byte) && !matches!(byte, b'?' | b'#' | b'\''));
    if let Some(path) = SECRET_PATHS.iter().find(|path| stands_at(text, host, path)) {
        spans.add(host + path.len(), path_end, Placeholder::Token);
    }
    let query = byte(text, path_end);
    if !matches!(query, b'?' | b'#') || path_end == host {
        return path_end.max(start);
    }
    let end = query_end(text, path_end + 1);
    if end > path_end + 1 {
        spans.add(path_end + 1, end, Placeholder::Query);
    }
    end
}

/// End of a query or fragment. The `'` that closes a quotation is not part of it.
fn query_end(text: &[u8], start: usize) -> usize {
    let end = run_end(text, start, |byte| {
        !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'`' | b'|' | b'\'')
    });
    run_start(text, end, start, |byte| matches!(byte, b')' | b'.' | b',' | b';' | b'\\' | b']'))
}

/// The `@` behind a password with a `/`, `?` or `#` in it: what follows the colon is then no port.
fn far_sign(text: &[u8], start: usize, authority_end: usize) -> Option<usize> {
    let colon = start + text[start..authority_end].iter().position(|byte| *byte == b':')?;
    let port = &text[colon + 1..authority_end];
    if port.is_empty() || port.iter().all(u8::is_ascii_digit) || text[start] == b'[' {
        return None;
    }
    let limit = text.len().min(authority_end + 128);
    let rest = &text[authority_end..limit];
    let end = rest.iter().position(|byte| is_end(*byte) || *byte == b'\'').unwrap_or(rest.len());
    rest[..end].iter().position(|byte| *byte == b'@').map(|sign| authority_end + sign)
}

/// `/path?key=value` without a host.
fn read_query(text: &[u8], at: usize, spans: &mut Spans) -> usize {
    let key = run_end(text, at + 1, |byte| is_name(byte) || matches!(byte, b'[' | b']' | b'%'));
    let follows_path = is_name(before(text, at)) || before(text, at) == b'/';
    if key == at + 1 || byte(text, key) != b'=' || !follows_path {
        return at + 1;
    }
    let end = query_end(text, at + 1);
    spans.add(at + 1, end, Placeholder::Query);
    end.max(at + 1)
}
