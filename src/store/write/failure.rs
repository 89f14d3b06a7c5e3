//! Classifies errors of the database by what they mean for a batch.

/// What an error of the database means for a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Temporary and unrelated to the events: the same batch may succeed when it is retried.
    Again,
    /// The database cannot be reached or accepts no writes.
    Away,
    /// The database did not answer in time. The batch may be committed or not.
    TooSlow,
    /// An event in the batch causes the error.
    Refused,
}

impl Failure {
    /// Classifies an error.
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Self {
        let sqlx::Error::Database(database) = error else {
            return match error {
                // The connection died while it was idle; another one may work.
                sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => Self::Again,
                sqlx::Error::Encode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                    Self::Refused
                }
                _ => Self::Away,
            };
        };
        // Classes of SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
        match database.code().as_deref().map(|code| (code.get(..2).unwrap_or(code), code)) {
            // Serialization failure or deadlock; shutdown by an administrator, crash, still starting.
            Some(("40", _) | (_, "57P01" | "57P02" | "57P03")) => Self::Again,
            // Data exception, constraint violation, value too large for an index.
            Some(("22" | "23", _) | (_, "54000")) => Self::Refused,
            _ => Self::Away,
        }
    }

    /// Stable code, for the log and the label of the metric.
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
