//! Whatever comes, a fact keeps to its bounds.

use proptest::prelude::*;
use proptest::sample::select;
use telemetry_protocol::wire::FIELDS;

use super::*;
use crate::ingest::execution::with_facts;
use crate::ingest::scrub::{MAX_COMMAND_BYTES, MAX_ERROR_BYTES, MAX_SHORT_TEXT_BYTES};

/// Whether a value keeps to the bounds of the fact of this name.
trait Bounded {
    fn is_bounded(&self, fact: &str) -> bool;
}

impl Bounded for String {
    fn is_bounded(&self, fact: &str) -> bool {
        let (longest, breaks) = match fact {
            "error" => (MAX_ERROR_BYTES, true),
            "failed_command" => (MAX_COMMAND_BYTES, true),
            "app" | "id" => (usize::MAX, fact == "id"),
            _ => (MAX_SHORT_TEXT_BYTES, false),
        };
        let is_allowed = |c: char| !c.is_control() || (breaks && matches!(c, '\n' | '\t'));
        !self.is_empty() && self.len() <= longest && self.chars().all(is_allowed)
    }
}

impl Bounded for i32 {
    fn is_bounded(&self, fact: &str) -> bool {
        let range = match fact {
            "exit_code" => 0..=255,
            "ct_type" => 0..=2,
            "failed_line" => 1..=Self::MAX,
            "install_duration" => 0..=31 * 86_400,
            "core_count" => 0..=1 << 14,
            _ => 0..=1 << 30,
        };
        range.contains(self)
    }
}

impl Bounded for bool {
    fn is_bounded(&self, _: &str) -> bool {
        true
    }
}

macro_rules! unbounded_facts {
    ($($(#[$doc:meta])* $field:ident: $type:ty),+ $(,)?) => {
        /// The names of the facts that break their bounds.
        fn unbounded(facts: &Facts) -> Vec<&'static str> {
            let mut names = Vec::new();
            $(if facts.$field.get().is_some_and(|value| !value.is_bounded(stringify!($field))) {
                names.push(stringify!($field));
            })+
            names
        }
    };
}
with_facts!(unbounded_facts);

fn scalar() -> impl Strategy<Value = Value> {
    let word = select(
        "none qemu Debian 32G -5 nan 1e400  yes exit_code=1 \0\n\u{9f}".split(' ').collect::<Vec<_>>(),
    );
    let long = ("[a\u{0}\n\té€🚀]{1,6}", 1..6_000_usize).prop_map(|(text, times)| text.repeat(times));
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => any::<i64>().prop_map(Value::from),
        4 => (-1..300_i64).prop_map(Value::from),
        2 => any::<f64>().prop_map(Value::from),
        4 => word.prop_map(Value::from),
        4 => any::<String>().prop_map(Value::from),
        1 => long.prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn whatever_is_accepted_keeps_to_the_bounds(
        fields in proptest::collection::hash_map(select(FIELDS), scalar(), 0..FIELDS.len()),
        status in proptest::option::weighted(0.8, select(&Status::ALL[..])),
        route in select(&[Route::Upload, Route::DevUpdateStatus, Route::Telemetry][..]),
    ) {
        let mut body: serde_json::Map<String, Value> =
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if let Some(status) = status {
            body.insert("status".into(), status.as_str().into());
        }
        if let Ok((event, _)) = try_read(&Value::Object(body).to_string(), route) {
            prop_assert_eq!(unbounded(&event.facts), [""; 0]);
            let ids = [&event.random_id, &event.execution_id].into_iter().flatten();
            prop_assert!(ids.into_iter().all(|id| String::from(&**id).is_bounded("id")));
            let tellers = event.facts.statuses().into_iter().flatten();
            prop_assert!(tellers.into_iter().all(|status| status == event.status));
        }
    }
}
