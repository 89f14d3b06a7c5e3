//! What is stored and how, in reading order: the database and its connections, the rows and what they
//! count for, the way in, what happens to stored executions later, and the queries behind every answer.

pub mod database;
pub mod model;
pub mod write;
pub mod keep;
pub mod read;
