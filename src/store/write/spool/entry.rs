//! The format of an entry of the spool: an execution as JSON with named fields, so that later versions of this
//! program can read it.
//!
//! Adding a field does not change the `version`: unknown fields are ignored, missing ones are absent. Any other
//! change raises [`VERSION`].

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use telemetry_protocol::{Generation, Status};
use uuid::Uuid;

use crate::ingest::execution::Execution;
use crate::ingest::identity::RunKey;
use crate::ingest::reported::Facts;
use crate::ingest::scrub::scrub_facts;

/// The version of the format.
const VERSION: u32 = 1;

/// Why an entry cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A version of the format that this program does not know.
    Version,
    /// Not an entry.
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

/// An entry with facts that are borrowed to encode and owned to decode.
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

/// Encodes an execution.
pub(super) fn encode(execution: &Execution) -> serde_json::Result<String> {
    let told = |status: Status| execution.step(status).map(|at| (status, at));
    serde_json::to_string(&Entry {
        version: VERSION,
        key: execution.key.0,
        session: execution.session.map(|key| key.0),
        generation: execution.generation,
        first_seen: execution.first_seen,
        last_seen: execution.last_seen,
        steps: Status::ALL.into_iter().filter_map(told).collect(),
        facts: &execution.facts,
    })
}

/// Decodes an execution and scrubs it by the rules of this version.
pub(super) fn decode(body: &str) -> Result<Execution, Unreadable> {
    let Version { version } = serde_json::from_str(body).map_err(|_| Unreadable::Garbled)?;
    if version != VERSION {
        return Err(Unreadable::Version);
    }
    let entry: Entry<Facts> = serde_json::from_str(body).map_err(|_| Unreadable::Garbled)?;
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
        facts: scrub_facts(entry.facts),
        signature: None,
        category: None,
    };
    Ok(execution.diagnosed())
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
    fn an_entry_decodes_to_what_was_encoded_and_contains_no_id() {
        let mut run = execution(
            r#"{"random_id":"secret-session","execution_id":"secret-attempt","type":"lxc","nsapp":"jellyfin",
                "status":"failed","exit_code":100,"error":"E: unable to \"fetch\" it","failed_line":7,
                "has_arm":true,"os_type":"debian","payload_version":2}"#,
        );
        run.join(&execution(r#"{"execution_id":"secret-attempt","nsapp":"x","status":"installing"}"#));
        let body = encode(&run).expect("it can be encoded");
        assert_eq!(decode(&body), Ok(run));
        assert!(!body.contains("secret"), "{body}");
        assert!(body.contains(r#""exit_code":["failed",100]"#), "as earlier versions wrote it: {body}");
        assert!(!body.contains("null"), "absent facts are left out: {body}");
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let run = execution(r#"{"random_id":"r","nsapp":"x"}"#);
        let body = encode(&run).expect("it can be encoded");
        let later = body.replacen(r#""facts":{"#, r#""more":1,"facts":{"unheard_of":["failed",1],"#, 1);
        assert_ne!(later, body);
        assert_eq!(decode(&later), Ok(run));
    }

    #[test]
    fn unknown_versions_and_garbled_entries_are_distinguished() {
        let body = encode(&execution(r#"{"random_id":"r","nsapp":"x"}"#)).expect("it can be encoded");
        assert_eq!(decode(&body.replacen("\"version\":1", "\"version\":2", 1)), Err(Unreadable::Version));
        for garbled in ["", "{}", "[]", &body[..body.len() - 3], &body.replacen("steps\":[[", "x\":[[", 1)] {
            assert_eq!(decode(garbled), Err(Unreadable::Garbled), "{garbled}");
        }
    }
}
