//! Pieces of a token that stand behind or before a line break.

use super::chars::{before, byte, is_token, is_word, line_break, run_end, run_start};
use super::random::may_be_rest;

/// Shortest piece of a token behind or before a line break, in bytes.
const SHORTEST_PIECE: usize = 5;

/// End of a token that ends at `end`, with what stands of it behind line breaks.
pub(super) fn with_rest(text: &[u8], end: usize) -> usize {
    let mut end = end;
    while let Some(length) = line_break(text, end) {
        let start = end + length;
        let rest = run_end(text, start, |byte| is_token(byte) || byte == b'.');
        let rest = run_start(text, rest, start, |byte| byte == b'.');
        let closes = !is_word(byte(text, rest)) && !matches!(byte(text, rest), b':' | b'(' | b'@');
        if rest - start < SHORTEST_PIECE
            || !closes
            || !may_be_rest(&text[start..rest])
            || is_plain(&text[start..rest])
        {
            break;
        }
        end = rest;
    }
    end
}

/// Beginning of a token that begins at `start`, with what stands of it before a line break.
pub(super) fn with_front(text: &[u8], start: usize, floor: usize) -> usize {
    let is_blank = |byte: u8| matches!(byte, b' ' | b'\t');
    let blank = run_start(text, start, floor, is_blank);
    let break_start = run_start(text, blank, floor, |byte| matches!(byte, b'\n' | b'|'));
    if break_start == blank {
        return start;
    }
    let piece = run_start(text, break_start, floor.max(break_start.saturating_sub(128)), is_token);
    let word = &text[piece..break_start];
    if word.len() >= SHORTEST_PIECE && !is_word(before(text, piece)) && may_be_rest(word) && !is_plain(word) {
        piece
    } else {
        start
    }
}

/// Dates, paths and names of packages with a version.
fn is_plain(word: &[u8]) -> bool {
    let parts = word.split(|byte| !byte.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    word.starts_with(b"/")
        || word.starts_with(b"-")
        || parts.clone().count() > 1
            && parts.into_iter().all(|part| {
                let letters = part.iter().filter(|byte| byte.is_ascii_lowercase()).count();
                letters == part.len()
                    || part.iter().all(u8::is_ascii_digit)
                    || (letters + 2 >= part.len() && letters > 2)
            })
}
