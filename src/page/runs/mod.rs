//! Single runs: the list, one of them, and one's own.

pub mod facts;
pub mod list;
pub mod one;
pub mod own;

#[cfg(test)]
mod tests;
