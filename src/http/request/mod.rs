//! Steps before the handler: limits, sessions, authorisation, measurement, and the common parameters.

pub mod client_address;
pub mod session;
pub mod guard;
pub mod authorise;
pub mod observe;
pub mod parameters;
pub mod reasons;
