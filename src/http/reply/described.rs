//! The responses that several endpoints share, for the description of the API.

#![allow(unused_qualifications, reason = "utoipa generates the paths")]

use utoipa::IntoResponses;

use crate::http::error::ErrorBody;

/// Responses of a cached answer besides its success.
#[derive(IntoResponses)]
pub enum CachedResponses {
    /// The answer has the entity tag that `If-None-Match` names.
    #[response(status = 304)]
    NotModified,
    /// A parameter is not valid.
    #[response(status = 400)]
    BadParameter(ErrorBody),
    /// The `Authorization` header has no valid token.
    #[response(status = 401)]
    Unauthorized(ErrorBody),
    /// The database did not answer in time; see `Retry-After`.
    #[response(status = 503)]
    Unavailable(ErrorBody),
}
