//! Rate limits for runs, addresses, wrong admin tokens and erasures, and places for work that takes long.

pub mod limiter;
pub mod limits;
pub mod places;
