//! The HTTP interface: what every request passes, the handlers, and the route table.

pub mod error;
pub mod request;
pub mod reply;
pub mod events;
pub mod exit_codes;
pub mod aggregates;
pub mod runs;
pub mod legacy;
pub mod operate;
pub mod pages;
pub mod routes;
