//! The telemetry server of the Proxmox VE helper scripts.
//!
//! # The path of an event
//! ```text
//! bytes ─▶ decode ─▶ normalise ─▶ scrub ─▶ validate ─▶ limit ─▶ queue ─▶ writer ─▶ PostgreSQL ─▶ answer
//!                                                                     └─▶ spool ─▶ answer (while it is away)
//! ```
//! [`ingest`] turns the bytes of any client generation into a `CleanEvent`; [`store`] queues it,
//! joins it with what is known of its run and commits row and rollups in one transaction. The
//! read side answers from the rollups ([`expose`], as HTML [`page`]). [`http`] receives the events and sends the answers.
//!
//! # What a status promises
//! - `2xx`: the event is committed, or fsynced on this machine while the database is away.
//! - `400`, `413`, `415`: it can never be stored as it is; the body names the field and the reason.
//! - `408`, `429`: it was not stored; the client was too slow, or comes too often.
//! - `503` with `Retry-After`: it was not stored, or the outcome is unknown; sending it again is harmless.
//!
//! The modules are listed in dependency order: each imports only from those above it.

pub mod config;
pub mod ingest;
pub mod metrics;
pub mod limit;
pub mod connections;
pub mod store;
pub mod regression;
pub mod report;
pub mod issue;
pub mod expose;
pub mod page;
pub mod cache;
pub mod scrape;
pub mod state;
pub mod http;
pub mod tasks;
pub mod app;
pub mod command;
