//! Admission of requests by address and number of connections, and the security headers of every response.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Once;

use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_SECURITY_POLICY, FORWARDED, HeaderMap, HeaderName, HeaderValue,
    REFERRER_POLICY, SET_COOKIE, VARY, X_CONTENT_TYPE_OPTIONS, X_FORWARDED_FOR, X_FRAME_OPTIONS,
};
use actix_web::{HttpRequest, ResponseError};

use crate::connections::{Connection, Rejections};
use crate::http::error::ApiError;
use crate::http::request::client_address::{ClientAddress, client_address};
use crate::http::request::session::{self, COOKIE, Session};
use crate::limit::limits::Kind;
use crate::state::AppState;

/// Only our own files, nothing inline, no frames.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
                      object-src 'none'";
/// Paths that pages of other origins must not read.
const PRIVATE: &str = "/admin";

/// Checks whether a request is served at all.
///
/// `/healthz` is not limited: it costs nothing, and a supervisor that gets no answer restarts the server. The other
/// probes have a bucket of their own for each address. So a flood of events from a shared address does not lock
/// them out, but they are limited too: `/readyz` queries the database.
///
/// # Errors
/// [`ApiError::TooManyConnections`], [`ApiError::RateLimited`].
pub fn check_admission(request: &HttpRequest, state: &AppState) -> Result<(), ApiError> {
    if request.conn_data::<Connection>().is_some_and(Connection::is_refused) {
        return Err(ApiError::TooManyConnections);
    }
    let path = request.path();
    if path == "/healthz" {
        return Ok(());
    }
    let is_probe = request.method() == Method::HEAD || path == "/readyz" || path == "/metrics";
    let checked = state.limits.check(Kind::Address, &(address_of(request, state), is_probe));
    checked.map_err(|limited| {
        warn_of_unnamed_proxy(request, state);
        limited.into()
    })
}

/// The address of the client.
#[must_use]
pub fn address_of(request: &HttpRequest, state: &AppState) -> ClientAddress {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    client_address(peer, request.headers(), &state.protection.trusted_proxies)
}

/// Warns once that a proxy is limited: an untrusted proxy shares one limit among all its clients.
fn warn_of_unnamed_proxy(request: &HttpRequest, state: &AppState) {
    static WARNED: Once = Once::new();
    let headers = request.headers();
    let is_proxied = headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED);
    if is_proxied && state.protection.trusted_proxies.is_empty() {
        WARNED.call_once(|| {
            tracing::warn!(
                "a proxy exceeds the limit of one address; if it is yours, add it to TRUSTED_PROXIES"
            );
        });
    }
}

/// The security headers of every response.
const HARDENING: [(HeaderName, HeaderValue); 4] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

/// The complete responses for connections that are closed before a request is read.
#[must_use]
pub fn rejections() -> Rejections {
    let response = |error: ApiError| {
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
    Rejections { too_many: response(ApiError::TooManyConnections), too_slow: response(ApiError::TooSlow) }
}

/// Adds the security headers, and lets pages of other origins read GET responses, but none of a session. Removes a
/// session cookie that is not valid.
pub fn add_security_headers(headers: &mut HeaderMap, request: &HttpRequest, state: &AppState) {
    for (name, value) in HARDENING {
        headers.insert(name, value);
    }
    let is_signed_in = Session::of(request, state).is_some();
    let is_private = state.protection.admin_token.is_some() && request.path().starts_with(PRIVATE);
    if request.method() == Method::GET && !is_private {
        if !is_signed_in {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        // No cache may show the public what it stored for a maintainer.
        if !headers.contains_key(VARY) {
            headers.insert(VARY, HeaderValue::from_static("Authorization, Cookie"));
        }
    }
    if !is_signed_in
        && !headers.contains_key(SET_COOKIE)
        && request.cookie(COOKIE).is_some()
        && let Ok(removal) = HeaderValue::from_str(&session::end(request).to_string())
    {
        headers.insert(SET_COOKIE, removal);
    }
}
