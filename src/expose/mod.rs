//! What is published, as pure functions from counts and executions to answers. Field names are
//! those of the HTTP contract.

pub mod numbers;
pub mod execution;
pub mod dashboard;
pub mod exit_codes;
pub mod regression;
pub mod signature;
pub mod session;
pub mod script;
pub mod timeseries;
pub mod runtime;
