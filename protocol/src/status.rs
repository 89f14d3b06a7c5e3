//! What a client says about a run, and what that means.
//!
//! [`Status`] is a report, folded to the seven words that all generations share. [`Outcome`] is
//! our reading of it. The two are kept apart, so that a reading can be corrected later without
//! asking the hosts again.

use serde::{Deserialize, Serialize};

/// The state of a run as a client reported it, weakest first: `Ord` is the precedence by which
/// reports of the same run are merged (`success` wins over everything).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The run began.
    Installing,
    /// Settings are being checked.
    Validation,
    /// The container exists and the application is being set up.
    Configuring,
    /// The client says that it does not know.
    Unknown,
    /// The person or a signal ended the run.
    Aborted,
    /// The run ended with an error.
    Failed,
    /// The run ended well.
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

    /// Folds a word from the wire, in any case: `done` and `completed` are `success`. `None` for
    /// a word that no client is known to send.
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

    /// The word that is stored and published.
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

/// How a run ended, by our reading of its status and exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The application was installed.
    Success,
    /// The script failed.
    Failed,
    /// The script refused to begin: the environment's fault, not the script's.
    Blocked,
    /// The person or a signal ended the run (also exit 129, 130 and 143 reported as failed).
    Aborted,
    /// No end was reported, or one that says nothing. Whether such a run still goes on or is
    /// *unfinished* depends on the age of its last event and is computed when reading.
    Open,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [Self::Success, Self::Failed, Self::Blocked, Self::Aborted, Self::Open];

    /// The word that is stored and published.
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
    fn precedence_is_the_order_of_the_design() {
        let mut sorted = Status::ALL;
        sorted.sort();
        assert_eq!(sorted, Status::ALL);
        assert_eq!(Status::ALL.map(Status::rank), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn every_good_end_in_the_field_is_success() {
        for word in ["success", "done", "completed", "Done", " success "] {
            assert_eq!(Status::from_wire(word), Some(Status::Success), "{word}");
        }
        assert_eq!(Status::from_wire("exploded"), None);
    }

    #[test]
    fn words_survive_the_way_out_and_back() {
        for status in Status::ALL {
            assert_eq!(Status::from_wire(status.as_str()), Some(status));
        }
    }
}
