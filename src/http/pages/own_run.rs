//! `/my-run`: one's own run by its id, which is sent in a form and so is part of no address.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use crate::http::error::ApiError;
use crate::http::pages::form::{context, private, read};
use crate::http::runs::one::{erase_all, find};
use crate::page::runs::own::{OwnRun, own_run};
use crate::state::AppState;

#[derive(Deserialize)]
struct Form {
    id: Option<String>,
    confirmed: Option<String>,
}

impl Form {
    fn id(&self) -> Result<String, ApiError> {
        let id = self.id.as_deref().map(str::trim).filter(|id| !id.is_empty());
        id.map(str::to_owned).ok_or(ApiError::BadParameter { name: "id", reason: "must be the id of a run" })
    }
}

/// The field for the id.
///
/// # Errors
/// [`ApiError`] for a wrong bearer token.
pub async fn form(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, ApiError> {
    Ok(private(own_run(&context(&request, &state)?, &OwnRun::Form)))
}

/// Everything that is stored about the run.
///
/// # Errors
/// [`ApiError`] for a form that is not valid, or any error from the database.
pub async fn show(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let form: Form = read(&request, payload, &state).await?;
    let id = form.id()?;
    let (as_of, runs) = find(&state, &id).await?;
    Ok(private(own_run(&context(&request, &state)?, &OwnRun::Stored { id, as_of, runs })))
}

/// Asks whether to erase the run, and erases it once that is confirmed.
///
/// # Errors
/// [`ApiError`] for a form that is not valid, too many erasures, or any error from the database.
pub async fn erase(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let form: Form = read(&request, payload, &state).await?;
    let id = form.id()?;
    let data = if form.confirmed.as_deref() == Some("yes") {
        OwnRun::Erased { runs: erase_all(&request, &state, &id).await? }
    } else {
        let (as_of, runs) = find(&state, &id).await?;
        if runs.is_empty() {
            OwnRun::Stored { id, as_of, runs }
        } else {
            OwnRun::Confirm { id, runs: runs.len() }
        }
    };
    Ok(private(own_run(&context(&request, &state)?, &data)))
}
