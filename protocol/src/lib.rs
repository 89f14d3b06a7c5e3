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

/// Header with which the server confirms that it erased a run. The status 204 alone could come from a proxy.
pub const ERASED_HEADER: &str = "telemetry-erased";
