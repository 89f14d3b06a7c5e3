//! Types and functions shared by server and client: the wire format, statuses, exit codes and their
//! meaning, the scrubber that removes secrets from free text, and the reasons of failures. No I/O.

pub mod generation;
pub mod status;
pub mod wire;
pub mod exit_code;
pub mod scrub;
pub mod reason;

pub use generation::Generation;
pub use status::{Outcome, Status};
