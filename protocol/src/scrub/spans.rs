//! What was found: places in the text and the placeholder that each becomes.

use super::Placeholder;
use super::chars::{before, byte, is_word};
use super::random::is_odd;

/// How many values are looked for elsewhere.
const MAX_REPEATED: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    end: usize,
    placeholder: Placeholder,
}

/// The findings of all rules. They may overlap: what any rule finds is removed.
#[derive(Debug, Default)]
pub(super) struct Spans {
    found: Vec<Span>,
    /// Where the part of the text begins that is being read.
    offset: usize,
}

impl Spans {
    pub(super) fn add(&mut self, start: usize, end: usize, placeholder: Placeholder) {
        if start < end {
            let (start, end) = (start + self.offset, end + self.offset);
            self.found.push(Span { start, end, placeholder });
        }
    }

    /// What is added from now on counts from `offset`.
    pub(super) fn read_from(&mut self, offset: usize) {
        self.offset = offset;
    }

    /// Adds the other places of what was found, such as a password that a program repeats without its name. Only of
    /// values that are hardly ordinary words: odd ones, and names of hosts with a domain.
    pub(super) fn add_repeated(&mut self, text: &[u8]) {
        self.offset = 0;
        let mut values: Vec<(&[u8], Placeholder)> = Vec::new();
        for span in &self.found {
            let value = &text[span.start..span.end];
            let telling = match span.placeholder {
                Placeholder::Secret => is_odd(value),
                Placeholder::Host => value.contains(&b'.'),
                _ => false,
            };
            if telling && (8..=128).contains(&value.len()) && !values.iter().any(|(known, _)| *known == value)
            {
                values.push((value, span.placeholder));
            }
            if values.len() == MAX_REPEATED {
                break;
            }
        }
        for (value, placeholder) in values {
            for start in memchr::memmem::find_iter(text, value) {
                let end = start + value.len();
                if !is_word(before(text, start)) && !is_word(byte(text, end)) {
                    self.add(start, end, placeholder);
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// `text` with every finding replaced, up to whole characters, and where the placeholders are. Findings that overlap become one, of the kind
    /// that is the first in the order of [`Placeholder`].
    pub(super) fn replace_in(mut self, text: &str) -> (String, Vec<usize>) {
        self.found.sort_unstable_by_key(|span| span.start);
        let mut out = String::with_capacity(text.len() + text.len() / 8);
        let mut places = Vec::new();
        let mut done = 0;
        let mut spans = self.found.into_iter().peekable();
        while let Some(mut span) = spans.next() {
            while let Some(next) = spans.next_if(|next| next.start < span.end) {
                span.end = span.end.max(next.end);
                span.placeholder = span.placeholder.min(next.placeholder);
            }
            out.push_str(&text[done..text.floor_char_boundary(span.start).max(done)]);
            places.push(out.len());
            out.push_str(span.placeholder.as_str());
            done = text.ceil_char_boundary(span.end);
        }
        out.push_str(&text[done..]);
        (out, places)
    }
}
