//! What is stored: the row of an execution, and what it counts for.

pub mod row;
pub mod rollup;
pub mod population;
pub mod templates;
pub mod difference;
