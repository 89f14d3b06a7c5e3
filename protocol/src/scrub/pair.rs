//! Values that a name before them makes secret: `password=x`, `"api_key": "x"`, `--token x`, `PASSWORD 'x'`,
//! `<password>x</password>`, `The password is x`, with quotes and escapes as they come. The names are data.

use super::Placeholder;
use super::chars::{
    before, byte, ends_with, is_one_of, is_quote, is_word, run_end, run_start, stands_at, word_before,
};
use super::data::{
    AROUND_FLAGS, ARTICLES, ASKING, HARMLESS, LINKING, LINKING_FOR, Name, PROGRAMS, QUOTED_OBJECTS,
    QUOTED_THINGS, STATES, TYPES, WEAK_LINKS,
};
use super::random::is_odd;
use super::spans::Spans;
use super::value::{self, Sign};
use super::wrap::with_rest;

/// Longest part of a name before and behind its keyword, in bytes.
const MAX_NAME: usize = 64;

/// What stands behind a name.
struct Assigned {
    sign: Sign,
    /// Where the value begins.
    start: usize,
    /// Whether there is a blank around the sign.
    spaced: bool,
}

/// Adds the value of the name with a keyword at `start..end`; its end, or `None` if there is none.
pub(super) fn read(
    text: &[u8],
    (start, end): (usize, usize),
    kind: Name,
    spans: &mut Spans,
) -> Option<usize> {
    let name_end = run_end(&text[..text.len().min(end + MAX_NAME)], end, is_part);
    let name_end = run_start(text, name_end, end, |byte| matches!(byte, b'.' | b'-'));
    let rest = &text[end..name_end];
    let camel = text[end - 1].is_ascii_lowercase() && byte(rest, 0).is_ascii_uppercase();
    let last = rest.rsplit(|byte| !byte.is_ascii_alphabetic()).find(|part| !part.is_empty()).unwrap_or(b"");
    let last = &last[last.iter().rposition(u8::is_ascii_uppercase).filter(|_| camel).unwrap_or(0)..];
    if is_word(byte(rest, 0)) && !camel && !byte(rest, 0).is_ascii_digit() || is_one_of(last, HARMLESS) {
        return None;
    }
    let word = run_start(text, end, end.saturating_sub(MAX_NAME), |byte| byte.is_ascii_alphabetic());
    if is_one_of(&text[word..end], PROGRAMS) {
        return None;
    }
    let name_start = run_start(text, start, start.saturating_sub(MAX_NAME), is_part);
    let keyword = &text[start..end];
    if let Some((from, to)) = content_of_element(text, name_start, name_end) {
        spans.add(from, to, Placeholder::Secret);
        return Some(to);
    }
    let Assigned { sign, start: value, spaced } = assigned(text, name_end, kind)?;
    let is_flag = text[name_start] == b'-';
    match sign {
        Sign::Colon if kind == Name::Header => add_header(text, value, spans),
        Sign::Equals | Sign::Colon => {
            // `self.token = token` is a program, `/etc/passwd: not found` and `PWD=/opt` are files.
            let program = spaced
                && name_end == end
                && stands_at(text, value, &keyword.to_ascii_lowercase())
                && !byte(text, value + keyword.len()).is_ascii_digit();
            let file = byte(text, value) == b'/' && is_one_of(keyword, &["pwd"])
                || sign == Sign::Colon && before(text, name_start) == b'/' && is_in_path(text, name_start);
            if program || file { None } else { add(text, (name_start, value), sign, (kind, spaced), spans) }
        }
        Sign::Space if is_flag && is_one_of(&text[value..value::word_end(text, value)], AROUND_FLAGS) => None,
        Sign::Space if is_flag => add(text, (name_start, value), sign, (kind, false), spans),
        Sign::Space if kind == Name::Phrase => read_sentence(text, (name_start, name_end), value, spans),
        Sign::Space => None,
    }
}

const fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// `/etc/passwd`, but not `Username/Password`.
fn is_in_path(text: &[u8], at: usize) -> bool {
    let start = run_start(text, at, at.saturating_sub(MAX_NAME), |byte| is_part(byte) || byte == b'/');
    matches!(byte(text, start), b'/' | b'.')
}

/// `<password>x</password>`, `<string name="password">x</string>`, `<key>password</key><string>x</string>`
fn content_of_element(text: &[u8], name_start: usize, name_end: usize) -> Option<(usize, usize)> {
    // `<ns:password>`
    let name_start = match before(text, name_start) {
        b':' => run_start(text, name_start - 1, name_start.saturating_sub(MAX_NAME), is_part),
        _ => name_start,
    };
    for (close, open) in [("&gt;", "&lt;"), ("\\u003e", "\\u003c"), ("%3e", "%3c"), ("\\x3e", "\\x3c")] {
        if stands_at(text, name_end, close.as_bytes()) {
            let start = name_end + close.len();
            let limit = text.len().min(start + value::MAX_QUOTED);
            return (start..limit)
                .find(|at| stands_at(text, *at, open.as_bytes()))
                .filter(|end| *end > start)
                .map(|end| (start, end));
        }
    }
    let at = run_end(text, name_end, is_quote);
    if byte(text, at) == b'>' {
        let is_named = at == name_end && before(text, name_start) == b'<';
        let name = if is_named { &text[name_start..name_end] } else { b"" };
        return (is_named || at > name_end).then(|| value::element(text, at + 1, name)).flatten();
    }
    // `<password type="plain">x`
    let limit = text.len().min(name_end + MAX_NAME);
    if before(text, name_start) == b'<' && byte(text, name_end) == b' ' {
        let open = memchr::memchr3(b'>', b'<', b'\n', &text[name_end..limit]).map(|at| name_end + at);
        return open
            .filter(|open| text[*open] == b'>' && text[open - 1] != b'/')
            .and_then(|open| value::element(text, open + 1, &text[name_start..name_end]));
    }
    if stands_at(text, name_end, b"</key>") {
        let open = run_end(text, name_end + 6, |byte| byte.is_ascii_whitespace());
        let close = run_end(text, open, |byte| byte.is_ascii_alphabetic() || byte == b'<');
        return (byte(text, close) == b'>').then(|| value::element(text, close + 1, b"")).flatten();
    }
    None
}

/// The sign behind a name that ends at `end`, past the quotes that close the name, and where its value begins.
fn assigned(text: &[u8], end: usize, kind: Name) -> Option<Assigned> {
    let closed = run_end(text, end, |byte| is_quote(byte) || matches!(byte, b'\\' | b']' | b'*' | b'.'));
    let closed = closed + value::entity_length(text, closed);
    // `char password[] =`
    let bracket = run_end(text, closed + 1, |byte| byte.is_ascii_digit());
    let closed = if byte(text, closed) == b'[' && byte(text, bracket) == b']' { bracket + 1 } else { closed };
    let is_blank = |byte: u8| matches!(byte, b' ' | b'\t' | 0xc2 | 0xa0);
    let blank = run_end(text, closed, is_blank);
    if let Some(start) = value_attribute(text, closed) {
        return Some(Assigned { sign: Sign::Equals, start, spaced: false });
    }
    let (sign, length) = match byte(text, blank) {
        b'=' => (Sign::Equals, run_end(text, blank, |byte| matches!(byte, b'=' | b'>' | b'~')) - blank),
        b':' | b'?' | b'.' | b'+' | b'|' if byte(text, blank + 1) == b'=' => (Sign::Equals, 2),
        b':' if stands_at(text, blank, b"::=") => (Sign::Equals, 3),
        b'|' | b'?' | b'/' if stands_at(text, blank + 1, &[text[blank], b'=']) => (Sign::Equals, 3),
        b'<' if byte(text, blank + 1) == b'-' => (Sign::Equals, 2),
        // `std::string password{"x"}`
        b'{' if blank == closed && matches!(byte(text, blank + 1), b'"' | b'\'') => (Sign::Equals, 1),
        b':' if byte(text, blank + 1) == b':' || stands_at(text, blank, b"://") => return None,
        b':' => (Sign::Colon, 1),
        0xef if stands_at(text, blank, "：".as_bytes()) => (Sign::Colon, 3),
        0xe6 if stands_at(text, blank, "是".as_bytes()) => (Sign::Colon, 3),
        0xe4 if stands_at(text, blank, "为".as_bytes()) => (Sign::Colon, 3),
        b'%' if stands_at(text, blank, b"%3d") || stands_at(text, blank, b"%3a") => (Sign::Equals, 3),
        b'\\' if stands_at(text, blank, b"\\u003d") => (Sign::Equals, 6),
        _ if closed > end && stands_at(text, closed - 1, b"\\u003d") => (Sign::Equals, 5),
        // `set("KEY", "value")`, and the cells of a table.
        b',' if closed > end && value::is_quoted(text, run_end(text, blank + 1, is_blank)) => {
            (Sign::Equals, 1)
        }
        b'|' if kind == Name::Phrase && blank > closed && is_cell(text, end) => (Sign::Equals, 1),
        0xe2 if stands_at(text, blank, "│".as_bytes()) => (Sign::Colon, 3),
        _ => match type_end(text, blank) {
            Some(start) => return Some(Assigned { sign: Sign::Equals, start, spaced: false }),
            None if blank > closed || byte(text, blank) == b'(' => {
                return Some(Assigned { sign: Sign::Space, start: blank, spaced: true });
            }
            None => return None,
        },
    };
    let after = blank + length;
    // `password: str = "x"`
    let start = if sign == Sign::Colon { type_end(text, after).unwrap_or(after) } else { after };
    // `密码为：`
    let start = if stands_at(text, start, "：".as_bytes()) { start + 3 } else { start };
    let start = run_end(text, start, |byte| is_blank(byte) || byte == b'*');
    // `password: |` of YAML: the value is the next line.
    let is_block = sign == Sign::Colon && matches!(byte(text, start), b'|' | b'>');
    let line = run_end(text, start, |byte| matches!(byte, b'|' | b'>' | b'-'));
    let start = if is_block && byte(text, line) == b'\n' {
        run_end(text, line, |byte| byte.is_ascii_whitespace())
    } else {
        start
    };
    Some(Assigned { sign, start, spaced: blank > closed || start > after })
}

/// Whether the line of `at` is a row of a table.
fn is_cell(text: &[u8], at: usize) -> bool {
    let line = run_start(text, at, at.saturating_sub(MAX_NAME), |byte| byte != b'\n');
    text[line..at].trim_ascii_start().starts_with(b"|")
}

/// `"name": "KEY", "value": "x"`, `name="KEY" value="x"`, and YAML's `- name: KEY` with `value: x` below it: where the
/// value begins.
fn value_attribute(text: &[u8], closed: usize) -> Option<usize> {
    let skip = |byte: u8| byte.is_ascii_whitespace() || is_quote(byte) || matches!(byte, b',' | b';' | b'\\');
    let word = run_end(&text[..text.len().min(closed + MAX_NAME)], closed, skip);
    let name =
        ["value", "default", "content", "data"].iter().find(|name| stands_at(text, word, name.as_bytes()))?;
    let end = run_end(text, word + name.len(), |byte| is_quote(byte) || matches!(byte, b' ' | b'\\'));
    let is_sign = matches!(byte(text, end), b'=' | b':') && word > closed;
    is_sign.then(|| run_end(text, end + 1, |byte| byte == b' '))
}

/// Where the value behind a type and `=` begins: `str = "x"`, `string := "x"`.
fn type_end(text: &[u8], at: usize) -> Option<usize> {
    let text = &text[..text.len().min(at + MAX_NAME)];
    memchr::memchr(b'=', &text[at..])?;
    let start = run_end(text, at, |byte| matches!(byte, b' ' | b':'));
    let end = run_end(text, start, |byte| is_part(byte) || b"&<>[]?'*()".contains(&byte));
    // `Password { get; set; } = "x"`
    let is_property = byte(text, end) == b'{';
    let end = if is_property { run_end(text, end, |byte| byte != b'}') + 1 } else { end };
    let word = run_end(text, start, |byte| !byte.is_ascii_alphabetic());
    let word = &text[word..run_end(text, word, |byte| byte.is_ascii_alphabetic())];
    let sign = run_end(text, end, |byte| matches!(byte, b' ' | b':'));
    ((is_one_of(word, TYPES) || is_property && is_one_of(word, &["get", "private"]))
        && byte(text, sign) == b'=')
        .then(|| run_end(text, sign + 1, |byte| byte == b' '))
}

/// Adds the value at `start`; its end, or `None` if it says nothing.
fn add(
    text: &[u8],
    (name, start): (usize, usize),
    sign: Sign,
    (kind, spaced): (Name, bool),
    spans: &mut Spans,
) -> Option<usize> {
    if stands_at(text, run_end(text, start, |byte| is_quote(byte) || byte == b'\\'), b"$(") {
        return None;
    }
    let (from, end) = value::bounds(text, start);
    let word = &text[from..end];
    let unsure = kind == Name::Sign && sign == Sign::Colon && from == start && !is_odd(word);
    // `["This field is required"]` is a message too.
    let first = run_end(text, from, |byte| is_quote(byte) || matches!(byte, b'[' | b'('));
    let message_end = if from == start { text.len() } else { end };
    let is_message = sign == Sign::Colon && value::is_message(&text[..message_end], first.min(message_end));
    if from == end || unsure || is_message || value::says_nothing(word, sign) || closes(text, name, start) {
        return None;
    }
    let begins_line =
        matches!(before(text, name), 0 | b'\n') || stands_at(text, name.saturating_sub(7), b"export ");
    let end = match sign {
        _ if kind != Name::Phrase || from > start => end,
        Sign::Equals if spaced || is_quote(before(text, name)) => value::phrase_end(text, end),
        Sign::Equals if begins_line => value::plain_phrase_end(text, end),
        Sign::Equals => end,
        Sign::Colon | Sign::Space => value::phrase_end(text, end),
    };
    // Only long values are wrapped.
    let end = if end - from >= 16 { with_rest(text, end) } else { end };
    spans.add(from, end, Placeholder::Secret);
    Some(end)
}

/// Whether the quote at `at` closes one before the name: `read -p "Password: " PASSWORD`.
fn closes(text: &[u8], name: usize, at: usize) -> bool {
    let line = run_start(text, name, name.saturating_sub(2 * MAX_NAME), |byte| byte != b'\n');
    let opened = text[line..name].iter().filter(|byte| **byte == text[at]).count();
    is_quote(byte(text, at)) && byte(text, at + 1) == b' ' && opened % 2 == 1
}

/// `Authorization: Bearer x`, `Cookie: a=b; c=d`
fn add_header(text: &[u8], start: usize, spans: &mut Spans) -> Option<usize> {
    let (from, end) = if value::is_quoted(text, start) {
        value::bounds(text, start)
    } else {
        (start, value::header_end(text, start))
    };
    let first = &text[from..run_end(text, from, |byte| byte.is_ascii_alphabetic())];
    let credentials = run_end(text, from + first.len(), |byte| byte == b' ');
    // `Bearer $TOKEN`
    if credentials < end && value::is_variable(&text[credentials..end]) {
        return None;
    }
    let is_sentence = byte(text, from + first.len()) != b'='
        && value::says_nothing(first, Sign::Colon)
        && !is_one_of(first, &["token"]);
    if from == end || is_sentence && !first.is_empty() || value::says_nothing(&text[from..end], Sign::Equals)
    {
        return None;
    }
    let end = with_rest(text, end);
    spans.add(from, end, Placeholder::Secret);
    Some(end)
}

/// `password 'x'`, `The password is x`, `Enter password for bob: x`, `Password (again): x`
fn read_sentence(
    text: &[u8],
    (name, name_end): (usize, usize),
    start: usize,
    spans: &mut Spans,
) -> Option<usize> {
    let kind = (Name::Phrase, true);
    if value::is_quoted(text, start) && !stands_at(text, start, b"''") && !stands_at(text, start, b"\"\"") {
        let behind = run_end(text, value::bounds(text, start).1, |byte| is_quote(byte) || byte == b' ');
        // `secret "x" not found`
        let verb = &text[behind..run_end(text, behind, |byte| byte.is_ascii_alphabetic())];
        let is_object = |name: &[u8]| ends_with(name, b"secret") || ends_with(name, b"secrets");
        if is_one_of(verb, QUOTED_THINGS)
            || is_one_of(verb, QUOTED_OBJECTS) && is_object(&text[name..name_end])
        {
            return None;
        }
        return add(text, (name, start), Sign::Equals, kind, spans);
    }
    if let Some(answer) = answer_of_prompt(text, name, name_end) {
        return add(text, (name, answer), Sign::Colon, kind, spans);
    }
    let is_blank = |byte: u8| byte.is_ascii_whitespace();
    let (mut link, mut weak, mut colon) = (start, false, false);
    for _ in 0..4 {
        let end = run_end(text, link, |byte| !is_blank(byte));
        let word = text[link..end].strip_suffix(b":").unwrap_or(&text[link..end]);
        let links = is_one_of(word, LINKING) || word.is_empty() && link > start;
        if !links {
            break;
        }
        weak = is_one_of(word, WEAK_LINKS);
        colon = byte(text, end - 1) == b':';
        link = run_end(text, end, is_blank);
    }
    if link > start && colon && byte(text, link) != b'/' {
        return add(text, (name, link), Sign::Colon, kind, spans);
    }
    if link > start && !weak && !text[link.min(text.len())..].iter().take(2).any(|byte| *byte == b'/') {
        return add_word(text, link, spans);
    }
    // `with password x`, `Password -> x`
    let dash = run_end(text, link, |byte| b"->|".contains(&byte) || byte >= 0x80);
    let word = run_end(text, dash, |byte| matches!(byte, b' ' | b'\t'));
    let (from, to) = value::bounds(text, if dash > link && word == dash { link } else { word });
    // `private key app:443:0`
    let port =
        memchr::memchr(b':', &text[from..to]).is_some_and(|at| byte(text, from + at + 1).is_ascii_digit());
    let attribute = memchr::memmem::find(&text[from..to], b"=\"").is_some();
    let is_last = matches!(byte(text, to), 0 | b'\n' | b'.') || byte(text, to + 1) == b'\n';
    let announced = dash >= link + 2 || is_one_of(word_before(text, name).0, &["with", "using", "and"]);
    (to > from
        && !port
        && !attribute
        && text[from] != b'-'
        && (is_odd(&text[from..to]) || is_last && announced))
        .then(|| add_word(text, from, spans))
        .flatten()
}

/// Adds the one word at `start` that a sentence announces.
fn add_word(text: &[u8], start: usize, spans: &mut Spans) -> Option<usize> {
    let (from, end) = value::bounds(text, start);
    let word = &text[from..end];
    let plain = word.strip_suffix(b",").or_else(|| word.strip_suffix(b".")).unwrap_or(word);
    if from == end
        || value::says_nothing(word, Sign::Colon)
        || is_one_of(plain, STATES)
        || is_one_of(plain, ARTICLES)
    {
        return None;
    }
    spans.add(from, end, Placeholder::Secret);
    Some(end)
}

/// The start of the answer to a prompt (`Enter password for bob: `, `[sudo] password for bob: `) or of the value in a
/// sentence (`Password for bob is`). A prompt begins its line, or asks for the password in one word.
fn answer_of_prompt(text: &[u8], name: usize, rest: usize) -> Option<usize> {
    let words = &text[rest..text.len().min(rest + 80)];
    let words = &words[..memchr::memchr(b'\n', words).unwrap_or(words.len())];
    let first = words.split(|byte| *byte == b' ').find(|word| !word.is_empty())?;
    let linked = is_one_of(first, LINKING_FOR) || first[0] == b'(';
    let is = memchr::memmem::find(words, b" is ").filter(|_| linked).map(|at| at + 3);
    let colon = memchr::memchr(b':', words).filter(|colon| byte(words, colon + 1) == b' ').map(|at| at + 1);
    let end = colon.into_iter().chain(is).min()?;
    let line = run_start(text, name, name.saturating_sub(MAX_NAME), |byte| byte != b'\n');
    let begins = !text[line..name].iter().any(u8::is_ascii_alphanumeric);
    let asks = || is_one_of(word_before(text, name).0, ASKING) || ends_with(&text[..name], b"[sudo] ");
    let few = words[..end].iter().filter(|byte| **byte == b' ').count() <= 2;
    let is_prompt = if linked {
        begins || asks()
    } else {
        (begins || asks()) && few && !is_one_of(first.strip_suffix(b":").unwrap_or(first), HARMLESS)
    };
    is_prompt.then(|| run_end(text, rest + end, |byte| matches!(byte, b' ' | b'\t')))
}
