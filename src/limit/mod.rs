//! Rate limits for runs, addresses and wrong admin tokens. The algorithm is governor's; [`buckets`] bounds its
//! memory, whatever keys clients invent.

pub mod buckets;
pub mod limiter;
pub mod limits;
pub mod places;
