//! Decodes bytes into fields: strict JSON first, then the tolerant reader.

use crate::ingest::rejection::Rejection;
use crate::ingest::repair::repair;
use crate::ingest::rescue::{Decoded, Rescues};

/// Decodes one body. The content type is ignored, because curl declares a form by default.
///
/// # Errors
/// [`Rejection::EmptyBody`], [`Rejection::NotAnObject`] or [`Rejection::Unreadable`].
pub fn decode(body: &[u8]) -> Result<Decoded<'_>, Rejection> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    match body.first() {
        None => return Err(Rejection::EmptyBody),
        Some(b'{') => {}
        Some(_) => return Err(Rejection::NotAnObject),
    }
    match serde_json::from_slice(body) {
        Ok(event) => Ok(Decoded { event, rescues: Rescues::default() }),
        Err(_) => repair(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use telemetry_protocol::wire::RawEvent;

    #[test]
    fn a_body_that_is_no_object_is_rejected_with_its_reason() {
        assert_eq!(decode(b""), Err(Rejection::EmptyBody));
        assert_eq!(decode(b" \n"), Err(Rejection::EmptyBody));
        for body in [&b"[1]"[..], b"3", b"hello", b"\0\0", b"a=b&c=d", b"\xff\xfe"] {
            assert_eq!(decode(body), Err(Rejection::NotAnObject), "{body:?}");
        }
        assert_eq!(decode(b"{"), Err(Rejection::Unreadable));
        assert_eq!(decode(b"{\xff\xfe\0"), Err(Rejection::Unreadable));
    }

    #[test]
    fn an_object_without_known_fields_decodes_to_an_empty_event() {
        assert_eq!(decode(br#"{"test": "payload"}"#).map(|d| d.event), Ok(RawEvent::default()));
    }

    #[test]
    fn deep_nesting_costs_one_pass_and_keeps_the_other_fields() {
        let deep = format!(r#"{{"a":{}{},"nsapp":"x"}}"#, "[".repeat(50_000), "]".repeat(50_000));
        let decoded = decode(deep.as_bytes()).map(|d| d.event.nsapp.into_text());
        assert_eq!(decoded, Ok(Some("x".into())));
        assert_eq!(decode("{\"a\":".repeat(10_000).as_bytes()).map(|_| ()), Err(Rejection::Unreadable));
    }

    proptest! {
        #[test]
        fn no_input_panics(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode(&body);
            let _ = decode(&[b"{\"error\":\"", &body[..]].concat());
            let _ = decode(&[b"{\"error\":", &body[..], b",\"nsapp\":1}"].concat());
        }
    }
}
