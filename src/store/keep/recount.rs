//! Recounts the rollups from the executions, either to compare them or to replace them.
//!
//! Both go day by day and page by page, so that memory and locks stay small however long the history is.
//! Days before the horizon are left as they are, because some of their executions have been deleted.

mod pages;
mod rebuild;
mod verify;

pub(crate) use rebuild::derive;
pub use rebuild::{Rebuilt, rebuild, resume};
pub use verify::{Mismatch, Verification, verify};
