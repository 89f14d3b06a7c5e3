//! Every answer that is not a success. Use [`ApiError`] in handlers; what the database or the
//! client said never gets into one.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use crate::ingest::rejection::Rejection;
use crate::store::writer::WriteError;

/// Seconds after which a client may try again.
const RETRY_AFTER_SECONDS: u32 = 2;

/// Why a request was not answered with what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The body cannot become an event.
    #[error("{0}")]
    Rejected(#[from] Rejection),
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
    /// The body is compressed or encoded in some other way.
    #[error("this path takes no content encoding")]
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
    /// A mistake of ours.
    #[error("the answer could not be made")]
    Internal,
}

/// The body of an error.
#[derive(Serialize)]
struct ErrorBody {
    error: &'static str,
    field: Option<&'static str>,
    message: String,
}

impl ApiError {
    /// Stable code of the reason.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Rejected(rejection) => rejection.code(),
            Self::NotWritten(error) => error.code(),
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyBroken => "body_broken",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::BadParameter { .. } | Self::UnreadableQuery => "bad_parameter",
            Self::UnknownRun | Self::NoSuchPath => "not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::DatabaseUnavailable => "database_unavailable",
            Self::Internal => "internal",
        }
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
        Self::DatabaseUnavailable
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Rejected(_) | Self::BadParameter { .. } | Self::UnreadableQuery | Self::BodyBroken => {
                StatusCode::BAD_REQUEST
            }
            Self::UnknownRun | Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotWritten(_) | Self::DatabaseUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut message = self.to_string();
        if let Some(first) = message.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        message.push('.');
        let body = ErrorBody { error: self.code(), field: self.field(), message };
        let mut response = HttpResponse::build(self.status_code()).json(body);
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
        }
        if let Self::MethodNotAllowed { allowed } = self {
            response.headers_mut().insert(actix_web::http::header::ALLOW, HeaderValue::from_static(allowed));
        }
        response
    }
}
