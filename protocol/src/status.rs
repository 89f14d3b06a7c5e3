//! The status that a client reports, and the outcome derived from it.
//!
//! [`Status`] normalises the words of all generations to seven values. [`Outcome`] is the server's
//! interpretation. They are separate so that the interpretation can be corrected later for stored runs.

use serde::{Deserialize, Serialize};

/// The reported state of a run, weakest first. `Ord` is the precedence when reports of the same run are
/// merged: `success` wins over everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The run began.
    Installing,
    /// Settings are being checked.
    Validation,
    /// The container exists and the application is being set up.
    Configuring,
    /// The client does not know the state.
    Unknown,
    /// The person or a signal ended the run.
    Aborted,
    /// The run ended with an error.
    Failed,
    /// The run succeeded.
    Success,
}

impl Status {
    /// Every status, weakest first.
    pub const ALL: [Self; 7] = [
        Self::Installing,
        Self::Validation,
        Self::Configuring,
        Self::Unknown,
        Self::Aborted,
        Self::Failed,
        Self::Success,
    ];

    /// Parses a word from the wire, ignoring case; `done` and `completed` mean `success`. `None` for
    /// unknown words.
    #[must_use]
    pub fn from_wire(word: &str) -> Option<Self> {
        const WORDS: [(&str, Status); 9] = [
            ("installing", Status::Installing),
            ("validation", Status::Validation),
            ("configuring", Status::Configuring),
            ("unknown", Status::Unknown),
            ("aborted", Status::Aborted),
            ("failed", Status::Failed),
            ("success", Status::Success),
            ("done", Status::Success),
            ("completed", Status::Success),
        ];
        let word = word.trim();
        WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, status)| *status)
    }

    /// The word in the database and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Installing => "installing",
            Self::Validation => "validation",
            Self::Configuring => "configuring",
            Self::Unknown => "unknown",
            Self::Aborted => "aborted",
            Self::Failed => "failed",
            Self::Success => "success",
        }
    }

    /// Position in the precedence, 0 (`installing`) to 6 (`success`).
    #[must_use]
    pub const fn rank(self) -> u8 {
        self as u8
    }

    /// Whether this report ends a run.
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Unknown | Self::Aborted | Self::Failed | Self::Success)
    }
}

/// The outcome of a run, derived from its status and exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The application was installed.
    Success,
    /// The script failed.
    Failed,
    /// The script refused to start because of the environment.
    Blocked,
    /// The person or a signal ended the run (also exit 129, 130 and 143 reported as failed).
    Aborted,
    /// No end was reported, or the end is `unknown`. Whether such a run is still in progress or
    /// *unfinished* depends on the age of its last event and is computed at query time.
    Open,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [Self::Success, Self::Failed, Self::Blocked, Self::Aborted, Self::Open];

    /// The word in the database and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::Aborted => "aborted",
            Self::Open => "open",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_listed_in_order_of_precedence() {
        let mut sorted = Status::ALL;
        sorted.sort();
        assert_eq!(sorted, Status::ALL);
        assert_eq!(Status::ALL.map(Status::rank), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn all_words_for_success_are_recognised() {
        for word in ["success", "done", "completed", "Done", " success "] {
            assert_eq!(Status::from_wire(word), Some(Status::Success), "{word}");
        }
        assert_eq!(Status::from_wire("exploded"), None);
    }

    #[test]
    fn words_round_trip() {
        for status in Status::ALL {
            assert_eq!(Status::from_wire(status.as_str()), Some(status));
        }
    }
}
