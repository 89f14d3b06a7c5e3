//! The tolerant reader: one pass over a body that is not valid JSON.
//!
//! Shell clients build JSON by hand and break it in regular ways, so fields can still be separated: a
//! string ends at a quote that is followed by the next *known* field or by the end of the object. Quotes
//! before that belong to the text.

use std::borrow::Cow;

use telemetry_protocol::wire::{FIELDS, RawEvent, Scalar};

use crate::ingest::rejection::Rejection;
use crate::ingest::rescue::{Decoded, Rescue, Rescues};

/// Fields of the first clients that are not stored, but that still end the field before them.
const DROPPED_FIELDS: [&str; 6] = ["hn", "ssh", "tags", "verbose", "vm_id", "disableip4"];

/// Reads the fields of a broken object.
///
/// # Errors
/// [`Rejection::Unreadable`] without a single known field.
pub(super) fn repair(body: &[u8]) -> Result<Decoded<'_>, Rejection> {
    let mut reader = Reader { body, at: 1, rescues: Rescues::default() };
    let mut event = RawEvent::default();
    let mut known = 0_usize;
    while let Some(name) = reader.next_name() {
        let value = reader.value();
        if std::str::from_utf8(name).is_ok_and(|name| event.set(name, value)) {
            known += 1;
        }
    }
    if known == 0 {
        return Err(Rejection::Unreadable);
    }
    if reader.rescues.is_empty() {
        reader.rescues.insert(Rescue::Structure);
    }
    Ok(Decoded { event, rescues: reader.rescues })
}

struct Reader<'a> {
    body: &'a [u8],
    at: usize,
    rescues: Rescues,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn skip_white_space(&mut self) {
        self.at = after_white_space(self.body, self.at);
    }

    /// The next name in quotes with a colon after it. Skips everything before the name.
    fn next_name(&mut self) -> Option<&'a [u8]> {
        loop {
            let quote = self.body.get(self.at..)?.iter().position(|&byte| byte == b'"')? + self.at;
            self.at = quote + 1;
            if let Some((name, after)) = name_at(self.body, quote) {
                self.at = after;
                return Some(name);
            }
        }
    }

    fn value(&mut self) -> Scalar<'a> {
        self.skip_white_space();
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                self.string()
            }
            Some(b'{' | b'[') => {
                self.skip_nested();
                Scalar::Absent
            }
            _ => self.bare_word(),
        }
    }

    /// A number, `true`, `false`, `null`, or any other unquoted value.
    fn bare_word(&mut self) -> Scalar<'a> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| b",}\n\"".contains(byte)).unwrap_or(rest.len());
        self.at += length;
        if length == rest.len() {
            self.rescues.insert(Rescue::Truncated);
        }
        let word = rest[..length].trim_ascii();
        match (word, serde_json::from_slice::<Scalar<'a>>(word)) {
            (b"", _) => {
                self.rescues.insert(Rescue::EmptyNumber);
                Scalar::Absent
            }
            (_, Ok(value)) => value,
            (_, Err(_)) => {
                self.rescues.insert(Rescue::Number);
                Scalar::Text(String::from_utf8_lossy(word))
            }
        }
    }

    /// Skips an array or object without recursion. Brackets inside strings do not count.
    fn skip_nested(&mut self) {
        let mut depth = 0_usize;
        let mut in_string = false;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match (in_string, byte) {
                (true, b'\\') => self.at += 1,
                (_, b'"') => in_string = !in_string,
                (false, b'{' | b'[') => depth += 1,
                (false, b'}' | b']') => {
                    depth -= 1;
                    if depth == 0 {
                        self.rescues.insert(Rescue::Structure);
                        return;
                    }
                }
                _ => {}
            }
        }
        self.rescues.insert(Rescue::Truncated);
    }

    /// The rest of a string after its opening quote.
    fn string(&mut self) -> Scalar<'a> {
        let start = self.at;
        let mut end = None;
        let mut at = start;
        while let Some(quote) = self.body[at..].iter().position(|&byte| byte == b'"').map(|i| i + at) {
            if ends_value(self.body, quote + 1) {
                end = Some(quote);
                break;
            }
            if self.body[..quote].last() != Some(&b'\\') {
                self.rescues.insert(Rescue::Quote);
            }
            at = quote + 1;
        }
        if end.is_none() {
            self.rescues.insert(Rescue::Truncated);
        }
        let end = end.unwrap_or(self.body.len());
        self.at = (end + 1).min(self.body.len());
        let bytes = &self.body[start..end];
        if bytes.iter().any(|byte| *byte < 0x20) {
            self.rescues.insert(Rescue::ControlCharacter);
        }
        let text = String::from_utf8_lossy(bytes);
        if matches!(text, Cow::Owned(_)) {
            self.rescues.insert(Rescue::Utf8);
        }
        Scalar::Text(if text.contains('\\') { Cow::Owned(self.unescape(&text)) } else { text })
    }

    fn unescape(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(backslash) = rest.find('\\') {
            out.push_str(&rest[..backslash]);
            rest = &rest[backslash + 1..];
            let Some(escape) = rest.chars().next() else {
                self.rescues.insert(Rescue::Escape);
                break;
            };
            rest = &rest[escape.len_utf8()..];
            match escape {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                'b' | 'f' => out.push(' '),
                '"' | '\\' | '/' => out.push(escape),
                'u' => match unicode_escape(rest) {
                    Some((character, after)) => {
                        out.push(character);
                        rest = after;
                    }
                    None => {
                        self.rescues.insert(Rescue::Escape);
                        out.push_str("\\u");
                    }
                },
                other => {
                    self.rescues.insert(Rescue::Escape);
                    out.push('\\');
                    out.push(other);
                }
            }
        }
        out.push_str(rest);
        out
    }
}

fn after_white_space(body: &[u8], mut at: usize) -> usize {
    while body.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// The name that begins with the quote at `at`, and the position after its colon.
fn name_at(body: &[u8], at: usize) -> Option<(&[u8], usize)> {
    /// Longer than any known name. It bounds the look-ahead.
    const LONGEST: usize = 40;
    if body.get(at) != Some(&b'"') {
        return None;
    }
    let rest = body.get(at + 1..)?;
    let length =
        rest.iter().take(LONGEST).position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'))?;
    if length == 0 || rest.get(length) != Some(&b'"') {
        return None;
    }
    let colon = after_white_space(body, at + length + 2);
    (body.get(colon) == Some(&b':')).then_some((&rest[..length], colon + 1))
}

/// Whether a value can end before `at`: either the object ends there, or a known field follows.
fn ends_value(body: &[u8], at: usize) -> bool {
    let at = after_white_space(body, at);
    match body.get(at) {
        None => true,
        Some(b'}') => after_white_space(body, at + 1) == body.len(),
        Some(b',') => {
            let comma_or_space = |byte: &u8| *byte == b',' || byte.is_ascii_whitespace();
            let skipped = body[at..].iter().take_while(|byte| comma_or_space(byte)).count();
            let name = name_at(body, at + skipped);
            name.is_some_and(|(name, _)| {
                FIELDS.iter().chain(&DROPPED_FIELDS).any(|field| field.as_bytes() == name)
            })
        }
        Some(_) => false,
    }
}

/// Reads the four digits after `\u`, and the second half of a surrogate pair.
fn unicode_escape(text: &str) -> Option<(char, &str)> {
    fn unit(text: &str) -> Option<u32> {
        let digits = text.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok()
    }
    let first = unit(text)?;
    let rest = text.get(4..)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, rest));
    }
    let low = rest.strip_prefix("\\u").and_then(unit).filter(|low| (0xdc00..0xe000).contains(low));
    match low {
        Some(low) if first < 0xdc00 => {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00);
            char::from_u32(code).map(|character| (character, &rest[6..]))
        }
        _ => Some((char::REPLACEMENT_CHARACTER, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error text and the rescues of a body in which the fields around the error are valid.
    fn error_of(value: &[u8]) -> (String, Vec<&'static str>) {
        let body =
            [b"{\n \"status\": \"failed\",\n \"error\": ", value, b",\n \"random_id\": \"r-1\"\n}"].concat();
        let decoded = repair(&body).expect("readable");
        assert_eq!(decoded.event.random_id, Scalar::Text("r-1".into()));
        assert_eq!(decoded.event.status, Scalar::Text("failed".into()));
        let text = decoded.event.error.into_text().unwrap_or_default().into_owned();
        (text, decoded.rescues.into_iter().map(Rescue::code).collect())
    }

    #[test]
    fn quotes_inside_a_text_do_not_end_it() {
        let (text, rescues) = error_of(br#""curl "https://a/b" -o "/opt/a", then \"x\"""#);
        assert_eq!(text, r#"curl "https://a/b" -o "/opt/a", then "x""#);
        assert_eq!(rescues, ["quote"]);
    }

    #[test]
    fn a_text_cut_inside_an_escape_still_ends() {
        assert_eq!(error_of(br#""at C:\\new\""#).0, r"at C:\new");
    }

    #[test]
    fn raw_newlines_bad_escapes_and_bad_bytes_stay_in_the_text() {
        let (text, rescues) = error_of(b"\"a\nb \\_ \\x1b[0m \xff \\u00e9 \\ud83d\\ude80\"");
        assert_eq!(text, "a\nb \\_ \\x1b[0m \u{fffd} é 🚀");
        assert_eq!(rescues, ["control_character", "escape", "utf8"]);
    }

    #[test]
    fn sizes_that_have_units_or_leading_zeros_or_are_empty_are_read() {
        let body = br#"{"disk_size": 32G, "core_count": 02, "ram_size": , "nsapp": "x", "exit_code":}"#;
        let decoded = repair(body).expect("readable");
        assert_eq!(decoded.event.disk_size.to_integer(), Some(32));
        assert_eq!(decoded.event.core_count.to_integer(), Some(2));
        assert_eq!(decoded.event.ram_size, Scalar::Absent);
        assert_eq!(decoded.event.nsapp, Scalar::Text("x".into()));
        assert!(decoded.rescues.is_superset(&[Rescue::Number, Rescue::EmptyNumber].into()));
    }

    #[test]
    fn a_truncated_body_keeps_the_fields_that_arrived() {
        let decoded =
            repair(br#"{"random_id":"r","status":"failed","error":"the end is cu"#).expect("readable");
        assert_eq!(decoded.event.error, Scalar::Text("the end is cu".into()));
        assert!(decoded.rescues.contains(&Rescue::Truncated));
    }

    #[test]
    fn brackets_in_a_skipped_value_do_not_hide_later_fields() {
        let body = br#"{"x": [{"a":"]}"},[1]], "nsapp": "y",, "status": "installing"}"#;
        let decoded = repair(body).expect("readable");
        assert_eq!(decoded.event.nsapp, Scalar::Text("y".into()));
        assert_eq!(decoded.event.status, Scalar::Text("installing".into()));
    }
}
