//! Key blocks of PEM, OpenSSH and PGP, whole or cut at either end, wrapped anywhere, with newlines in any
//! encoding. What counts are the words `KEY-----`, `BEGIN` and `END`; between them everything goes.

use super::Placeholder;
use super::chars::{byte, ends_with, is_one_of, run_end, run_start, stands_at};
use super::random::may_be_rest;
use super::spans::Spans;

/// Longest key block, in bytes. A block of certificates is shorter than that.
const MAX_BLOCK: usize = 32 * 1024;

/// Lines within a block that are no base64.
const HEADERS: &[&str] =
    &["proc-type:", "dek-info:", "version:", "comment:", "hash:", "charset:", "messageid:", "subject:"];

/// `-----BEGIN X-----` or its `END`, or what is left of it.
#[derive(Clone, Copy)]
struct Mark {
    start: usize,
    end: usize,
    begins: bool,
}

pub(super) fn find(text: &[u8], spans: &mut Spans) {
    let mut marks = Marks { text, at: 0 }.peekable();
    let mut done = 0;
    while let Some(mark) = marks.next() {
        if mark.start < done {
            continue;
        }
        let (start, end) = if mark.begins {
            match marks.peek().filter(|next| !next.begins && next.start - mark.start <= MAX_BLOCK) {
                Some(next) => (mark.start, next.end),
                None => (mark.start, body_end(text, mark.end)),
            }
        } else {
            (body_start(text, mark.start, done), mark.end)
        };
        spans.add(start, end, Placeholder::Key);
        done = end;
    }
}

struct Marks<'t> {
    text: &'t [u8],
    at: usize,
}

impl Iterator for Marks<'_> {
    type Item = Mark;

    /// Every mark has dashes or a space directly behind or before `BEGIN`, `END` or `KEY`.
    fn next(&mut self) -> Option<Mark> {
        let text = self.text;
        loop {
            let first = self.at + memchr::memchr(b'-', &text[self.at..])?;
            let last = run_end(text, first, |byte| byte == b'-');
            self.at = last;
            if last - first < 2 {
                continue;
            }
            let word = run_end(text, last, |byte| byte == b' ');
            for (name, begins) in [(&b"begin "[..], true), (b"end ", false)] {
                if stands_at(text, word, name) {
                    let label = run_end(text, word, |byte| {
                        byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'.')
                    });
                    let close = run_end(text, label, |byte| byte == b'-');
                    self.at = close.max(last);
                    return Some(Mark { start: first, end: close, begins });
                }
            }
            // Cut at the start: `VATE KEY-----`.
            let label = run_start(text, first, first.saturating_sub(40), |byte| {
                byte.is_ascii_alphabetic() || byte == b' '
            });
            let label_text = &text[label..first];
            if last - first >= 4 && (ends_as_key(label_text)) {
                let words = || label_text.split(|byte| *byte == b' ');
                let begins = !words().any(|word| is_one_of(word, &["end", "nd"]));
                return Some(Mark { start: label, end: last, begins });
            }
        }
    }
}

fn ends_as_key(label: &[u8]) -> bool {
    [&b"key"[..], b"block", b"ey", b"certificate"].iter().any(|end| {
        let before = &label[..label.len().saturating_sub(end.len())];
        ends_with(label, end) && (before.is_empty() || before.ends_with(b" ") || label.len() < 8)
    })
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\\' | b'|' | b'_' | b'-')
}

const fn is_around(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'|' | b'"' | b'\'' | b',' | b'\\' | b'>' | b'#')
}

/// End of what looks like the body of a key from `at`.
fn body_end(text: &[u8], at: usize) -> usize {
    let limit = text.len().min(at + MAX_BLOCK);
    let text = &text[..limit];
    let mut end = at;
    loop {
        let word = run_end(text, end, is_around);
        let newline = text[end..word].iter().any(|byte| matches!(byte, b'\n' | b'|' | b'\\'));
        if HEADERS.iter().any(|header| stands_at(text, word, header.as_bytes())) {
            end = run_end(text, word, |byte| !matches!(byte, b'\n' | b'|' | b'\\'));
            continue;
        }
        let word_end = run_end(text, word, is_base64);
        let word_end = run_start(text, word_end, word, |byte| matches!(byte, b'|' | b'\\'));
        if word_end == word || !belongs(text, word, word_end, newline) {
            return end;
        }
        end = word_end;
    }
}

/// Whether a word is base64: alone on its line, or not a word of a sentence.
fn belongs(text: &[u8], start: usize, end: usize, newline: bool) -> bool {
    let next = byte(text, end);
    let alone = newline
        && (next == 0
            || matches!(next, b'\n' | b'"' | b'\'' | b'\t')
            || (next == b' ' && matches!(byte(text, end + 1), b'\n' | b'|' | 0)));
    let closes = next == 0 || is_around(next);
    closes && (alone || end - start >= 16 || (end - start >= 6 && may_be_rest(&text[start..end])))
}

/// Start of what looks like the body of a key that ends at `at`.
fn body_start(text: &[u8], at: usize, floor: usize) -> usize {
    let floor = floor.max(at.saturating_sub(MAX_BLOCK));
    let mut start = at;
    loop {
        let word_end = run_start(text, start, floor, is_around);
        let word = run_start(text, word_end, floor, is_base64);
        let line_start = word == 0
            || run_start(text, word, floor, |byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'')) == floor
            || matches!(
                text[run_start(text, word, floor, |byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'')) - 1],
                b'\n' | b'|'
            );
        let piece = &text[word..word_end];
        if piece.is_empty()
            || !(line_start && (piece.len() >= 4 || start == at) && word_end < at
                || piece.ends_with(b"\\n")
                || piece.len() >= 16
                || may_be_rest(piece))
        {
            return start;
        }
        start = word;
    }
}
