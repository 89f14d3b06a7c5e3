//! The last gate: only an event that passes here can be stored.

use telemetry_protocol::Generation;
use uuid::Uuid;
use validator::{Validate, ValidationError};

use crate::ingest::execution::Execution;
use crate::ingest::identity::{IdKey, RunKey};
use crate::ingest::normalise::Event;
use crate::ingest::rejection::Rejection;

/// An event that may be stored: a run seen once. Only [`validate`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct CleanEvent(Box<Execution>);

impl CleanEvent {
    /// What the event says about its run.
    #[must_use]
    pub fn into_execution(self) -> Box<Execution> {
        self.0
    }

    /// Read access for metrics and accounting.
    #[must_use]
    pub fn execution(&self) -> &Execution {
        &self.0
    }
}

/// The rules for what identifies a run.
#[derive(Validate)]
struct Names<'a> {
    #[validate(length(max = 128, message = "is longer than 128 characters"), custom(function = token))]
    random_id: Option<&'a str>,
    #[validate(length(max = 128, message = "is longer than 128 characters"), custom(function = token))]
    execution_id: Option<&'a str>,
    #[validate(length(max = 100, message = "is longer than 100 characters"))]
    nsapp: Option<&'a str>,
}

fn token(id: &str) -> Result<(), ValidationError> {
    if id.chars().any(char::is_whitespace) {
        return Err(ValidationError::new("token").with_message("contains white space".into()));
    }
    Ok(())
}

/// Checks what a stored run cannot do without, and replaces the ids by their keyed hashes.
///
/// A start without any id is an execution of its own; `fresh` gives it a key.
///
/// # Errors
/// [`Rejection::MissingField`] for an end without an id, [`Rejection::InvalidField`] for an id
/// or an application that cannot be one.
pub fn validate(event: Event, ids: &IdKey, fresh: impl FnOnce() -> Uuid) -> Result<CleanEvent, Rejection> {
    let names = Names {
        random_id: event.random_id.as_deref(),
        execution_id: event.execution_id.as_deref(),
        nsapp: event.facts.app.get().map(String::as_str),
    };
    names.validate().map_err(|errors| first(&errors))?;

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
    };
    Ok(CleanEvent(Box::new(execution.with_signature())))
}

fn first(errors: &validator::ValidationErrors) -> Rejection {
    const FIELDS: [&str; 3] = ["random_id", "execution_id", "nsapp"];
    let found = FIELDS.into_iter().find_map(|field| {
        let error = errors.field_errors().get(field).and_then(|errors| errors.first().cloned())?;
        Some((field, error))
    });
    match found {
        Some((field, error)) => Rejection::InvalidField {
            field,
            reason: match error.message {
                Some(std::borrow::Cow::Borrowed(message)) => message,
                _ => "is not valid",
            },
        },
        None => Rejection::Unreadable,
    }
}

#[cfg(test)]
mod tests;
