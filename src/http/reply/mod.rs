//! Successful answers: cached JSON and tables, and streamed exports.

pub mod described;
pub mod answer;
pub mod read_request;
pub mod export;
