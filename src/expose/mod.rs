//! Pure functions from counts and executions to the answers of the API.
//!
//! Types that derive `ToSchema` define the JSON of the API; their doc comments are published in
//! `/openapi.json` and are written for its users. What an answer counts is defined here once.

pub mod table;
pub mod numbers;
pub mod exit_codes;
pub mod reason_view;
pub mod execution_view;
pub mod dashboard;
pub mod errors;
pub mod scripts;
pub mod popular;
pub mod legacy;
pub mod regressions;
pub mod signatures;
pub mod reasons;
pub mod sessions;
pub mod one_script;
pub mod one_exit_code;
pub mod timeseries;
pub mod runtimes;
