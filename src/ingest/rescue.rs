//! What had to be mended in a body so that it could be read: a small set, counted by kind.

use telemetry_protocol::wire::RawEvent;

/// One kind of damage that real clients send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rescue {
    /// A quote inside a string that is not escaped.
    Quote,
    /// A raw control character or newline inside a string.
    ControlCharacter,
    /// An escape that JSON does not know (`\x1b`, `\_`), or one that is cut off.
    Escape,
    /// Bytes that are not UTF-8.
    Utf8,
    /// A number with a unit or a leading zero (`32G`, `02`).
    Number,
    /// Nothing where a number belongs (`"disk_size": ,`).
    EmptyNumber,
    /// A number sent as a string, in otherwise valid JSON.
    NumberAsText,
    /// A number out of range or negative where there can be none: the field is dropped.
    NumberOutOfRange,
    /// A word out of a closed list that we do not know (`type`): the field is dropped.
    UnknownWord,
    /// A body that ends in the middle.
    Truncated,
    /// Anything else: a comma too many, a missing one, nesting without end.
    Structure,
}

impl Rescue {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Quote,
        Self::ControlCharacter,
        Self::Escape,
        Self::Utf8,
        Self::Number,
        Self::EmptyNumber,
        Self::NumberAsText,
        Self::NumberOutOfRange,
        Self::UnknownWord,
        Self::Truncated,
        Self::Structure,
    ];

    /// Label of the metric.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Quote => "quote",
            Self::ControlCharacter => "control_character",
            Self::Escape => "escape",
            Self::Utf8 => "utf8",
            Self::Number => "number",
            Self::EmptyNumber => "empty_number",
            Self::NumberAsText => "number_as_text",
            Self::NumberOutOfRange => "number_out_of_range",
            Self::UnknownWord => "unknown_word",
            Self::Truncated => "truncated",
            Self::Structure => "structure",
        }
    }
}

/// The kinds that one body needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rescues(u16);

impl Rescues {
    /// Notes a kind; noting it again changes nothing.
    pub const fn add(&mut self, kind: Rescue) {
        self.0 |= 1 << kind as u16;
    }

    /// Whether this kind was noted.
    #[must_use]
    pub const fn has(self, kind: Rescue) -> bool {
        self.0 & (1 << kind as u16) != 0
    }

    /// Whether nothing had to be mended.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds noted.
    pub fn iter(self) -> impl Iterator<Item = Rescue> {
        Rescue::ALL.into_iter().filter(move |kind| self.has(*kind))
    }
}

/// The fields of a body and what had to be mended to read them.
#[derive(Debug, PartialEq)]
pub struct Decoded<'a> {
    /// The fields as sent.
    pub event: RawEvent<'a>,
    /// What was mended.
    pub rescues: Rescues,
}
