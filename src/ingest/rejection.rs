//! Why a body was refused. One closed set that feeds the reply, the log and the metric.

/// A body that cannot become an event. Nothing in it repeats what the client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No byte came.
    #[error("the body is empty")]
    EmptyBody,
    /// JSON, but not an object (an array, a number), or no JSON at all.
    #[error("the body must be one JSON object")]
    NotAnObject,
    /// It begins like an object, but no field of ours could be read, even with repair.
    #[error("no field could be read from the body")]
    Unreadable,
    /// A field without which nothing can be stored is absent or empty.
    #[error("`{0}` is missing or empty")]
    MissingField(&'static str),
    /// A field without which nothing can be stored says nothing that we understand.
    #[error("`{field}` {reason}")]
    InvalidField {
        /// Name of the field on the wire.
        field: &'static str,
        /// What is wrong, as the end of a sentence.
        reason: &'static str,
    },
}

impl Rejection {
    /// Stable code of the reason: in the reply and as label of the metric.
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

    /// The field at fault, if it is one.
    #[must_use]
    pub const fn field(self) -> Option<&'static str> {
        match self {
            Self::MissingField(field) | Self::InvalidField { field, .. } => Some(field),
            Self::EmptyBody | Self::NotAnObject | Self::Unreadable => None,
        }
    }
}
