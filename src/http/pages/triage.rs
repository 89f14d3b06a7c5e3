//! `POST /failures/{id}/state`: an administrator decides about a signature on its page.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use crate::http::error::ApiError;
use crate::http::operate::triage::{check, store};
use crate::http::pages::form::{read, see_other};
use crate::http::request::reasons::signature_id;
use crate::http::request::session::{Role, Session};
use crate::page::address::Address;
use crate::state::AppState;

#[derive(Deserialize)]
struct Form {
    form_token: Option<String>,
    state: Option<String>,
    issue_url: Option<String>,
    note: Option<String>,
}

/// Stores the decision, and leads back to the page with its filter.
///
/// # Errors
/// [`ApiError`]: not signed in, no administrator, a form of another site, or a decision that is not valid.
pub async fn set(
    id: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let session = Session::of(&request, &state).ok_or(ApiError::Unauthorized)?;
    if session.role != Role::Administrator {
        return Err(ApiError::Forbidden);
    }
    let form: Form = read(&request, payload, &state).await?;
    session.check_form(form.form_token.as_deref())?;
    let signature = signature_id("id", &id).map_err(|_| ApiError::UnknownSignature)?;
    let decision = check(form.state.as_deref(), form.issue_url, form.note)?;
    store(&state, signature, &decision).await?;
    let page = Address::read("", request.query_string(), &[]).to(&["failures", &id]);
    Ok(see_other(page.href()))
}
