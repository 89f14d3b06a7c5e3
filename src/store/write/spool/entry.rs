//! One entry of the spool: an execution as JSON that names its fields, so that a later version of
//! this program reads what an earlier one wrote.
//!
//! Fields may be added without a new `version`: readers ignore what they do not know, and take
//! what is missing as never told. Anything else raises [`VERSION`].

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use telemetry_protocol::{Generation, Status};
use uuid::Uuid;

use crate::ingest::execution::Execution;
use crate::ingest::identity::RunKey;
use crate::ingest::reported::{Facts, Reported, with_facts};
use crate::ingest::scrub::scrub_facts;
use crate::ingest::text::Text;

/// Of what is written.
const VERSION: u32 = 1;

/// Why an entry is not drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A version of the format that this program does not know.
    Version,
    /// Not an entry, or not the one that was written.
    Garbled,
}

impl Unreadable {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Garbled => "garbled",
        }
    }
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Entry<F> {
    version: u32,
    key: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<Uuid>,
    generation: Generation,
    first_seen: DateTime<Utc>,
    last_seen: DateTime<Utc>,
    /// When each status was first reported.
    steps: Vec<(Status, DateTime<Utc>)>,
    facts: F,
}

macro_rules! entry {
    ($($(#[$doc:meta])* $field:ident: $type:ty),+ $(,)?) => {
        #[derive(Serialize)]
        struct WrittenFacts<'a> {
            $(#[serde(skip_serializing_if = "Option::is_none")] $field: Option<(Status, &'a $type)>,)+
        }

        #[derive(Deserialize)]
        struct ReadFacts {
            $(#[serde(default)] $field: Option<(Status, $type)>,)+
        }

        impl<'a> From<&'a Facts> for WrittenFacts<'a> {
            fn from(facts: &'a Facts) -> Self {
                Self { $($field: facts.$field.status().zip(facts.$field.get()),)+ }
            }
        }

        impl From<ReadFacts> for Facts {
            fn from(facts: ReadFacts) -> Self {
                Self { $($field: facts.$field.map_or_else(Reported::default, |(status, value)| {
                    Reported::by(status, Some(value))
                }),)+ }
            }
        }
    };
}

with_facts!(entry);

/// An execution as it is written.
pub(super) fn write(execution: &Execution) -> serde_json::Result<String> {
    let told = |status: Status| execution.step(status).map(|at| (status, at));
    serde_json::to_string(&Entry {
        version: VERSION,
        key: execution.key.0,
        session: execution.session.map(|key| key.0),
        generation: execution.generation,
        first_seen: execution.first_seen,
        last_seen: execution.last_seen,
        steps: Status::ALL.into_iter().filter_map(told).collect(),
        facts: WrittenFacts::from(&execution.facts),
    })
}

/// The execution that was written, scrubbed by the rules of this version.
pub(super) fn read(body: &str) -> Result<Execution, Unreadable> {
    let Version { version } = serde_json::from_str(body).map_err(|_| Unreadable::Garbled)?;
    if version != VERSION {
        return Err(Unreadable::Version);
    }
    let entry: Entry<ReadFacts> = serde_json::from_str(body).map_err(|_| Unreadable::Garbled)?;
    let mut steps = [None; Status::ALL.len()];
    for (status, at) in entry.steps {
        steps[usize::from(status.rank())] = Some(at);
    }
    if steps.iter().all(Option::is_none) {
        return Err(Unreadable::Garbled);
    }
    let execution = Execution {
        key: RunKey(entry.key),
        session: entry.session.map(RunKey),
        generation: entry.generation,
        first_seen: entry.first_seen,
        last_seen: entry.last_seen,
        steps,
        facts: scrub_facts(entry.facts.into()),
        signature: None,
    };
    Ok(execution.with_signature())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::ingest::identity::IdKey;
    use crate::ingest::normalise::Route;
    use crate::ingest::pipeline::read_event;

    fn execution(body: &str) -> Execution {
        let at = DateTime::from_timestamp_micros(1_780_000_000_123_456).expect("a time");
        let read = read_event(body.as_bytes(), Route::Telemetry, at, &IdKey::new(b"k")).expect("an event");
        *read.event.into_execution()
    }

    #[test]
    fn what_is_written_is_read_and_holds_no_id() {
        let mut run = execution(
            r#"{"random_id":"secret-session","execution_id":"secret-attempt","type":"lxc","nsapp":"jellyfin",
                "status":"failed","exit_code":100,"error":"E: unable to \"fetch\" it","failed_line":7,
                "has_arm":true,"os_type":"debian","payload_version":2}"#,
        );
        run.join(&execution(r#"{"execution_id":"secret-attempt","nsapp":"x","status":"installing"}"#));
        let body = write(&run).expect("it is written");
        assert_eq!(read(&body), Ok(run));
        assert!(!body.contains("secret"), "{body}");
        assert!(!body.contains("null"), "what was never told takes no room: {body}");
    }

    #[test]
    fn later_fields_are_ignored_and_earlier_entries_are_read() {
        let run = execution(r#"{"random_id":"r","nsapp":"x"}"#);
        let body = write(&run).expect("it is written");
        let later = body.replacen(r#""facts":{"#, r#""more":1,"facts":{"unheard_of":["failed",1],"#, 1);
        assert_ne!(later, body);
        assert_eq!(read(&later), Ok(run));
    }

    #[test]
    fn an_unknown_version_and_a_garbled_entry_are_told_apart() {
        let body = write(&execution(r#"{"random_id":"r","nsapp":"x"}"#)).expect("it is written");
        assert_eq!(read(&body.replacen("\"version\":1", "\"version\":2", 1)), Err(Unreadable::Version));
        for garbled in ["", "{}", "[]", &body[..body.len() - 3], &body.replacen("steps\":[[", "x\":[[", 1)] {
            assert_eq!(read(garbled), Err(Unreadable::Garbled), "{garbled}");
        }
    }
}
