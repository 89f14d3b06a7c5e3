//! Every answer that is not a success. Use [`ApiError`] in handlers; what the database or the
//! client said never gets into one.

use actix_web::http::header::{ALLOW, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::ingest::bulk::BulkError;
use crate::ingest::rejection::Rejection;
use crate::limit::limits::Kind;
use crate::store::write::queue::WriteError;

/// Seconds after which a client may try again.
const RETRY_AFTER_SECONDS: u32 = 2;

/// Why a request was not answered with what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The body cannot become an event.
    #[error("{0}")]
    Rejected(#[from] Rejection),
    /// A body of many events cannot be taken apart.
    #[error("{0}")]
    Batch(#[from] BulkError),
    /// The event was not stored, now.
    #[error("{0}")]
    NotWritten(#[from] WriteError),
    /// The body is longer than one event may be.
    #[error("the body is longer than {max_bytes} bytes")]
    BodyTooLarge {
        /// The limit.
        max_bytes: usize,
    },
    /// The body broke off or was not framed as HTTP says.
    #[error("the body could not be received")]
    BodyBroken,
    /// The body came too slowly.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// One run, or one address, comes too often.
    #[error("{}", .kind.reason())]
    TooOften {
        /// What comes too often.
        kind: Kind,
        /// When it may come again, for the `Retry-After` header.
        retry_after_seconds: u32,
    },
    /// There is no room for this connection.
    #[error("there are too many connections, now")]
    TooManyConnections,
    /// The token is missing or wrong.
    #[error("this path needs `Authorization: Bearer` with the right token")]
    Unauthorized,
    /// The body is compressed or encoded in some other way.
    #[error("this path does not take this content encoding")]
    UnsupportedEncoding,
    /// A parameter of the query or the path has no meaning.
    #[error("`{name}` {reason}")]
    BadParameter {
        /// Its name.
        name: &'static str,
        /// What is wrong, as the end of a sentence.
        reason: &'static str,
    },
    /// The query is not one, or has a parameter twice.
    #[error("the query cannot be read, or has a parameter twice")]
    UnreadableQuery,
    /// Nothing is stored under this id.
    #[error("nothing is known about this")]
    UnknownRun,
    /// Nothing is stored under this signature.
    #[error("nothing is known about this signature")]
    UnknownSignature,
    /// Somebody else is opening the issue.
    #[error("this issue is being opened; try again in five minutes")]
    IssueInProgress,
    /// GitHub did not do it.
    #[error("GitHub did not open the issue")]
    GitHub,
    /// There is no such path.
    #[error("there is no such path; GET / lists all")]
    NoSuchPath,
    /// The path exists, the method does not.
    #[error("this path does not take this method")]
    MethodNotAllowed {
        /// What it takes, for the `Allow` header.
        allowed: &'static str,
    },
    /// The database did not answer a query.
    #[error("the database is unavailable")]
    DatabaseUnavailable,
    /// The database took longer for a query than a reader may make it.
    #[error("the query takes too long; ask for fewer days")]
    QueryTimeout,
    /// As many lists are streamed as may be at once.
    #[error("too many lists are exported at the moment")]
    TooManyExports,
    /// A mistake of ours.
    #[error("the answer could not be made")]
    Internal,
}

/// The body of an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// Stable code of the reason.
    error: &'static str,
    /// The field or parameter that is wrong; `null` where none is.
    field: Option<&'static str>,
    /// A sentence for a person.
    message: String,
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
            Self::TooOften { .. } => "rate_limited",
            Self::TooManyConnections => "too_many_connections",
            Self::Unauthorized => "unauthorized",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::BadParameter { .. } | Self::UnreadableQuery => "bad_parameter",
            Self::UnknownRun | Self::UnknownSignature | Self::NoSuchPath => "not_found",
            Self::IssueInProgress => "in_progress",
            Self::GitHub => "github",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::DatabaseUnavailable => "database_unavailable",
            Self::QueryTimeout => "query_timeout",
            Self::TooManyExports => "too_many_exports",
            Self::Internal => "internal",
        }
    }

    /// What is answered.
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
        // The kind only: a message can repeat what was asked for.
        let kind = match &error {
            sqlx::Error::Database(database) => database.code().unwrap_or_default().into_owned(),
            sqlx::Error::PoolTimedOut => "no connection".to_owned(),
            sqlx::Error::Io(_) => "connection lost".to_owned(),
            _ => "other".to_owned(),
        };
        tracing::warn!(kind, "query failed");
        // 57014: the statement was cancelled, which only its time limit does.
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
            Self::UnknownRun | Self::UnknownSignature | Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::IssueInProgress => StatusCode::CONFLICT,
            Self::GitHub => StatusCode::BAD_GATEWAY,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooOften { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
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
            Self::TooOften { retry_after_seconds, .. } => {
                response.headers_mut().insert(RETRY_AFTER, (*retry_after_seconds).into());
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
