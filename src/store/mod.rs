//! Storage: the database and its connections, the data model, the write path, maintenance, and queries.

pub mod database;
pub mod model;
pub mod write;
pub mod keep;
pub mod read;
