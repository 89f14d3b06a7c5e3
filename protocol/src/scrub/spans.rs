//! What was found: places in the text and the placeholder that each becomes.

use super::Placeholder;

#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    end: usize,
    placeholder: Placeholder,
}

/// The findings of all rules. They may overlap: what any rule finds is removed.
#[derive(Debug, Default)]
pub(super) struct Spans(Vec<Span>);

impl Spans {
    pub(super) fn add(&mut self, start: usize, end: usize, placeholder: Placeholder) {
        if start < end {
            self.0.push(Span { start, end, placeholder });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `text` with every finding replaced, up to whole characters. Findings that overlap become one, of the kind
    /// that is the first in the order of [`Placeholder`].
    pub(super) fn replace_in(mut self, text: &str) -> String {
        self.0.sort_unstable_by_key(|span| span.start);
        let mut out = String::with_capacity(text.len() + text.len() / 8);
        let mut done = 0;
        let mut spans = self.0.into_iter().peekable();
        while let Some(mut span) = spans.next() {
            while let Some(next) = spans.next_if(|next| next.start < span.end) {
                span.end = span.end.max(next.end);
                span.placeholder = span.placeholder.min(next.placeholder);
            }
            out.push_str(&text[done..text.floor_char_boundary(span.start).max(done)]);
            out.push_str(span.placeholder.as_str());
            done = text.ceil_char_boundary(span.end);
        }
        out.push_str(&text[done..]);
        out
    }
}
