//! No acknowledged event is lost: real processes, real faults, and clients that remember which events
//! were answered 2xx. Each test ends with every answered event in the database, counted once, and a
//! clean `verify`.
//!
//! `make test` runs each fault once, under few events. `make faults` sets `FAULTS=full`, which repeats the
//! faults under many, FAULT_ROUNDS times. Each test prints a line with its figures.

#[path = "../it/common/mod.rs"]
mod common;

mod crashes;
mod disks;
mod erasing;
mod instances;
mod machines;
mod patroni;
mod postgres;
mod proxy;
mod refusals;
mod scenario;
mod traffic;
