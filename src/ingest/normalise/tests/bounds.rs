//! Whatever a client sends, normalising and scrubbing leave an event within its declared limits.

use proptest::prelude::*;
use proptest::sample::select;
use telemetry_protocol::wire::FIELDS;
use validator::ValidationErrorsKind;

use super::*;

/// The fields of an event beyond their limits, as Rust names them.
fn beyond_limits(event: &Event) -> Vec<String> {
    fn names(errors: &validator::ValidationErrors) -> Vec<String> {
        let fields = errors.errors().iter().flat_map(|(name, kind)| match kind {
            ValidationErrorsKind::Struct(nested) => names(nested),
            _ => vec![name.to_string()],
        });
        fields.collect()
    }
    event.validate().map_or_else(|errors| names(&errors), |()| Vec::new())
}

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
    fn only_ids_and_the_application_can_exceed_their_limits(
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
            for field in beyond_limits(&event) {
                prop_assert!(["random_id", "execution_id", "app"].contains(&&*field), "{}: {:?}", field, event);
            }
            // A name is rejected only for its length.
            let app = event.facts.app.get();
            prop_assert!(app.is_none_or(|app| !app.is_empty() && !app.contains(char::is_control)));
            let statuses = event.facts.statuses().into_iter().flatten();
            prop_assert!(statuses.into_iter().all(|status| status == event.status));
        }
    }
}
