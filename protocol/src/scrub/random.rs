//! Whether a word was made by a random generator. There is no telling for sure; what is measured is how
//! often it changes between capitals, small letters and digits, and how many consonants stand in a row.
//! Words of people, packages and programs change seldom.

/// Shortest word that is judged at all, in bytes.
pub(super) const SHORTEST: usize = 20;

/// A word of so many letters and digits is no word of a person, even if it changes seldom.
const LONG: usize = 32;

/// What was counted in a word.
#[derive(Clone, Copy, Debug, Default)]
struct Shape {
    letters_and_digits: usize,
    digits: usize,
    upper: usize,
    lower: usize,
    /// Changes between capitals, small letters and digits.
    changes: usize,
    /// Most consonants in a row.
    consonants: usize,
    /// Capitals that follow a capital.
    pairs: usize,
}

fn shape(word: &[u8]) -> Shape {
    let mut shape = Shape::default();
    let (mut class, mut row) = (0, 0);
    for byte in word {
        let this = match byte {
            b'0'..=b'9' => 1,
            b'A'..=b'Z' => 2,
            b'a'..=b'z' => 3,
            _ => continue,
        };
        shape.letters_and_digits += 1;
        shape.digits += usize::from(this == 1);
        shape.upper += usize::from(this == 2);
        shape.lower += usize::from(this == 3);
        shape.changes += usize::from(class != 0 && class != this);
        shape.pairs += usize::from(class == 2 && this == 2);
        class = this;
        let consonant = this != 1 && !matches!(byte | 0x20, b'a' | b'e' | b'i' | b'o' | b'u' | b'y');
        row = if consonant { row + 1 } else { 0 };
        shape.consonants = shape.consonants.max(row);
    }
    shape
}

/// Whether a word of [`SHORTEST`] bytes or more looks random.
pub(super) fn is_random(word: &[u8]) -> bool {
    let shape = shape(word);
    let n = shape.letters_and_digits;
    if n < SHORTEST || n == shape.digits {
        return false;
    }
    let mixed = shape.upper > 1 && shape.lower > 1;
    let changes = shape.changes * 100 / n;
    // Hashes and commits are judged by what stands around them.
    let is_long = n >= LONG && !word.iter().all(u8::is_ascii_hexdigit);
    match (mixed, shape.digits) {
        // `NoClassDefFoundError` has no two capitals in a row.
        (true, 0) => {
            (changes >= 36 && shape.pairs >= 2)
                || (changes >= 28 && shape.consonants >= 6)
                || shape.consonants >= 9
        }
        (true, _) => changes >= 36 || (changes >= 26 && shape.consonants >= 5),
        (false, 0) => shape.consonants >= 8,
        (false, 1) => shape.consonants >= 7,
        (false, _) => {
            changes >= 24 || (changes >= 10 && (shape.consonants >= 5 || is_long)) || shape.consonants >= 8
        }
    }
}

/// Whether a short word beside a random one may be the rest of it: digits and letters, or capitals where no
/// word has them.
pub(super) fn may_be_rest(word: &[u8]) -> bool {
    let shape = shape(word);
    let odd_capital = shape.lower > 0 && shape.upper > usize::from(word[0].is_ascii_uppercase());
    let long = shape.letters_and_digits >= 16 && shape.consonants >= 6;
    (shape.digits > 0 && shape.upper + shape.lower > 0) || odd_capital || long || word.ends_with(b"=")
}

/// Whether a word is more likely a password than a word of a sentence: digits or signs between letters, or capitals
/// where no word has them. Versions and paths are none.
pub(super) fn is_odd(word: &[u8]) -> bool {
    let shape = shape(word);
    let letters = shape.upper + shape.lower;
    let signs = word.iter().filter(|byte| b"!#$%^&*+=?~_".contains(byte)).count();
    let version = word.strip_prefix(b"v").unwrap_or(word).first().is_some_and(u8::is_ascii_digit)
        && word.iter().filter(|byte| **byte == b'.').count() > 0;
    let plain = version || word.contains(&b'/') || word.iter().any(|byte| b"()[]{}<>".contains(byte));
    let odd_capital = shape.lower > 0 && shape.upper > usize::from(word[0].is_ascii_uppercase());
    letters > 0
        && word.len() >= 4
        && !plain
        && (shape.digits > 0 || odd_capital || signs > 0 && shape.lower > 0)
}

/// Whether a word is written in hexadecimal digits of one case.
pub(super) fn is_hex(word: &[u8]) -> bool {
    word.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
        || word.iter().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte))
}
