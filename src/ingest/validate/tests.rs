//! What identifies a run, what cannot, and which field is named then.

use chrono::DateTime;
use proptest::prelude::*;
use telemetry_protocol::Status;

use super::*;
use crate::ingest::execution::{Facts, Reported};
use crate::ingest::normalise::Route;
use crate::ingest::pipeline::read_event;

const FRESH: Uuid = Uuid::from_u128(99);

fn ids() -> IdKey {
    IdKey::new(b"secret")
}

fn event(random_id: Option<&str>, execution_id: Option<&str>, status: Status, app: Option<&str>) -> Event {
    Event {
        random_id: random_id.map(str::to_owned),
        execution_id: execution_id.map(str::to_owned),
        generation: Generation::Two,
        status,
        at: DateTime::UNIX_EPOCH,
        facts: Facts { app: Reported::by(status, app.map(Into::into)), ..Facts::default() },
    }
}

fn run(event: Event) -> Result<Execution, Rejection> {
    validate(event, &ids(), || FRESH).map(|clean| clean.execution().clone())
}

#[test]
fn an_end_without_an_id_belongs_to_no_run() {
    for status in [Status::Success, Status::Failed, Status::Aborted, Status::Unknown] {
        let rejection = run(event(None, None, status, Some("x")));
        assert_eq!(rejection, Err(Rejection::MissingField("random_id")), "{status:?}");
    }
    let rejection = run(event(None, None, Status::Configuring, None));
    assert_eq!(rejection, Err(Rejection::MissingField("random_id")), "nor does a step of nothing");
}

#[test]
fn a_start_without_an_id_is_an_execution_of_its_own() {
    let execution = run(event(None, None, Status::Installing, Some("x"))).expect("accepted");
    assert_eq!((execution.key, execution.session), (RunKey(FRESH), None));
    assert_eq!(execution.generation, Generation::Zero);
    // The key is not asked for where there is an id.
    let known = event(Some("r"), None, Status::Installing, Some("x"));
    assert!(validate(known, &ids(), || unreachable!()).is_ok());
}

#[test]
fn the_attempt_is_the_key_and_the_session_stands_beside_it_where_it_differs() {
    let key = |id| Some(ids().run_key(id));
    for (random_id, execution_id, run_key, session) in [
        (Some("session"), Some("attempt"), key("attempt"), key("session")),
        (Some("same"), Some("same"), key("same"), None),
        (Some("session"), None, key("session"), None),
        (None, Some("attempt"), key("attempt"), None),
    ] {
        let execution = run(event(random_id, execution_id, Status::Failed, None)).expect("accepted");
        assert_eq!((Some(execution.key), execution.session), (run_key, session));
        assert_eq!(execution.generation, Generation::Two);
    }
}

#[test]
fn an_id_or_an_application_that_cannot_be_one_is_named() {
    let long = "a".repeat(129);
    let long_app = "a".repeat(101);
    let white = "contains white space";
    for (random_id, execution_id, app, field, reason) in [
        (Some(&*long), Some("e"), None, "random_id", "is longer than 128 characters"),
        (Some("r"), Some(&*long), None, "execution_id", "is longer than 128 characters"),
        (Some("a b"), None, None, "random_id", white),
        (Some("a\u{a0}b"), None, None, "random_id", white),
        (None, Some("a\tb"), None, "execution_id", white),
        (Some("a b"), Some("a b"), None, "random_id", white),
        (Some("r"), None, Some(&*long_app), "nsapp", "is longer than 100 characters"),
    ] {
        let rejection = run(event(random_id, execution_id, Status::Failed, app));
        assert_eq!(rejection, Err(Rejection::InvalidField { field, reason }));
    }
}

#[test]
fn short_tokens_of_every_kind_are_ids() {
    let longest = "é".repeat(128);
    for id in ["550e8400-e29b", "test-uuid-12345678", "tool-1739", "a190744f-aa14-4f8d-b406", "0", &longest] {
        assert!(run(event(Some(id), None, Status::Failed, None)).is_ok(), "{id}");
    }
    let longest = "é".repeat(100);
    assert!(run(event(Some("r"), None, Status::Failed, Some(&longest))).is_ok());
}

#[test]
fn an_event_is_a_run_that_was_seen_once() {
    let told = event(Some("r"), None, Status::Aborted, Some("x"));
    let clean = validate(told.clone(), &ids(), || FRESH).expect("accepted");
    let execution = clean.execution();
    assert_eq!((execution.first_seen, execution.last_seen), (told.at, told.at));
    assert_eq!(execution.status(), Status::Aborted);
    assert_eq!(execution.steps.iter().flatten().count(), 1);
    assert_eq!(execution.facts, told.facts);
}

#[test]
fn through_the_whole_pipeline_the_missing_field_is_named() {
    let rejection = |body: &str, route| {
        read_event(body.as_bytes(), route, DateTime::UNIX_EPOCH, &ids()).map(drop).expect_err(body)
    };
    for (body, route, missing) in [
        (r#"{"test": "payload"}"#, Route::Telemetry, "random_id"),
        (r#"{"test": "payload"}"#, Route::Upload, "random_id"),
        (
            r#"{"status": "done", "error": "Unknown error", "random_id": ""}"#,
            Route::UpdateStatus,
            "random_id",
        ),
        (r#"{"nsapp": "x", "status": "success"}"#, Route::Telemetry, "random_id"),
        (r#"{"random_id": "r"}"#, Route::UpdateStatus, "status"),
    ] {
        assert_eq!(rejection(body, route), Rejection::MissingField(missing), "{body}");
    }
    let anonymous = |body: &str| {
        let accepted = read_event(body.as_bytes(), Route::Upload, DateTime::UNIX_EPOCH, &ids());
        accepted.expect("accepted").event.execution().clone()
    };
    let (one, other) = (anonymous(r#"{"nsapp": "x"}"#), anonymous(r#"{"nsapp": "x"}"#));
    assert_ne!(one.key, other.key, "each such body is an execution of its own");
    assert_eq!(Execution { key: other.key, ..one }, other);
}

proptest! {
    #[test]
    fn an_id_is_accepted_exactly_if_it_is_a_short_token(id in "[a-z0-9\u{3000} é-]{0,140}") {
        let is_token = id.chars().count() <= 128 && !id.contains(char::is_whitespace);
        let accepted = run(event(Some(&id), None, Status::Failed, None));
        prop_assert_eq!(accepted.is_ok(), is_token);
        if let Err(rejection) = accepted {
            prop_assert_eq!(rejection.field(), Some("random_id"));
        }
    }
}
