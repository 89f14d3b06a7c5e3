//! From bytes to an event that may be stored.
//!
//! The stages in order: [`decode`] (with [`repair`] for bodies that are not JSON), [`normalise`], [`scrub`],
//! [`validate`]; [`pipeline`] calls them. Every stage is a pure function: clock, configuration and secret
//! are arguments. [`bulk`] splits a body of many events.

pub mod rejection;
pub mod rescue;
pub mod repair;
pub mod decode;
pub mod identity;
pub mod reported;
pub mod execution;
pub mod normalise;
pub mod scrub;
pub mod validate;
pub mod pipeline;
pub mod bulk;
