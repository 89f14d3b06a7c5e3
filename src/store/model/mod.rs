//! The data model: the row of an execution, and the rollup rows that it counts in.

pub mod row;
pub mod facet;
pub mod rollup;
pub mod names;
pub mod population;
pub mod templates;
pub mod difference;
