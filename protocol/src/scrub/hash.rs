//! Whether a word in hexadecimal digits is the hash of something public: of a package, an image, a commit.

use super::chars::{byte, is_one_of, is_word, run_end, run_start, stands_at};

/// Words that say that a line has a hash in it which is no secret.
const HASH_WORDS: &[&str] = &[
    "sha1",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "sha1sum",
    "sha256sum",
    "sha512sum",
    "md5",
    "md5sum",
    "digest",
    "checksum",
    "checksums",
    "hash",
    "hashes",
    "commit",
    "revision",
    "head",
    "integrity",
    "git",
    "object",
    "tree",
    "blob",
    "layer",
    "layers",
    "expected",
    "got",
    "container",
    "image",
    "ref",
    "rev",
    "b2sum",
    "endpoint",
    "network",
    "daemon",
    "rustc",
    "wheels",
    "id",
];

/// Remembers for the line last asked about whether it says so.
#[derive(Default)]
pub(super) struct HashLines {
    line: Option<(usize, usize)>,
    says: bool,
}

/// How far around a hash the words are looked for, in bytes.
const HASH_REACH: usize = 400;

impl HashLines {
    /// Whether the hexadecimal word from `start` to `end` is a hash of something public.
    pub(super) fn say_so(&mut self, text: &[u8], start: usize, end: usize) -> bool {
        if !matches!(end - start, 32 | 40 | 50 | 56 | 64 | 96 | 128) {
            return false;
        }
        if !self.line.is_some_and(|(from, to)| from <= start && end <= to) {
            let from = run_start(text, start, start.saturating_sub(HASH_REACH), |byte| byte != b'\n');
            let limit = text.len().min(end + HASH_REACH);
            let to = run_end(&text[..limit], end, |byte| byte != b'\n');
            let mut words = text[from..to].split(|byte| !byte.is_ascii_alphanumeric());
            self.says = words.any(|word| is_one_of(word, HASH_WORDS));
            self.line = Some((from, to));
        }
        // `sha256sum` writes two blanks and the name of the file.
        self.says
            || stands_at(text, end, b"  ") && is_word(byte(text, end + 2))
            || stands_at(text, end, b" *")
    }
}
