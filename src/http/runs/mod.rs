//! Single executions: lists of them, and one run by its id.

pub mod list;
pub mod one;
