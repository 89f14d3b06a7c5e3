//! Nothing acknowledged is ever lost: real processes, real faults, and clients that remember what
//! was answered 2xx. Each test ends with every answered event in the database, exactly once in
//! effect, and `verify` clean.
//!
//! The quick tests run with all others. `make faults` runs the `full_` ones, FAULT_ROUNDS times.
//! Each prints a line with its figures.

#[path = "../it/common/mod.rs"]
mod common;

mod crashes;
mod disks;
mod erasing;
mod instances;
mod machines;
mod postgres;
mod programs;
mod proxy;
mod refusals;
mod stage;
mod traffic;
