//! From bytes to an event that may be stored, one stage a file, read downwards:
//! [`decode`] (with [`repair`] for what is not JSON) → [`normalise`] → [`scrub`] → [`validate`], composed
//! by [`pipeline`]. Every stage is a pure function: clock, configuration and secret are arguments.

pub mod rejection;
pub mod rescue;
pub mod repair;
pub mod decode;
pub mod identity;
pub mod execution;
pub mod normalise;
pub mod scrub;
pub mod validate;
pub mod pipeline;
pub mod batch;
