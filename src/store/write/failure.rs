//! What an error of the database means for what was to be written.

/// What to do about an error of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It has nothing to do with what is in the batch and may pass: try the same again.
    Again,
    /// The database cannot be reached or takes nothing now.
    Away,
    /// It did not answer in time. What was sent may be committed or not.
    TooSlow,
    /// Something in the batch is to blame.
    Refused,
}

impl Failure {
    /// The meaning of an error.
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Self {
        let sqlx::Error::Database(database) = error else {
            return match error {
                // A connection that died while idle; the next one may be good.
                sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => Self::Again,
                sqlx::Error::Encode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                    Self::Refused
                }
                _ => Self::Away,
            };
        };
        // Classes of SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
        match database.code().as_deref().map(|code| (code.get(..2).unwrap_or(code), code)) {
            // Serialization failure, deadlock; administrator command, crash, not yet started.
            Some(("40", _) | (_, "57P01" | "57P02" | "57P03")) => Self::Again,
            // Data exception, constraint violation, a value too large for an index row.
            Some(("22" | "23", _) | (_, "54000")) => Self::Refused,
            _ => Self::Away,
        }
    }

    /// Stable code, for the log and the metric.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Again => "transient",
            Self::Away => "away",
            Self::TooSlow => "too_slow",
            Self::Refused => "refused",
        }
    }
}
