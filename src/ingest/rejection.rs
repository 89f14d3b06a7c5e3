//! The reasons for rejecting a body: one closed set for the reply, the log and the metric.

/// Why a body cannot become an event. Nothing in it repeats the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The body has no bytes.
    #[error("the body is empty")]
    EmptyBody,
    /// The body is another kind of JSON (an array, a number) or not JSON at all.
    #[error("the body must be one JSON object")]
    NotAnObject,
    /// The body begins like an object, but not even the tolerant reader found a known field.
    #[error("no field could be read from the body")]
    Unreadable,
    /// A required field is absent or empty.
    #[error("`{0}` is missing or empty")]
    MissingField(&'static str),
    /// A field is beyond its limits or has an unknown value, and the event is useless without it.
    #[error("`{field}` {reason}")]
    InvalidField {
        /// Name of the field on the wire.
        field: &'static str,
        /// What is wrong, as the rest of a sentence that begins with the field.
        reason: &'static str,
    },
}

impl Rejection {
    /// Stable code of the reason, for the reply and as the label of the metric.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::EmptyBody => "empty_body",
            Self::NotAnObject => "not_an_object",
            Self::Unreadable => "unreadable",
            Self::MissingField(_) => "missing_field",
            Self::InvalidField { .. } => "invalid_field",
        }
    }

    /// The field at fault; `None` if the body as a whole is.
    #[must_use]
    pub const fn field(self) -> Option<&'static str> {
        match self {
            Self::MissingField(field) | Self::InvalidField { field, .. } => Some(field),
            Self::EmptyBody | Self::NotAnObject | Self::Unreadable => None,
        }
    }
}
