//! `GET /admin/issues/{signature}`: a prefilled GitHub issue about a signature.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use chrono::Utc;

use crate::expose::numbers::parse_hexadecimal;
use crate::http::error::ApiError;
use crate::http::operate::admin::Operator;
use crate::issue::issue;
use crate::state::AppState;
use crate::store::read::report::of_signature;

/// Answers with title and body of the issue, and the link to GitHub's form that contains both. Submitting the form is
/// up to the maintainer.
///
/// # Errors
/// [`ApiError`]: 400 and 404 for a signature that is not valid or not known.
pub async fn show(
    _: Operator,
    signature: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let bad = ApiError::BadParameter { name: "signature", reason: "must be 16 hexadecimal digits" };
    let signature = parse_hexadecimal(&signature).ok_or(bad)?;
    let mut connection = state.read_pool.acquire().await?;
    let evidence = of_signature(&mut connection, signature, Utc::now().date_naive()).await?;
    let issue = issue(&state.issue_repository, signature, &evidence.ok_or(ApiError::UnknownSignature)?);
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(issue))
}
