//! The host client: reports runs of the helper scripts and never gets in their way.
//!
//! ```text
//! environment, .vars files ─▶ settings ─┐
//! /proc, /sys, dpkg (cached) ─▶ facts ──┼─▶ event ─▶ scrub ─▶ spool ─▶ deliver ─▶ server
//! template, container ─▶ template ──────┤    (scrubbed before it is written or sent)
//! runtime-source.env ─▶ runtime ────────┘
//! ```
//!
//! Nothing is written or sent unless [`consent`] says yes. An event lies in the [`spool`] before it
//! is sent and is removed when the server has it, so that neither a dead server nor a killed client
//! loses it. Everything that can wait runs on a thread that is abandoned when the [`budget`] ends.

pub mod budget;
pub mod host;
pub mod storage;
pub mod consent;
pub mod settings;
pub mod facts;
pub mod template;
pub mod runtime;
pub mod excerpt;
pub mod event;
pub mod spool;
pub mod known_runs;
pub mod server;
pub mod deliver;
pub mod catalogue;
