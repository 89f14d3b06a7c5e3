//! Chooses the view of a request by its bearer token.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;

use crate::config::protection::Secret;
use crate::http::error::ApiError;
use crate::http::request::guard::address_of;
use crate::limit::limits::Kind;
use crate::state::AppState;
use crate::store::read::view::View;

/// The view of a request: that of the public without credentials, everything with `READ_TOKEN` or `ADMIN_TOKEN`.
///
/// # Errors
/// [`ApiError::Unauthorized`] for other credentials, [`ApiError::RateLimited`] after too many of them.
pub fn view_of(request: &HttpRequest, state: &AppState) -> Result<View, ApiError> {
    if !request.headers().contains_key(AUTHORIZATION) {
        return Ok(View::Public);
    }
    let protection = &state.protection;
    let tokens = [&protection.read_token, &protection.admin_token];
    check_token(request, state, tokens.into_iter().flatten())
        .inspect_err(|error| {
            if *error == ApiError::Unauthorized {
                state.metrics.read_denied.inc();
            }
        })
        .map(|()| View::Maintainer)
}

/// Checks that a request carries one of these tokens. Each attempt is counted before the check, so that a correct
/// guess beyond the limit fails as well; a correct token resets the count.
///
/// # Errors
/// [`ApiError::Unauthorized`], [`ApiError::RateLimited`].
pub fn check_token<'a>(
    request: &HttpRequest,
    state: &AppState,
    tokens: impl Iterator<Item = &'a Secret>,
) -> Result<(), ApiError> {
    let address = address_of(request, state);
    state.limits.check(Kind::Admin, &address)?;
    let sent = request.headers().get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
    // Compares with every token, so that the time does not tell which one was right.
    let is_right = tokens.fold(false, |is_right, token| is_right | sent.is_some_and(|sent| token.is(sent)));
    if !is_right {
        return Err(ApiError::Unauthorized);
    }
    state.limits.reset(Kind::Admin, &address);
    Ok(())
}

/// The token of an `Authorization` header.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}
