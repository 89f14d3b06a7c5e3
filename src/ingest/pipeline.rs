//! The stages in a row, from bytes to an event that may be stored.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ingest::decode::decode;
use crate::ingest::identity::IdKey;
use crate::ingest::normalise::{Route, normalise};
use crate::ingest::rejection::Rejection;
use crate::ingest::rescue::Rescues;
use crate::ingest::scrub::scrub;
use crate::ingest::validate::{CleanEvent, validate};

/// An event that may be stored, and what had to be mended to get it.
#[derive(Debug)]
pub struct Accepted {
    /// What goes to the writer.
    pub event: CleanEvent,
    /// For the metric.
    pub rescues: Rescues,
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From bytes to one kind of event, with repair and folding.
    Decode,
    /// Taking out what must not be stored.
    Scrub,
}

/// Reads one body that arrived by `route` at `now`.
///
/// # Errors
/// The [`Rejection`] of the first stage that refuses.
pub fn read_event(body: &[u8], route: Route, now: DateTime<Utc>, ids: &IdKey) -> Result<Accepted, Rejection> {
    read_event_in_stages(body, route, now, ids, |_| {})
}

/// The same; `ended` is told when a stage has ended.
///
/// # Errors
/// The same.
pub fn read_event_in_stages(
    body: &[u8],
    route: Route,
    now: DateTime<Utc>,
    ids: &IdKey,
    mut ended: impl FnMut(Stage),
) -> Result<Accepted, Rejection> {
    let decoded = decode(body)?;
    let (event, rescues) = normalise(decoded, route, now)?;
    ended(Stage::Decode);
    let event = scrub(event);
    ended(Stage::Scrub);
    let event = validate(event, ids, Uuid::new_v4)?;
    Ok(Accepted { event, rescues })
}
