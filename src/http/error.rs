//! Every error response. Handlers return [`ApiError`]; texts of the database or of the request never get into one.

use actix_web::http::header::{ALLOW, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::ingest::bulk::BulkError;
use crate::ingest::rejection::Rejection;
use crate::limit::limits::RateLimited;
use crate::store::write::queue::WriteError;

/// Seconds after which a client may try again after a 503.
const RETRY_AFTER_SECONDS: u32 = 2;

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The body is not a valid event.
    #[error("{0}")]
    Rejected(#[from] Rejection),
    /// A body of many events cannot be split.
    #[error("{0}")]
    Batch(#[from] BulkError),
    /// The event could not be stored now.
    #[error("{0}")]
    NotWritten(#[from] WriteError),
    /// The body is longer than one event may be.
    #[error("the body is longer than {max_bytes} bytes")]
    BodyTooLarge {
        /// The limit.
        max_bytes: usize,
    },
    /// The body was incomplete or not framed correctly.
    #[error("the body could not be received")]
    BodyBroken,
    /// The body came too slowly.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// One run or one address exceeds its rate limit.
    #[error("{0}")]
    RateLimited(#[from] RateLimited),
    /// The maximum number of connections is open.
    #[error("there are too many connections")]
    TooManyConnections,
    /// The token is missing or wrong.
    #[error("the request has no valid token as `Authorization: Bearer`")]
    Unauthorized,
    /// A form was not sent from a page of this session.
    #[error("the form does not belong to this session; load the page again")]
    ForeignForm,
    /// The session has no right to do this.
    #[error("only administrators may do this")]
    Forbidden,
    /// The body has a content encoding that the path does not accept.
    #[error("this path does not accept this content encoding")]
    UnsupportedEncoding,
    /// A parameter of the query or the path is not valid.
    #[error("`{name}` {reason}")]
    BadParameter {
        /// Its name.
        name: &'static str,
        /// What is wrong, as the end of a sentence.
        reason: &'static str,
    },
    /// The query cannot be parsed, or repeats a parameter.
    #[error("the query cannot be parsed, or repeats a parameter")]
    UnreadableQuery,
    /// Nothing is stored under this id or name.
    #[error("nothing is stored under this id or name")]
    UnknownRun,
    /// Nothing is stored under this signature.
    #[error("nothing is stored under this signature")]
    UnknownSignature,
    /// No rule has this id.
    #[error("no reason has this id; /api/reasons lists them")]
    UnknownReason,
    /// The path does not exist.
    #[error("there is no such path; GET / lists all")]
    NoSuchPath,
    /// The path exists, but not with this method.
    #[error("this path does not support this method")]
    MethodNotAllowed {
        /// The supported methods, for the `Allow` header.
        allowed: &'static str,
    },
    /// The database did not answer a query.
    #[error("the database is unavailable")]
    DatabaseUnavailable,
    /// A query exceeded the time limit for readers.
    #[error("the query takes too long; request fewer days")]
    QueryTimeout,
    /// The address or all addresses together run as many exports as allowed.
    #[error("too many exports are running")]
    TooManyExports,
    /// A bug in the server.
    #[error("the server could not build the answer")]
    Internal,
}

/// The body of an error response.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// Stable code of the reason.
    pub error: &'static str,
    /// The field or parameter at fault; `null` if there is none.
    pub field: Option<&'static str>,
    /// The reason as a sentence.
    pub message: String,
}

impl ApiError {
    /// Stable code of the reason.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Rejected(rejection) => rejection.code(),
            Self::Batch(error) => error.code(),
            Self::NotWritten(error) => error.code(),
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyBroken => "body_broken",
            Self::TooSlow => "request_timeout",
            Self::RateLimited(_) => "rate_limited",
            Self::TooManyConnections => "too_many_connections",
            Self::Unauthorized => "unauthorized",
            Self::ForeignForm => "foreign_form",
            Self::Forbidden => "forbidden",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::BadParameter { .. } | Self::UnreadableQuery => "bad_parameter",
            Self::UnknownRun | Self::NoSuchPath => "not_found",
            Self::UnknownSignature => "unknown_signature",
            Self::UnknownReason => "unknown_reason",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::DatabaseUnavailable => "database_unavailable",
            Self::QueryTimeout => "query_timeout",
            Self::TooManyExports => "too_many_exports",
            Self::Internal => "internal",
        }
    }

    /// The body of the response.
    #[must_use]
    pub fn body(self) -> ErrorBody {
        let mut message = self.to_string();
        if let Some(first) = message.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        message.push('.');
        ErrorBody { error: self.code(), field: self.field(), message }
    }

    const fn field(self) -> Option<&'static str> {
        match self {
            Self::Rejected(rejection) => rejection.field(),
            Self::BadParameter { name, .. } => Some(name),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        // Only the kind: a message can contain parameters of the request.
        let kind = match &error {
            sqlx::Error::Database(database) => database.code().unwrap_or_default().into_owned(),
            sqlx::Error::PoolTimedOut => "no connection".to_owned(),
            sqlx::Error::Io(_) => "connection lost".to_owned(),
            _ => "other".to_owned(),
        };
        tracing::warn!(kind, "query failed");
        // 57014: the statement was cancelled, which only `statement_timeout` does.
        if kind == "57014" { Self::QueryTimeout } else { Self::DatabaseUnavailable }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Batch(BulkError::TooLong | BulkError::TooMany) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Rejected(_)
            | Self::Batch(BulkError::Compression | BulkError::Unreadable)
            | Self::BadParameter { .. }
            | Self::UnreadableQuery
            | Self::BodyBroken => StatusCode::BAD_REQUEST,
            Self::UnknownRun | Self::UnknownSignature | Self::UnknownReason | Self::NoSuchPath => {
                StatusCode::NOT_FOUND
            }
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::ForeignForm | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotWritten(_)
            | Self::DatabaseUnavailable
            | Self::QueryTimeout
            | Self::TooManyExports
            | Self::TooManyConnections => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code()).json(self.body());
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
        }
        match self {
            Self::MethodNotAllowed { allowed } => {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Self::RateLimited(limited) => {
                response.headers_mut().insert(RETRY_AFTER, limited.retry_after_seconds.into());
            }
            Self::Unauthorized => {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::TooSlow | Self::TooManyConnections => {
                response.head_mut().set_connection_type(ConnectionType::Close);
            }
            _ => {}
        }
        response
    }
}
