//! Where the bytes of each class stand in a text: one bit a byte, made in one pass. Rules jump from one place
//! that may matter to the next, and see where a word ends, without looking at the bytes between.

/// A class of bytes that rules look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// ASCII letters.
    Letter,
    /// Letters and digits.
    Alphanumeric,
    /// What the name of a setting is made of: letters, `-` and `_`.
    Label,
    /// What tokens and base64 are made of.
    Token,
    /// Where a token may begin: letters, digits and `$`.
    Beginning,
    /// `.`
    Dot,
    /// `:`
    Colon,
    /// `@`, and `%` and `\` that may write one.
    At,
    /// What a path may begin with: `/`, `\`, `%`, `~`.
    Slash,
    /// `:` and `?`
    Link,
    /// `-`
    Dash,
    /// `_`
    Underscore,
    /// `x`
    X,
    /// What ends a line: a newline and the `|` of generation 2.
    LineEnd,
}

impl Class {
    const ALL: [Self; 14] = [
        Self::Letter,
        Self::Alphanumeric,
        Self::Label,
        Self::Token,
        Self::Beginning,
        Self::Dot,
        Self::Colon,
        Self::At,
        Self::Slash,
        Self::Link,
        Self::Dash,
        Self::Underscore,
        Self::X,
        Self::LineEnd,
    ];

    const fn has(self, byte: u8) -> bool {
        match self {
            Self::Letter => byte.is_ascii_alphabetic(),
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Label => byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'),
            Self::Token => super::chars::is_token(byte),
            Self::Beginning => byte.is_ascii_alphanumeric() || byte == b'$',
            Self::Dot => byte == b'.',
            Self::Colon => byte == b':',
            Self::At => matches!(byte, b'@' | b'%' | b'\\'),
            Self::Slash => matches!(byte, b'/' | b'\\' | b'%' | b'~'),
            Self::Link => matches!(byte, b':' | b'?'),
            Self::Dash => byte == b'-',
            Self::Underscore => byte == b'_',
            Self::X => byte == b'x',
            Self::LineEnd => matches!(byte, b'\n' | b'|'),
        }
    }
}

/// The classes of a byte, one bit each.
const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut class = 0;
        while class < Class::ALL.len() {
            if Class::ALL[class].has(byte as u8) {
                table[byte] |= 1 << class;
            }
            class += 1;
        }
        byte += 1;
    }
    table
};

/// Bytes in a word of bits.
const BLOCK: usize = 64;

/// The places of all classes in a text.
pub(super) struct Places {
    len: usize,
    blocks: usize,
    /// All blocks of the first class, then those of the next.
    bits: Vec<u64>,
}

impl Places {
    pub(super) fn of(text: &[u8]) -> Self {
        let blocks = text.len().div_ceil(BLOCK);
        let mut bits = vec![0; blocks * Class::ALL.len()];
        for (block, bytes) in text.chunks(BLOCK).enumerate() {
            // Zero is of no class.
            let mut whole = [0; BLOCK];
            whole[..bytes.len()].copy_from_slice(bytes);
            let mut rows = [[0; 8]; 16];
            for (group, eight) in whole.chunks_exact(8).enumerate() {
                // The classes of eight bytes, those of the lower and those of the upper half of the table.
                let (mut low, mut high) = (0, 0);
                for (at, byte) in eight.iter().enumerate() {
                    let classes = u64::from(TABLE[usize::from(*byte)]);
                    low |= (classes & 0xff) << (at * 8);
                    high |= (classes >> 8) << (at * 8);
                }
                let by_class =
                    transposed(low).to_le_bytes().into_iter().chain(transposed(high).to_le_bytes());
                for (row, places) in rows.iter_mut().zip(by_class) {
                    row[group] = places;
                }
            }
            for (class, row) in rows[..Class::ALL.len()].iter().enumerate() {
                bits[class * blocks + block] = u64::from_le_bytes(*row);
            }
        }
        Self { len: text.len(), blocks, bits }
    }

    /// The first byte of the class from `at` on; the end of the text if there is none.
    pub(super) fn next(&self, class: Class, at: usize) -> usize {
        self.find(class, at, 0)
    }

    /// The first byte from `at` on that is not of the class; the end of the text if there is none.
    pub(super) fn end(&self, class: Class, at: usize) -> usize {
        self.find(class, at, !0)
    }

    #[inline]
    fn find(&self, class: Class, at: usize, flip: u64) -> usize {
        let row = &self.bits[class as usize * self.blocks..][..self.blocks];
        let mut block = at / BLOCK;
        let Some(bits) = row.get(block) else { return self.len };
        let mut bits = (bits ^ flip) & (!0 << (at % BLOCK));
        while bits == 0 {
            block += 1;
            let Some(next) = row.get(block) else { return self.len };
            bits = next ^ flip;
        }
        (block * BLOCK + bits.trailing_zeros() as usize).min(self.len)
    }
}

/// Eight bytes as a square of bits, turned along its diagonal (Hacker's Delight, 7-3).
const fn transposed(square: u64) -> u64 {
    let x = square;
    let t = (x ^ (x >> 7)) & 0x00aa_00aa_00aa_00aa;
    let x = x ^ t ^ (t << 7);
    let t = (x ^ (x >> 14)) & 0x0000_cccc_0000_cccc;
    let x = x ^ t ^ (t << 14);
    let t = (x ^ (x >> 28)) & 0x0000_0000_f0f0_f0f0;
    x ^ t ^ (t << 28)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_every_class_is_found_in_texts_of_any_length() {
        let all: Vec<u8> = (1..=255).chain(b"aa..::--xx__||$$@@//??".repeat(9)).collect();
        for text in (0..all.len()).map(|end| &all[..end]).chain([&all[..], &[b'a'; 64], &[b'-'; 128]]) {
            let places = Places::of(text);
            for class in Class::ALL {
                for at in [0, 1, 63, 64, 65, text.len() / 2, text.len(), text.len() + 1] {
                    let from = |wanted: bool| {
                        let rest = text.get(at..).unwrap_or_default();
                        rest.iter()
                            .position(|byte| class.has(*byte) == wanted)
                            .map_or(text.len(), |found| at + found)
                    };
                    assert_eq!(places.next(class, at), from(true), "{class:?} from {at} of {}", text.len());
                    assert_eq!(places.end(class, at), from(false), "{class:?} from {at} of {}", text.len());
                }
            }
        }
    }
}
