//! What happens to stored executions later: recounts, sums, sessions, retention, erasure.

pub mod horizon;
pub mod monthly_sums;
pub mod sessions;
pub mod recount;
pub mod erase;
pub mod clock_check;
pub mod retention;
