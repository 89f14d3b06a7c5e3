//! The kinds of damage that decoding and normalising repair or drop, as a small set for the metric.

use std::collections::BTreeSet;

use telemetry_protocol::wire::RawEvent;

/// One kind of damage that clients in the field send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rescue {
    /// An unescaped quote inside a string.
    Quote,
    /// A raw control character or newline inside a string.
    ControlCharacter,
    /// An escape that JSON does not know (`\x1b`, `\_`), or a truncated one.
    Escape,
    /// Bytes that are not UTF-8.
    Utf8,
    /// A number with a unit or a leading zero (`32G`, `02`).
    Number,
    /// A missing number (`"disk_size": ,`).
    EmptyNumber,
    /// A number sent as a string, in otherwise valid JSON.
    NumberAsText,
    /// A number outside its limits; the field is dropped.
    NumberOutOfRange,
    /// An unknown word in a field with a closed list, such as `type`; the field is dropped.
    UnknownWord,
    /// A truncated body.
    Truncated,
    /// Anything else: an extra or a missing comma, deep nesting.
    Structure,
}

impl Rescue {
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

/// The kinds of damage in one body.
pub type Rescues = BTreeSet<Rescue>;

/// The fields of a body and the damage that was repaired to read them.
#[derive(Debug, PartialEq)]
pub struct Decoded<'a> {
    /// The fields as sent.
    pub event: RawEvent<'a>,
    /// The damage that was repaired.
    pub rescues: Rescues,
}
