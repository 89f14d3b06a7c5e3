//! What server and client share about the wire: the words of a run, the exit codes and what they
//! mean, the limits, and what takes secrets out of free text. No I/O.

pub mod generation;
pub mod status;
pub mod wire;
pub mod exit_code;
pub mod scrub;
pub mod signature;

pub use generation::Generation;
pub use status::{Outcome, Status};
