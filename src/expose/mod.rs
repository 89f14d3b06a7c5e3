//! What is published, as pure functions from counts and executions to answers. Field names are
//! those of the HTTP contract.

pub mod table;
pub mod numbers;
pub mod execution;
pub mod records;
pub mod dashboard;
pub mod errors;
pub mod scripts;
pub mod legacy;
pub mod exit_codes;
pub mod regression;
pub mod signature;
pub mod session;
pub mod script;
pub mod timeseries;
pub mod runtime;
