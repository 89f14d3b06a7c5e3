//! `/scripts/{app}`.

use actix_web::{HttpResponse, web};

use crate::http::aggregates::script::{name, read};
use crate::http::error::ApiError;
use crate::http::reply::read_request::ReadRequest;
use crate::page::script::script;
use crate::state::AppState;
use crate::store::read::snapshot::Snapshot;

/// The page of one script.
///
/// # Errors
/// [`ApiError::UnknownRun`] for a name that no run has, [`ApiError::BadParameter`], or any error from the database.
pub async fn show(app: web::Path<String>, request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let app = name(&app)?;
    let read = async |state: &AppState, snapshot: &mut Snapshot<'_>| read(state, snapshot, &app).await;
    request.page(&[], &request.filter()?, &app, read, script).await
}
