//! From the queue to the disk: the writer, its statement, and the spool for the time without a database.

pub mod statement;
pub mod recent;
pub mod merge;
pub mod failure;
pub mod erasures;
pub mod commit;
pub mod spool;
mod pace;
pub mod writer;
pub mod drain;
