//! Runs the stages in order, from bytes to an event that may be stored.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ingest::decode::decode;
use crate::ingest::identity::IdKey;
use crate::ingest::normalise::{Route, normalise};
use crate::ingest::rejection::Rejection;
use crate::ingest::rescue::Rescues;
use crate::ingest::scrub::scrub;
use crate::ingest::validate::{CleanEvent, validate};

/// An event that may be stored, and what had to be repaired to read it.
#[derive(Debug)]
pub struct Accepted {
    /// The event.
    pub event: CleanEvent,
    /// What was repaired or dropped.
    pub rescues: Rescues,
}

/// Reads one body that arrived by `route` at `now`.
///
/// # Errors
/// The [`Rejection`] of the first stage that refuses the body.
pub fn read_event(body: &[u8], route: Route, now: DateTime<Utc>, ids: &IdKey) -> Result<Accepted, Rejection> {
    let decoded = decode(body)?;
    let (event, rescues) = normalise(decoded, route, now)?;
    let event = validate(scrub(event), ids, Uuid::new_v4)?;
    Ok(Accepted { event, rescues })
}
