//! Ids, limits, and the field that a rejection names.

use chrono::DateTime;
use proptest::prelude::*;
use telemetry_protocol::Status;

use super::*;
use crate::ingest::normalise::Route;
use crate::ingest::pipeline::read_event;
use crate::ingest::reported::{
    Facts, MAX_DURATION_SECONDS, MAX_ERROR_BYTES, MAX_EXIT_CODE, MAX_LINE_BYTES, Reported, with_facts,
};

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
fn the_end_of_a_run_without_an_id_is_rejected() {
    for status in [Status::Success, Status::Failed, Status::Aborted, Status::Unknown] {
        let rejection = run(event(None, None, status, Some("x")));
        assert_eq!(rejection, Err(Rejection::MissingField("random_id")), "{status:?}");
    }
    let rejection = run(event(None, None, Status::Configuring, None));
    assert_eq!(
        rejection,
        Err(Rejection::MissingField("random_id")),
        "nor is there a run for a step without an application"
    );
}

#[test]
fn a_start_without_an_id_is_an_execution_of_its_own() {
    let execution = run(event(None, None, Status::Installing, Some("x"))).expect("accepted");
    assert_eq!((execution.key, execution.session), (RunKey(FRESH), None));
    assert_eq!(execution.generation, Generation::Zero);
    // An id makes a fresh key unnecessary.
    let known = event(Some("r"), None, Status::Installing, Some("x"));
    assert!(validate(known, &ids(), || unreachable!()).is_ok());
}

#[test]
fn the_attempt_is_the_key_and_a_different_session_is_kept_beside_it() {
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
fn an_invalid_id_or_application_is_named() {
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

fn rejected(change: impl FnOnce(&mut Facts)) -> Option<Rejection> {
    let mut event = event(Some("r"), None, Status::Failed, Some("x"));
    change(&mut event.facts);
    run(event).err()
}

fn by<T>(value: impl Into<T>) -> Reported<T> {
    Reported::by(Status::Failed, Some(value.into()))
}

#[test]
fn a_fact_beyond_its_limits_is_named_with_the_reason() {
    let invalid = |field, reason| Some(Rejection::InvalidField { field, reason });
    let long = "x".repeat(MAX_LINE_BYTES + 1);
    let (is_long, is_out) = ("is empty or too long", "is out of range");
    assert_eq!(rejected(|facts| facts.cpu_model = by(&*long)), invalid("cpu_model", is_long));
    assert_eq!(rejected(|facts| facts.cpu_model = by(&long[1..])), None);
    assert_eq!(rejected(|facts| facts.cpu_model = by("")), invalid("cpu_model", is_long));
    assert_eq!(rejected(|facts| facts.kind = by(&*long)), invalid("type", is_long));
    assert_eq!(rejected(|facts| facts.method = by("a\nb")), invalid("method", "is not valid"));
    assert_eq!(rejected(|facts| facts.error = by("a\n\tb")), None);
    assert_eq!(rejected(|facts| facts.error = by("a\0")), invalid("error", "is not valid"));
    assert_eq!(rejected(|facts| facts.exit_code = by(MAX_EXIT_CODE)), None);
    assert_eq!(rejected(|facts| facts.exit_code = by(MAX_EXIT_CODE + 1)), invalid("exit_code", is_out));
    let duration = |facts: &mut Facts| facts.install_duration = by(MAX_DURATION_SECONDS + 1);
    assert_eq!(rejected(duration), invalid("install_duration", is_out));
    assert_eq!(rejected(|facts| facts.failed_line = by(0)), invalid("failed_line", is_out));
}

#[test]
fn every_text_and_every_number_has_a_limit() {
    trait Excess: Sized {
        fn excess() -> Option<Self>;
    }
    impl Excess for String {
        fn excess() -> Option<Self> {
            Some("x".repeat(MAX_ERROR_BYTES + 1).as_str().into())
        }
    }
    impl Excess for i32 {
        fn excess() -> Option<Self> {
            Some(-1)
        }
    }
    impl Excess for bool {
        fn excess() -> Option<Self> {
            None
        }
    }
    macro_rules! each_beyond_its_limit {
        ($($(#[$attribute:meta])* $field:ident: $type:ty),+ $(,)?) => {
            $(if let Some(excess) = <$type>::excess() {
                let rejection = rejected(|facts| facts.$field = by(excess));
                assert!(rejection.and_then(Rejection::field).is_some(), "{} has no limit", stringify!($field));
            })+
        };
    }
    with_facts!(each_beyond_its_limit);
}

#[test]
fn any_short_token_is_an_id() {
    let longest = "é".repeat(128);
    for id in ["550e8400-e29b", "test-uuid-12345678", "tool-1739", "a190744f-aa14-4f8d-b406", "0", &longest] {
        assert!(run(event(Some(id), None, Status::Failed, None)).is_ok(), "{id}");
    }
    let longest = "é".repeat(100);
    assert!(run(event(Some("r"), None, Status::Failed, Some(&longest))).is_ok());
}

#[test]
fn an_event_becomes_a_run_with_one_step() {
    let event = event(Some("r"), None, Status::Aborted, Some("x"));
    let clean = validate(event.clone(), &ids(), || FRESH).expect("accepted");
    let execution = clean.execution();
    assert_eq!((execution.first_seen, execution.last_seen), (event.at, event.at));
    assert_eq!(execution.status(), Status::Aborted);
    assert_eq!(execution.steps.iter().flatten().count(), 1);
    assert_eq!(execution.facts, event.facts);
}

#[test]
fn the_pipeline_names_the_missing_field() {
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
    assert_ne!(one.key, other.key, "each such body is a separate execution");
    assert_eq!(Execution { key: other.key, ..one }, other);
}

proptest! {
    #[test]
    fn an_id_is_accepted_if_and_only_if_it_is_a_short_token(id in "[a-z0-9\u{3000} é-]{0,140}") {
        let is_token = id.chars().count() <= 128 && !id.contains(char::is_whitespace);
        let accepted = run(event(Some(&id), None, Status::Failed, None));
        prop_assert_eq!(accepted.is_ok(), is_token);
        if let Err(rejection) = accepted {
            prop_assert_eq!(rejection.field(), Some("random_id"));
        }
    }
}
