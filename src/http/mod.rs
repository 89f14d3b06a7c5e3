//! Both ends of the flow: the route table, the handlers, errors.

pub mod error;
pub mod client;
pub mod guard;
pub mod observe;
pub mod parameters;
pub mod answer;
pub mod export;
pub mod ingest;
pub mod runs;
pub mod dashboard;
pub mod records;
pub mod aggregates;
pub mod legacy;
pub mod exit_codes;
pub mod regressions;
pub mod signatures;
pub mod insight;
pub mod health;
pub mod scrape;
pub mod openapi;
pub mod admin;
pub mod issues;
pub mod routes;
