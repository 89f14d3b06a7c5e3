//! The host client: reports runs of the helper scripts without delaying or failing them.
//!
//! ```text
//! environment, .vars files ─▶ settings ─┐
//! /proc, /sys, dpkg (cached) ─▶ facts ──┼─▶ event ─▶ scrub ─▶ outbox ─▶ deliver ─▶ server
//! template, container ─▶ template ──────┤    (scrubbed before it is written or sent)
//! runtime-source.env ─▶ runtime ────────┘
//! ```
//!
//! Nothing is written or sent without [`consent`]. An event is written to the [`outbox`] before it is
//! sent and removed after the server accepted it, so neither an unreachable server nor a killed client
//! loses it. All blocking work runs on a thread that is abandoned when the time [`budget`] is spent.

pub mod budget;
pub mod system;
pub mod storage;
pub mod consent;
pub mod run_settings;
pub mod facts;
pub mod template;
pub mod runtime;
pub mod excerpt;
pub mod event;
pub mod outbox;
pub mod known_runs;
pub mod server_api;
pub mod deliver;
pub mod generated;
