//! `/popular`.

use actix_web::HttpResponse;

use crate::http::aggregates::popular::read;
use crate::http::error::ApiError;
use crate::http::reply::read_request::ReadRequest;
use crate::page::popular::popular;

/// The most and the least used scripts.
///
/// # Errors
/// [`ApiError::BadParameter`], or any error from the database.
pub async fn show(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    request.page(&[], &request.filter()?, (), read, popular).await
}
