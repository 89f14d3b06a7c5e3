//! A filter for words by three bytes at one of their ends: most words of a log begin or end like none of a
//! list, and need no closer look.

/// A set of three bytes, each without case.
pub(super) struct Triples {
    /// By the first and the second byte the third ones. What falls together only costs a closer look.
    thirds: [[u32; 32]; 32],
}

/// Stands for what is before a word of two letters. No letter is like it.
const NOTHING: u8 = 31;

impl Triples {
    /// How words of two or more letters end.
    pub(super) const fn of_endings(lists: &[&[&str]]) -> Self {
        let mut all = Self { thirds: [[0; 32]; 32] };
        let mut list = 0;
        while list < lists.len() {
            let mut word = 0;
            while word < lists[list].len() {
                let letters = lists[list][word].as_bytes();
                let length = letters.len();
                let third = if length > 2 { letters[length - 3] } else { NOTHING };
                all = all.with(letters[length - 1], letters[length - 2], third);
                word += 1;
            }
            list += 1;
        }
        all
    }

    /// How texts of three or more bytes begin.
    pub(super) const fn of_beginnings(list: &[(&str, usize)]) -> Self {
        let mut all = Self { thirds: [[0; 32]; 32] };
        let mut at = 0;
        while at < list.len() {
            let text = list[at].0.as_bytes();
            all = all.with(text[0], text[1], text[2]);
            at += 1;
        }
        all
    }

    const fn with(mut self, first: u8, second: u8, third: u8) -> Self {
        self.thirds[(first & 31) as usize][(second & 31) as usize] |= 1 << (third & 31);
        self
    }

    #[inline]
    fn has(&self, first: u8, second: u8, third: u8) -> bool {
        self.thirds[usize::from(first & 31)][usize::from(second & 31)] >> (third & 31) & 1 == 1
    }

    /// Whether a word of letters, `-` and `_` may end as a word of the lists. Never false if it does.
    #[inline]
    pub(super) fn may_end(&self, word: &[u8]) -> bool {
        match word {
            [.., third, second, last] if third.is_ascii_alphabetic() => self.has(*last, *second, *third),
            [.., second, last] => self.has(*last, *second, NOTHING),
            _ => false,
        }
    }

    /// Whether one of the list may begin at `at`. Never false if it does.
    #[inline]
    pub(super) fn may_begin(&self, text: &[u8], at: usize) -> bool {
        text.get(at..at + 3).is_some_and(|bytes| self.has(bytes[0], bytes[1], bytes[2]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_end_so_are_let_through_and_most_others_are_not() {
        let some = Triples::of_endings(&[&["password", "pw"], &["hn"]]);
        for word in ["password", "PGPASSWORD", "word", "pw", "PW", "ct_hn", "-hn", "ct-HN"] {
            assert!(some.may_end(word.as_bytes()), "{word}");
        }
        for word in ["", "w", "d", "rd", "card", "john", "apw", "passwords"] {
            assert!(!some.may_end(word.as_bytes()), "{word}");
        }
    }

    #[test]
    fn texts_that_begin_so_are_let_through_and_most_others_are_not() {
        let some = Triples::of_beginnings(&[("ghp_", 1), ("r8_", 1)]);
        for text in ["ghp_", "GHP", "r8_x"] {
            assert!(some.may_begin(text.as_bytes(), 0), "{text}");
        }
        for text in ["", "gh", "gap", "r9_"] {
            assert!(!some.may_begin(text.as_bytes(), 0), "{text}");
        }
    }
}
