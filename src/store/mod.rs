//! What is kept and how: the embedded PostgreSQL, the rows, what is counted over them, the one
//! writer, the spool for the time without a database, what deletes, and the queries of the read side.

pub mod embedded;
pub mod outage;
mod priority;
pub mod database;
pub mod row;
pub mod rollup;
pub mod population;
pub mod signature;
pub mod difference;
pub mod batch;
pub mod recent;
pub mod merge;
pub mod failure;
pub mod erased;
pub mod commit;
pub mod spool;
mod pace;
pub mod writer;
pub mod horizon;
pub mod spans;
pub mod sessions;
pub mod drain;
pub mod recount;
pub mod erase;
pub mod sanity;
pub mod retention;
pub mod readers;
pub mod read;
pub mod insight;
pub mod years;
pub mod scrape;
pub mod explanations;
pub mod evidence;
