//! The database: the embedded cluster, connections and the schema.

mod pg_programs;
pub mod archive;
pub mod embedded;
pub mod outage;
pub mod connect;
pub mod migrate;
pub mod settings;
pub mod id_key;
pub mod contents;
pub mod pools;
pub mod background;
pub mod exit_codes;
