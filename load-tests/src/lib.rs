//! What the benchmarks and the load scenarios share: servers in processes of their own, the events
//! that are sent to them, and ways to send.

pub mod events;
pub mod plain_http;
pub mod server_process;
pub mod wrk;
