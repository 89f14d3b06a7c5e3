//! What every request passes before anything of it is read, and what every answer carries.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Once;

use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_SECURITY_POLICY, FORWARDED, HeaderMap, HeaderName, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FORWARDED_FOR, X_FRAME_OPTIONS,
};
use actix_web::{HttpRequest, ResponseError};

use crate::connections::{Connection, Unasked};
use crate::http::client::{Client, client};
use crate::http::error::ApiError;
use crate::limit::limits::Kind;
use crate::state::AppState;

/// Only what comes from here; nothing inline; in nobody's frame.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
                      object-src 'none'";
/// What is not for pages of other origins. Without a token it is a path like any other.
const PRIVATE: &str = "/admin";

/// Whether a request is served at all.
///
/// `/healthz` is not limited: it costs nothing, and who gets no answer restarts the server. The
/// other probes have a bucket of their own for each address, so that neither a flood of events
/// from a shared address locks them out, nor they go unlimited: `/readyz` asks the database.
///
/// # Errors
/// [`ApiError::TooManyConnections`], [`ApiError::TooOften`].
pub fn admit(request: &HttpRequest, state: &AppState) -> Result<(), ApiError> {
    if request.conn_data::<Connection>().is_some_and(Connection::is_refused) {
        return Err(ApiError::TooManyConnections);
    }
    let path = request.path();
    if path == "/healthz" {
        return Ok(());
    }
    let is_probe = request.method() == Method::HEAD || path == "/readyz" || path == "/metrics";
    let limited = state.limits.check(Kind::Address, &(sender(request, state), is_probe));
    limited.map_err(|limited| {
        notice_unnamed_proxy(request, state);
        ApiError::TooOften { kind: Kind::Address, retry_after_seconds: limited.retry_after_seconds }
    })
}

/// Whose request it is.
#[must_use]
pub fn sender(request: &HttpRequest, state: &AppState) -> Client {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    client(peer, request.headers(), &state.protection.trusted_proxies)
}

/// A proxy that is not trusted makes all its clients one.
fn notice_unnamed_proxy(request: &HttpRequest, state: &AppState) {
    static NOTICED: Once = Once::new();
    let headers = request.headers();
    let is_proxied = headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED);
    if is_proxied && state.protection.trusted_proxies.is_empty() {
        NOTICED.call_once(|| {
            tracing::warn!(
                "a proxy reaches the limit of one address: if it is yours, name it in TRUSTED_PROXIES"
            );
        });
    }
}

/// What tells browsers what not to do.
const HARDENING: [(HeaderName, HeaderValue); 4] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

/// The answers to connections that are closed before there is a request.
#[must_use]
pub fn unasked() -> Unasked {
    let answer = |error: ApiError| {
        let body = serde_json::to_string(&error.body()).unwrap_or_default();
        let mut response = error.error_response();
        for (name, value) in HARDENING {
            response.headers_mut().insert(name, value);
        }
        let mut text = format!(
            "HTTP/1.1 {}\r\nconnection: close\r\ncontent-length: {}\r\n",
            response.status(),
            body.len()
        );
        for (name, value) in response.headers() {
            text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
        }
        format!("{text}\r\n{body}").into_bytes()
    };
    Unasked { too_many: answer(ApiError::TooManyConnections), too_slow: answer(ApiError::TooSlow) }
}

/// Adds the headers that tell browsers what not to do, and lets pages of other origins read what
/// anybody may GET.
pub fn harden(headers: &mut HeaderMap, request: &HttpRequest, state: &AppState) {
    for (name, value) in HARDENING {
        headers.insert(name, value);
    }
    let is_private = state.protection.admin_token.is_some() && request.path().starts_with(PRIVATE);
    if request.method() == Method::GET && !is_private {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
}
