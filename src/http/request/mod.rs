//! Steps before the handler: limits, measurement, and the common parameters.

pub mod client_address;
pub mod guard;
pub mod observe;
pub mod parameters;
