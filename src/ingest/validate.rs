//! Checks the limits of an event and hashes its ids. Only an event that passes can be stored.

use std::borrow::Cow;
use std::collections::HashMap;

use telemetry_protocol::Generation;
use telemetry_protocol::wire::FIELDS;
use uuid::Uuid;
use validator::{Validate, ValidationError, ValidationErrors, ValidationErrorsKind};

use crate::ingest::execution::Execution;
use crate::ingest::identity::{IdKey, RunKey};
use crate::ingest::normalise::Event;
use crate::ingest::rejection::Rejection;

/// An event that may be stored. Only [`validate`] can build one.
#[derive(Clone, Debug, PartialEq)]
pub struct CleanEvent(Box<Execution>);

impl CleanEvent {
    /// The run as this event alone reports it.
    #[must_use]
    pub fn into_execution(self) -> Box<Execution> {
        self.0
    }

    /// The same, borrowed.
    #[must_use]
    pub fn execution(&self) -> &Execution {
        &self.0
    }
}

/// Checks the limits that [`Event`] declares and replaces its ids by their keyed hashes.
///
/// A start without any id becomes an execution of its own under the key `fresh()`.
///
/// # Errors
/// [`Rejection::InvalidField`] for a field beyond its limits, [`Rejection::MissingField`] for the end of a
/// run without an id.
pub fn validate(event: Event, ids: &IdKey, fresh: impl FnOnce() -> Uuid) -> Result<CleanEvent, Rejection> {
    event.validate().map_err(|errors| rejection(&errors))?;

    let session = event.random_id.as_deref().map(|id| ids.run_key(id));
    let attempt = event.execution_id.as_deref().map(|id| ids.run_key(id));
    let is_anonymous_start = !event.status.is_end() && event.facts.app.get().is_some();
    let (key, generation) = match attempt.or(session) {
        Some(key) => (key, event.generation),
        None if is_anonymous_start => (RunKey(fresh()), Generation::Zero),
        None => return Err(Rejection::MissingField("random_id")),
    };
    let mut steps = [None; 7];
    steps[usize::from(event.status.rank())] = Some(event.at);
    let execution = Execution {
        key,
        session: session.filter(|session| *session != key),
        generation,
        first_seen: event.at,
        last_seen: event.at,
        steps,
        facts: event.facts,
        signature: None,
        category: None,
    };
    Ok(CleanEvent(Box::new(execution.diagnosed())))
}

/// The first fault in the order of the wire format.
fn rejection(errors: &ValidationErrors) -> Rejection {
    let facts = match errors.errors().get("facts") {
        Some(ValidationErrorsKind::Struct(errors)) => errors.field_errors(),
        _ => HashMap::new(),
    };
    let own = errors.field_errors();
    let fault = FIELDS.iter().find_map(|field| {
        let name = match *field {
            "nsapp" => "app",
            "type" => "kind",
            "disableip6" => "disable_ipv6",
            same => same,
        };
        let error = own.get(name).or_else(|| facts.get(name))?.first()?;
        Some(Rejection::InvalidField { field, reason: reason(error) })
    });
    fault.unwrap_or(Rejection::Unreadable)
}

fn reason(error: &ValidationError) -> &'static str {
    match (&error.message, &*error.code) {
        (Some(Cow::Borrowed(message)), _) => message,
        (_, "length") => "is empty or too long",
        (_, "range") => "is out of range",
        _ => "is not valid",
    }
}

#[cfg(test)]
mod tests;
