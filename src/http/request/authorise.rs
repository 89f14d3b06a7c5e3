//! Chooses the view of a request by its bearer token or its session.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;

use crate::http::error::ApiError;
use crate::http::request::guard::address_of;
use crate::http::request::session::{Role, Session};
use crate::limit::limits::Kind;
use crate::state::AppState;
use crate::store::read::view::View;

/// The view of a request: everything with `READ_TOKEN`, `ADMIN_TOKEN` or a session, else that of the public.
///
/// # Errors
/// [`ApiError::Unauthorized`] for a wrong token, [`ApiError::RateLimited`] after too many of them.
pub fn view_of(request: &HttpRequest, state: &AppState) -> Result<View, ApiError> {
    if !request.headers().contains_key(AUTHORIZATION) {
        let session = Session::of(request, state);
        return Ok(if session.is_some() { View::Maintainer } else { View::Public });
    }
    check_token(request, state, bearer(request), &Role::ALL)
        .inspect_err(|error| {
            if *error == ApiError::Unauthorized {
                state.metrics.read_denied.inc();
            }
        })
        .map(|_| View::Maintainer)
}

/// Checks that the client knows the token of one of these roles, and returns the strongest one. Each attempt is counted
/// before the check, so that a correct guess beyond the limit fails as well; a correct token resets the count.
///
/// # Errors
/// [`ApiError::Unauthorized`], [`ApiError::RateLimited`].
pub fn check_token(
    request: &HttpRequest,
    state: &AppState,
    sent: Option<&[u8]>,
    roles: &[Role],
) -> Result<Role, ApiError> {
    let address = address_of(request, state);
    state.limits.check(Kind::Admin, &address)?;
    let token = |role: &Role| role.token(&state.protection);
    let is_right = |role: &&Role| token(role).zip(sent).is_some_and(|(token, sent)| token.is(sent));
    // Compares with every token, so that the time does not tell which one was right.
    let role =
        roles.iter().filter(is_right).fold(None, |_, role| Some(*role)).ok_or(ApiError::Unauthorized)?;
    state.limits.reset(Kind::Admin, &address);
    Ok(role)
}

/// The token of the `Authorization` header.
#[must_use]
pub fn bearer(request: &HttpRequest) -> Option<&[u8]> {
    let value = request.headers().get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}
