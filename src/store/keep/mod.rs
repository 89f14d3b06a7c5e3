//! Work on stored executions: sums, sessions, recounts, erasure, retention.

pub mod horizon;
pub mod monthly_sums;
pub mod sessions;
pub mod rules;
pub mod recount;
pub mod known_names;
pub mod triage;
pub mod renewal;
pub mod unused;
pub mod erase;
pub mod clock_check;
pub mod retention;
