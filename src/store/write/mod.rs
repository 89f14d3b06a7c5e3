//! The write path: the queue, the writer and its statement, and the spool for outages of the database.

pub mod statement;
pub mod merge;
pub mod failure;
pub mod erasures;
pub mod commit;
pub mod spool;
mod pace;
pub mod queue;
pub mod writer;
pub mod drain;
