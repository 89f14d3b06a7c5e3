//! Where a value begins and ends: in quotes of any kind and any depth of escaping, up to the next white space, or
//! with blanks in it. Values that say nothing survive.

use super::Placeholder;
use super::chars::{byte, is_one_of, is_quote, is_word, run_end, run_start, stands_at};
use super::data::{ARTICLES, CODE, COMMANDS, DEMANDING, EMPTY, MASKS, PROSE, TELLING};
use super::random::is_odd;

/// What stands between a name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Equals,
    Colon,
    Space,
}

/// Longest value in quotes, in bytes.
pub(super) const MAX_QUOTED: usize = 512;

/// Whether a quote, escaped or not, begins at `at`.
pub(super) fn is_quoted(text: &[u8], at: usize) -> bool {
    is_quote(byte(text, run_end(text, at, |byte| byte == b'\\')))
}

/// Start and end of the value at `at`, without its quotes.
pub(super) fn bounds(text: &[u8], at: usize) -> (usize, usize) {
    let at = if byte(text, at) == b'$' && byte(text, at + 1) == b'\'' { at + 1 } else { at };
    let entity = entity_length(text, at);
    if entity > 0 {
        let limit = text.len().min(at + entity + MAX_QUOTED);
        return (at + entity, run_end(&text[..limit], at + entity, |byte| !matches!(byte, b'&' | b'\n')));
    }
    let slashes = run_end(text, at, |byte| byte == b'\\') - at;
    let quote = byte(text, at + slashes);
    if !is_quote(quote) {
        return (at, word_end(text, at));
    }
    let start = at + slashes + 1;
    if let Some(end) = closing(text, start, quote, slashes) {
        return (start, if slashes == 0 { joined_end(text, end) } else { end });
    }
    // No end: the text was cut, or never had one.
    let limit = text.len().min(start + MAX_QUOTED);
    let end = run_end(&text[..limit], start, |byte| byte != b'\n');
    (start, if end == limit { run_end(text, end, |byte| !byte.is_ascii_whitespace()) } else { end })
}

/// Length of the quote at `at` that is written as an entity of HTML; 0 if there is none.
pub(super) fn entity_length(text: &[u8], at: usize) -> usize {
    const QUOTES: [&[u8]; 5] = [b"&quot;", b"&apos;", b"&#34;", b"&#39;", b"&#x27;"];
    QUOTES.iter().find(|quote| stands_at(text, at, quote)).map_or(0, |quote| quote.len())
}

/// Where the quote of this kind and depth closes, in the same line.
fn closing(text: &[u8], start: usize, quote: u8, slashes: usize) -> Option<usize> {
    let limit = text.len().min(start + MAX_QUOTED);
    let limit = run_end(&text[..limit], start, |byte| byte != b'\n');
    let mut at = start;
    while let Some(found) = memchr::memchr(quote, &text[at..limit]) {
        let sign = at + found;
        let escapes = sign - run_start(text, sign, start, |byte| byte == b'\\');
        let quoted = slashes == 0 && (escapes.is_multiple_of(2) || quote == b'\'');
        if escapes <= slashes || quoted {
            return Some(sign - escapes.min(slashes));
        }
        at = sign + 1;
    }
    None
}

/// End of a shell word that goes on behind its closing quote: `'it'\''s'`, `'a'"b"`, `'it''s'`.
fn joined_end(text: &[u8], end: usize) -> usize {
    let mut end = end;
    loop {
        let quote = byte(text, end);
        let next = end + 1 + usize::from(byte(text, end + 1) == b'\\');
        let part = byte(text, next);
        let again = if is_quote(part) && next > end + 1 { next + 1 } else { next };
        end = match byte(text, again) {
            opening
                if is_quote(opening)
                    && (opening == quote || again > next || is_word(byte(text, again + 1))) =>
            {
                match closing(text, again + 1, opening, 0) {
                    Some(end) => end,
                    None => return end,
                }
            }
            // `"half"rest`
            other if next == end + 1 && again == next && other.is_ascii_alphanumeric() => {
                return word_end(text, next);
            }
            other if again > next && is_word(other) => match closing(text, again, quote, 0) {
                Some(end) => end,
                None => return end,
            },
            _ => return end,
        };
    }
}

/// End of a value without quotes: white space, or a quote that closes what the pair stands in.
pub(super) fn word_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        let end = run_end(text, at, |byte| !byte.is_ascii_whitespace() && !is_quote(byte) && byte != b'<');
        match byte(text, end) {
            // A blank behind a backslash belongs to the word.
            b' ' if end > start && text[end - 1] == b'\\' && is_word(byte(text, end + 1)) => {}
            // The end of an element.
            b'<' if byte(text, end + 1) == b'/' => return end,
            b'<' => {}
            quote if !is_quote(quote) => return end,
            _ if !is_word(byte(text, end + 1)) => return run_start(text, end, start, |byte| byte == b'\\'),
            _ => {}
        }
        at = end + 1;
    }
}

/// End of a value with blanks in it whose first word ends at `end`: up to the end of the line, a sign of the shell,
/// or the name of another pair.
pub(super) fn phrase_end(text: &[u8], end: usize) -> usize {
    let mut end = end;
    loop {
        let start = run_end(text, end, |byte| matches!(byte, b' ' | b'\t'));
        let next = word_end(text, start);
        let word = &text[start..next];
        let is_sign =
            word.first().is_none_or(|first| b"-|&;<>($".contains(first)) || word.starts_with(b"\\n");
        if start == end || is_sign || is_name(word) {
            return end;
        }
        end = next;
    }
}

/// `user:`, `user=x`, `--user`
fn is_name(word: &[u8]) -> bool {
    let name = run_end(word, 0, |byte| is_word(byte) || matches!(byte, b'_' | b'-' | b'.'));
    name > 1 && matches!(byte(word, name), b':' | b'=')
}

/// Like [`phrase_end`] behind `name=` at the start of a line: only if the rest of the line are plain words, of
/// which the first is not a command.
pub(super) fn plain_phrase_end(text: &[u8], end: usize) -> usize {
    let line = run_end(&text[..text.len().min(end + 80)], end, |byte| byte != b'\n');
    let plain = |byte: &u8| is_word(*byte) || b" .,!?'*@^_-".contains(byte);
    let first = &text[run_end(text, end, |byte| byte == b' ')..line];
    let first = &first[..run_end(first, 0, |byte| !byte.is_ascii_whitespace())];
    let fits = text[end..line].iter().all(plain) && !text[end..line].windows(2).any(|two| two == b" -");
    if fits && !is_one_of(first, COMMANDS) { phrase_end(text, end) } else { end }
}

/// Whether a value is no secret: a mask, a variable, a placeholder, `true`, the beginning of a sentence.
pub(super) fn says_nothing(value: &[u8], sign: Sign) -> bool {
    let plain = &value[..run_start(value, value.len(), 0, |byte| b",;)}].?!:/".contains(&byte))];
    let is_mask =
        |byte: &u8| b"*.-_<>[]{}(),;:".contains(byte) || (value.len() > 2 && matches!(byte, b'x' | b'X'));
    let inner = run_end(plain, 0, |byte| b"([<{".contains(&byte));
    let inner = &plain[inner..run_start(plain, plain.len(), inner, |byte| byte == b'>')];
    let is_masked = inner.len() < plain.len() && is_one_of(inner, MASKS);
    let number = plain.len() <= 3 && plain.iter().all(u8::is_ascii_digit);
    let first = &plain[..run_end(plain, 0, |byte| byte != b' ')];
    value.iter().all(is_mask)
        || is_masked
        || is_placeholder(plain)
        || is_variable(plain)
        || is_path(plain)
        || is_call(value)
        || is_one_of(plain.strip_prefix(b"&").unwrap_or(plain), EMPTY)
        || CODE.iter().any(|code| value.starts_with(code.as_bytes()))
        || (sign == Sign::Colon && (number || is_one_of(first, PROSE)))
}

/// Whether the words from `start` are a message about a value: `value must be at least 5 characters long`. A password
/// of several words may begin like one.
pub(super) fn is_message(text: &[u8], start: usize) -> bool {
    let line = run_end(&text[..text.len().min(start + 160)], start, |byte| byte != b'\n');
    let mut words = text[start..line]
        .split(|byte| matches!(byte, b' ' | b',' | b'.' | b'"' | b'`' | b'\''))
        .filter(|word| !word.is_empty());
    let Some(first) = words.next().filter(|first| !is_odd(first)) else {
        return false;
    };
    let telling = if is_one_of(first, ARTICLES) { TELLING } else { DEMANDING };
    words.take(10).any(|word| is_one_of(word, telling))
}

fn is_placeholder(value: &[u8]) -> bool {
    Placeholder::ALL.iter().any(|placeholder| placeholder.as_str().as_bytes() == value)
}

/// `env('X')`, `input()`, `os.environ["X"]`
fn is_call(value: &[u8]) -> bool {
    let name = run_end(value, 0, |byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'.'));
    let behind = run_end(value, name + 1, |byte| byte.is_ascii_digit());
    name > 2
        && matches!(byte(value, name), b'(' | b'[')
        && (is_quote(byte(value, name + 1)) || matches!(byte(value, behind), b')' | 0))
}

/// `/run/secrets/db`, but not base64.
fn is_path(value: &[u8]) -> bool {
    let folder = run_end(value, 1.min(value.len()), |byte| byte.is_ascii_lowercase());
    value.starts_with(b"/") && folder > 3 && byte(value, folder) == b'/'
}

/// `$NAME`, `${name}`, `$(command)`: what a script says, not what it is.
pub(super) fn is_variable(value: &[u8]) -> bool {
    let Some(rest) = value.strip_prefix(b"$") else {
        return value.starts_with(b"{{") || value.starts_with(b"%(");
    };
    match rest.first() {
        Some(b'(') => true,
        Some(b'{') => {
            rest.ends_with(b"}") || rest[1..].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        }
        Some(first) => {
            // `$NAME|g` of sed
            let end = run_end(rest, 0, |byte| byte.is_ascii_uppercase() || byte == b'_');
            let is_end = |byte: u8| matches!(byte, b'|' | b'/' | b'#' | b',' | b'g');
            end > 0 && rest.len() <= end + 3 && run_end(rest, end, is_end) == rest.len()
                || matches!(first, b'1'..=b'9' | b'@') && rest.len() == 1
        }
        None => false,
    }
}

/// End of a header that begins at `start`: the end of the line or of the quotes it stands in.
pub(super) fn header_end(text: &[u8], start: usize) -> usize {
    let end = run_end(text, start, |byte| !matches!(byte, b'\n' | b'"' | b'\'' | b'`' | b'|'));
    let end = run_start(text, end, start, |byte| matches!(byte, b'\\' | b' ' | b'\t'));
    let line = memchr::memmem::find(&text[start..end], b"\\n").map_or(end, |found| start + found);
    if line > start && text[line - 1] == b'\\' { end } else { line }
}

/// Start and end of the content of the XML element that is open at `start`, which may have lines of its own. With a
/// `name` the element must be closed by this name; otherwise no other may be opened before.
pub(super) fn element(text: &[u8], start: usize, name: &[u8]) -> Option<(usize, usize)> {
    let limit = text.len().min(start + MAX_QUOTED);
    let start = run_end(&text[..limit], start, |byte| byte.is_ascii_whitespace());
    let close = start + memchr::memmem::find(&text[start..limit], b"</")?;
    let fits = if name.is_empty() {
        !text[start..close].contains(&b'<') || is_placeholder(&text[start..close])
    } else {
        text[close + 2..].get(..name.len()).is_some_and(|closed| closed.eq_ignore_ascii_case(name))
    };
    let end = run_start(text, close, start, |byte| byte.is_ascii_whitespace());
    (fits && end > start && !is_placeholder(&text[start..end])).then_some((start, end))
}
