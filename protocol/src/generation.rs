//! The generations of clients.

use serde::{Deserialize, Serialize};

/// The generation of the client that sent an event. It determines how fields and exit codes are read,
/// because the same exit code means different things in different generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8")]
#[serde(try_from = "u8")]
pub enum Generation {
    /// One week of January 2025: neither status nor id, so each body is a separate execution.
    Zero,
    /// 2025: `/upload` and `/upload/updatestatus`, no exit codes.
    One,
    /// 2026: `/telemetry` with the full payload in every event.
    Two,
    /// 2026: like two, with `payload_version`.
    Three,
}

impl Generation {
    /// Every generation, oldest first.
    pub const ALL: [Self; 4] = [Self::Zero, Self::One, Self::Two, Self::Three];
    /// The newest generation, used for exit codes without a known generation.
    pub const NEWEST: Self = Self::Three;

    /// The number in the database and the API, 0 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl From<Generation> for u8 {
    fn from(generation: Generation) -> Self {
        generation.number()
    }
}

/// The error for a number that is not a generation.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("generation must be 0, 1, 2 or 3")]
pub struct UnknownGeneration;

impl TryFrom<u8> for Generation {
    type Error = UnknownGeneration;

    fn try_from(number: u8) -> Result<Self, UnknownGeneration> {
        Self::ALL.get(usize::from(number)).copied().ok_or(UnknownGeneration)
    }
}
