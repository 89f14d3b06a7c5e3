//! `PUT /api/signatures/{id}/state`: what maintainers decided about a signature.

use actix_web::http::Uri;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use telemetry_protocol::scrub::scrub;
use utoipa::ToSchema;

use crate::expose::execution_view::rfc3339;
use crate::expose::numbers::hexadecimal;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::events::receive;
use crate::http::operate::admin::Operator;
use crate::http::request::reasons::signature_id;
use crate::state::AppState;
use crate::store::keep::triage::{Decision, decide};

/// The states that can be set. `regressed` follows from a failure.
const STATES: [&str; 4] = ["open", "known", "resolved", "ignored"];
/// Longest address of an issue in bytes.
const MAX_URL_BYTES: usize = 500;
/// Longest note in characters.
const MAX_NOTE_CHARS: usize = 1_000;
/// What a text must be.
const TEXT: &str = "must be a text without null characters, or null";

/// A decision about a signature.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes the body")]
pub struct StateBody {
    /// `open`, `known`, `resolved` or `ignored`.
    state: String,
    /// Address of the issue, with https; at most 500 bytes. Everybody sees it.
    issue_url: Option<String>,
    /// A remark for other maintainers, at most 1000 characters. Only shown to them. Secrets and personal data are
    /// replaced.
    note: Option<String>,
}

/// The stored decision.
#[derive(Serialize, ToSchema)]
struct StateAnswer {
    /// Id of the signature.
    id: String,
    /// The state.
    state: &'static str,
    /// Address of the issue.
    issue_url: Option<String>,
    /// The remark, as it is stored.
    note: Option<String>,
    /// When the state was set.
    #[serde(serialize_with = "rfc3339")]
    state_since: DateTime<Utc>,
}

/// Set the state of a signature
///
/// Requires `ADMIN_TOKEN`. `known` says that an issue exists, `ignored` hides the signature from the list of what
/// should be fixed first. `resolved` remembers the moment: a failure that ends later makes the signature `regressed`
/// until another state is set. Cached answers of other servers show the new state after
/// a few seconds.
#[utoipa::path(
    put,
    path = "/api/signatures/{id}/state",
    operation_id = "set_signature_state",
    tag = "triage",
    security(("token" = [])),
    params(("id" = String, Path, description = "16 hexadecimal digits")),
    request_body(content = StateBody, content_type = "application/json"),
    responses(
        (status = 200, description = "The decision is stored", body = StateAnswer),
        (status = 400, description = "The id or a field is not valid", body = ErrorBody),
        (status = 401, description = "The token is missing or wrong", body = ErrorBody),
        (status = 404, description = "The signature is not known, or the server has no ADMIN_TOKEN", body = ErrorBody),
        (status = 408, description = "The body did not arrive in time", body = ErrorBody),
        (status = 413, description = "The body is too long", body = ErrorBody),
        (status = 429, description = "The address sends too many requests; see Retry-After", body = ErrorBody),
        (status = 503, description = "The database did not answer in time; see Retry-After", body = ErrorBody),
    )
)]
pub async fn set(
    _: Operator,
    request: HttpRequest,
    id: web::Path<String>,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let id = signature_id("id", &id)?;
    let body = receive(&request, payload, state.max_body_bytes, &state).await?;
    let decision = read(&body)?;
    let since = store(&state, id, &decision).await?;
    let Decision { state, issue_url, note } = decision;
    let answer = StateAnswer { id: hexadecimal(id), state, issue_url, note, state_since: since };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(answer))
}

/// Stores a decision and returns since when it holds. The cached answers of this server show it at once.
///
/// # Errors
/// [`ApiError::UnknownSignature`], or any error from the database.
pub async fn store(state: &AppState, signature: i64, decision: &Decision) -> Result<DateTime<Utc>, ApiError> {
    let since = decide(&state.delete_pool, signature, decision).await?.ok_or(ApiError::UnknownSignature)?;
    state.answers.clear();
    Ok(since)
}

const fn bad(name: &'static str, reason: &'static str) -> ApiError {
    ApiError::BadParameter { name, reason }
}

/// Reads a decision from a JSON object.
fn read(body: &[u8]) -> Result<Decision, ApiError> {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(body) else {
        return Err(bad("body", "must be a JSON object with `state`"));
    };
    let state = fields.remove("state");
    let mut text = |name| match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(bad(name, TEXT)),
    };
    let (issue_url, note) = (text("issue_url")?, text("note")?);
    if !fields.is_empty() {
        return Err(bad("body", "must have no fields besides `state`, `issue_url` and `note`"));
    }
    check(state.as_ref().and_then(Value::as_str), issue_url, note)
}

/// Checks the fields of a decision. Empty texts count as absent.
///
/// # Errors
/// [`ApiError::BadParameter`].
pub fn check(
    state: Option<&str>,
    issue_url: Option<String>,
    note: Option<String>,
) -> Result<Decision, ApiError> {
    let state = STATES.into_iter().find(|word| state == Some(*word));
    let state = state.ok_or(bad("state", "must be open, known, resolved or ignored"))?;
    let text = |name, text: Option<String>| match text {
        Some(text) if text.contains('\0') => Err(bad(name, TEXT)),
        text => Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())),
    };
    let (issue_url, note) = (text("issue_url", issue_url)?, text("note", note)?);
    if issue_url.as_deref().is_some_and(|url| !is_address(url)) {
        return Err(bad(
            "issue_url",
            "must be an address with https, without credentials, of at most 500 bytes",
        ));
    }
    if note.as_ref().is_some_and(|note| note.chars().count() > MAX_NOTE_CHARS) {
        return Err(bad("note", "must have at most 1000 characters"));
    }
    Ok(Decision { state, issue_url, note: note.map(|note| scrub(&note).into_owned()) })
}

/// Whether a text is an address with https that holds no secret.
fn is_address(text: &str) -> bool {
    let is_https = text.parse::<Uri>().is_ok_and(|uri| {
        let host = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        uri.scheme_str() == Some("https") && host.is_some_and(|host| !host.host().is_empty())
    });
    is_https && text.len() <= MAX_URL_BYTES && scrub(text) == text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field_of(body: &str) -> Option<&'static str> {
        match read(body.as_bytes()) {
            Err(ApiError::BadParameter { name, .. }) => Some(name),
            _ => None,
        }
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let long_url =
            format!(r#"{{"state": "known", "issue_url": "https://x.example/{}"}}"#, "a".repeat(500));
        let long_note = format!(r#"{{"state": "known", "note": "{}"}}"#, "é".repeat(1001));
        for (body, field) in [
            ("", "body"),
            ("[]", "body"),
            (r#"{"state": "open", "stat": 1}"#, "body"),
            ("{}", "state"),
            (r#"{"state": "regressed"}"#, "state"),
            (r#"{"state": 1}"#, "state"),
            (r#"{"state": "known", "issue_url": "http://x.example"}"#, "issue_url"),
            (r#"{"state": "known", "issue_url": "javascript:alert(1)"}"#, "issue_url"),
            (r#"{"state": "known", "issue_url": "https://a:b@x.example"}"#, "issue_url"),
            (r#"{"state": "known", "issue_url": "https://x.example/a b"}"#, "issue_url"),
            (r#"{"state": "known", "issue_url": 1}"#, "issue_url"),
            (&long_url, "issue_url"),
            (r#"{"state": "known", "note": []}"#, "note"),
            (r#"{"state": "known", "note": "a\u0000"}"#, "note"),
            (&long_note, "note"),
        ] {
            assert_eq!(field_of(body), Some(field), "{body}");
        }
    }

    #[test]
    fn a_note_is_scrubbed_and_empty_texts_are_absent() {
        let body = r#"{"state": "known", "issue_url": "https://github.com/owner/name/issues/1", "note": " ask me@example.org "}"#;
        let decision = read(body.as_bytes()).expect("valid");
        assert_eq!(decision.issue_url.as_deref(), Some("https://github.com/owner/name/issues/1"));
        let note = decision.note.expect("a note");
        assert!(note.starts_with("ask ") && !note.contains("me@example.org"), "{note}");
        let empty = read(br#"{"state": "open", "issue_url": "", "note": null}"#).expect("valid");
        assert_eq!(empty, Decision { state: "open", issue_url: None, note: None });
    }
}
