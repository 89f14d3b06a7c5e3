//! The write path: the queue, the writer and its statement, and the spool for outages of the database.
//!
//! The modules are listed in dependency order: each imports only from those above it. An event passes `queue`,
//! `writer`, `commit`, `merge` and `statement`, or `spool` and `drain`.

pub mod statement;
pub mod erasures;
pub mod merge;
pub mod failure;
pub mod commit;
pub mod spool;
mod pace;
pub mod queue;
pub mod writer;
pub mod drain;
