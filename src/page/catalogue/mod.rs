//! What the server knows by heart: reasons of failures and exit codes, with where they occur.

pub mod reasons;
pub mod one_reason;
pub mod exit_codes;
pub mod one_exit_code;
