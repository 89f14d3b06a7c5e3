//! Both ends of the flow: the route table, the handlers, errors.

pub mod error;
pub mod observe;
pub mod parameters;
pub mod ingest;
pub mod runs;
pub mod dashboard;
pub mod exit_codes;
pub mod regressions;
pub mod signatures;
pub mod insight;
pub mod health;
pub mod routes;
