//! `/sign-in` and `/sign-out`: a session takes the place of the token.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use crate::http::error::ApiError;
use crate::http::pages::form::{context, private, read, see_other};
use crate::http::request::authorise::check_token;
use crate::http::request::session::{self, Role, Session};
use crate::page::context::{Context, Visitor};
use crate::page::sign_in::{SignIn, sign_in};
use crate::state::AppState;

#[derive(Deserialize)]
struct Form {
    token: Option<String>,
}

/// The form.
///
/// # Errors
/// [`ApiError`] for a wrong bearer token.
pub async fn show(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, ApiError> {
    let is_possible = Role::ALL.iter().any(|role| role.token(&state.protection).is_some());
    let data = if is_possible { SignIn::Form } else { SignIn::Impossible };
    Ok(private(sign_in(&context(&request, &state)?, &data)))
}

/// Starts a session. Wrong tokens are counted and limited as everywhere.
///
/// # Errors
/// [`ApiError::RateLimited`], or an error of the form.
pub async fn start(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let form: Form = read(&request, payload, &state).await?;
    let sent = form.token.as_deref().map(str::trim).map(str::as_bytes);
    match check_token(&request, &state, sent, &Role::ALL) {
        Ok(role) => {
            let cookie = session::start(role, &request, &state).ok_or(ApiError::Internal)?;
            let mut response = see_other("/".to_owned());
            response.add_cookie(&cookie).map_err(|_| ApiError::Internal)?;
            Ok(response)
        }
        Err(ApiError::Unauthorized) => {
            state.metrics.read_denied.inc();
            let context = Context { visitor: Visitor::Public, ..context(&request, &state)? };
            let mut response = private(sign_in(&context, &SignIn::Wrong));
            *response.status_mut() = StatusCode::FORBIDDEN;
            Ok(response)
        }
        Err(error) => Err(error),
    }
}

/// Ends the session. A form of another site comes without the cookie, and ends nothing.
pub async fn end(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, ApiError> {
    let mut response = see_other("/".to_owned());
    if Session::of(&request, &state).is_some() {
        response.add_cookie(&session::end(&request)).map_err(|_| ApiError::Internal)?;
    }
    Ok(response)
}
