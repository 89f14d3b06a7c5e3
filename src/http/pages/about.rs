//! `/about`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::http::error::ApiError;
use crate::http::pages::form::{context, private};
use crate::page::about::{About, about};
use crate::state::AppState;

/// What is counted and collected, with the settings of this server.
///
/// # Errors
/// [`ApiError`] for a wrong bearer token.
pub async fn show(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, ApiError> {
    let data = About {
        retention_days: state.retention_days,
        rare_sessions: state.protection.rare_sessions,
        unfinished_after: state.unfinished_after,
    };
    Ok(private(about(&context(&request, &state)?, &data)))
}
