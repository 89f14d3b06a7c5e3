//! What is published, as pure functions from counts and executions to answers. Field names are
//! those of the HTTP contract.

pub mod execution;
pub mod dashboard;
pub mod exit_codes;
