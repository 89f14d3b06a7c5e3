//! How often one run, one address and one guesser may come. The rule is governor's; what it
//! remembers is bounded here ([`buckets`]), however many names somebody makes up.

pub mod buckets;
pub mod limiter;
pub mod limits;
