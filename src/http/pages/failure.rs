//! `/failures/{id}`.

use actix_web::{HttpResponse, web};

use crate::http::aggregates::{days_shown, signatures};
use crate::http::error::ApiError;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::reasons::signature_id;
use crate::issue::issue;
use crate::page::failure::{Failure, failure};
use crate::state::AppState;
use crate::store::read::snapshot::Snapshot;

/// The page of one reason.
///
/// # Errors
/// [`ApiError::UnknownSignature`], [`ApiError::BadParameter`], or any error from the database.
pub async fn show(id: web::Path<String>, request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let id = signature_id("id", &id).map_err(|_| ApiError::UnknownSignature)?;
    let (filter, today) = (request.filter()?, request.today);
    let read = async |state: &AppState, snapshot: &mut Snapshot<'_>| {
        let signature = signatures::read(state, snapshot, id).await?;
        let evidence = snapshot.evidence(id, today).await?;
        let first = signature.days.first().map(|day| day.date);
        Ok(Failure {
            days: days_shown(&snapshot.filter, signature.as_of, first),
            issue: evidence.map(|evidence| issue(&state.issue_repository, id, &evidence)),
            signature,
        })
    };
    request.page(&[], &filter, id, read, failure).await
}
